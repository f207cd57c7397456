"""Who a command goes as, and where: the environment, a login, a dev home."""

import json
import stat
from pathlib import Path
from uuid import uuid4

import pytest

from certworker.cli.home import write_json
from certworker.cli.logins import check_url, find_login, login_file
from certworker.errors import SettingsError
from tests.cli.terminal import Said, Terminal


def log_in(terminal: Terminal, *more: str, secret: str | None = None) -> Said:
    """Log in as the administrator, the secret on standard input."""
    world = terminal.world
    words = ("login", "--vault-url", world.vault_url, "--client-id", world.administrator.client_id)
    trust = ("--ca-bundle", str(terminal.authority.bundle))
    return terminal.bare(*words, *trust, *more, stdin=(world.client_secret if secret is None else secret) + "\n")


def test_a_login_is_checked_and_stored_for_its_owner_only(terminal: Terminal) -> None:
    """What was learned of tenant and authority is stored with it; the secret is in no output."""
    said = log_in(terminal, "--tenant", terminal.world.tenant)
    assert said.code == 0, said
    path = terminal.folder / "certworker" / "login.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    stored = json.loads(path.read_text())
    assert stored["authority"] == terminal.world.house.settings.authority
    assert (stored["tenant_id"], stored["client_secret"]) == (terminal.world.tenant, terminal.world.client_secret)
    assert terminal.bare("certificate", "list", "--json").json == {"value": [], "nextLink": None}


def test_a_logout_forgets_it(terminal: Terminal) -> None:
    """Afterwards nobody is logged in; a second logout says so and is no error."""
    log_in(terminal)
    assert terminal.bare("logout").code == 0
    assert terminal.bare("certificate", "list").code == 4
    said = terminal.bare("logout")
    assert (said.code, said.err) == (0, "Not logged in.\n")


@pytest.mark.parametrize("secret", ["wrong", "wrong\nlines"])
def test_a_wrong_secret_is_stored_nowhere(terminal: Terminal, secret: str) -> None:
    """The authority's words are one line, and the code says refused."""
    said = log_in(terminal, secret=secret)
    assert said.code == 4
    assert said.err.startswith("certworker: No token was given: ")
    assert said.err.count("\n") == 1
    assert secret.split("\n", maxsplit=1)[0] not in said.err.removeprefix("certworker: No token was given: ")
    assert not (terminal.folder / "certworker").exists()


def test_an_empty_secret_is_a_wrong_command_line(terminal: Terminal) -> None:
    """Nothing is asked of the server with it."""
    said = log_in(terminal, secret="")
    assert said.code == 2
    assert "secret is empty" in said.err


def test_the_secret_is_never_an_argument(terminal: Terminal) -> None:
    """There is no such option."""
    assert log_in(terminal, "--client-secret", "x").code == 2
    assert "client-secret" not in terminal.bare("login", "--help").out


def test_without_anything_both_ways_are_named(terminal: Terminal) -> None:
    """Log in, or start dev."""
    said = terminal.bare("certificate", "list")
    assert said.code == 4
    assert "certworker login" in said.err
    assert "certworker dev" in said.err
    assert said.err.count("\n") == 1


def test_a_dev_home_is_enough(terminal: Terminal) -> None:
    """dev.json says all; a login goes before it, and the environment before that."""
    home = terminal.folder / "dev-home"
    home.mkdir()
    world = terminal.world
    values = {
        "vault_url": world.vault_url,
        "tenant_id": world.tenant,
        "client_id": world.administrator.client_id,
        "client_secret": world.client_secret,
        "authority": world.house.settings.authority,
        "ca_bundle": str(terminal.authority.bundle),
        "pid": 1,
    }
    write_json(home / "dev.json", values)
    there = {"CERTWORKER_HOME": str(home)}
    assert terminal.bare("certificate", "list", **there).code == 0
    log_in(terminal)
    write_json(home / "dev.json", values | {"client_secret": "old"})
    assert terminal.bare("certificate", "list", **there).code == 0
    assert terminal.bare("certificate", "list", **there, CERTWORKER_CLIENT_SECRET="other").code == 4


@pytest.mark.parametrize("content", ["", "[]", '{"vault_url": 7}', "\udcff"])
def test_a_file_that_is_no_login_is_named(terminal: Terminal, content: str) -> None:
    """Neither a traceback nor a guess."""
    path = terminal.folder / "certworker" / "login.json"
    path.parent.mkdir()
    path.touch(0o600)
    path.write_text(content, errors="surrogateescape")
    said = terminal.bare("certificate", "list")
    assert said.code == 1
    assert str(path) in said.err


def test_a_login_that_others_can_read_is_refused(terminal: Terminal) -> None:
    """The error says which command helps."""
    log_in(terminal)
    path = terminal.folder / "certworker" / "login.json"
    path.chmod(0o640)
    said = terminal.bare("certificate", "list")
    assert said.code == 1
    assert f"chmod 600 {path}" in said.err


def test_what_is_missing_is_named(terminal: Terminal) -> None:
    """A vault alone is not enough."""
    said = terminal.bare("certificate", "list", "--vault-url", terminal.world.vault_url)
    assert said.code == 4
    assert "CERTWORKER_CLIENT_ID, CERTWORKER_CLIENT_SECRET is missing" in said.err


def test_a_server_that_is_not_trusted_says_how_to_trust_it(terminal: Terminal) -> None:
    """Without the bundle of its authority."""
    said = terminal.try_("certificate", "list", CERTWORKER_CA_BUNDLE="")
    assert said.code == 6
    assert "--ca-bundle" in said.err
    assert said.err.count("\n") == 1


def test_a_server_that_is_not_there_is_unavailable(terminal: Terminal) -> None:
    """One line, and a code of its own."""
    said = terminal.try_("certificate", "list", "--vault-url", "https://contoso.vault.localhost:1")
    assert said.code == 6
    assert "cannot be reached" in said.err


def test_a_vault_that_is_not_there_is_not_found(terminal: Terminal) -> None:
    """In the service's own words."""
    url = terminal.world.vault_url.replace("contoso", "fabrikam")
    said = terminal.try_("certificate", "list", "--vault-url", url)
    assert said.code == 3
    assert "There is no vault at fabrikam" in said.err


def test_plain_localhost_leads_to_the_vault(terminal: Terminal) -> None:
    """Its authority is the same host."""
    port = terminal.world.vault_url.rpartition(":")[2]
    assert terminal("certificate", "list", "--vault-url", f"https://localhost:{port}").code == 0


def test_whoever_has_no_permission_is_refused(terminal: Terminal) -> None:
    """The error is the service's, which names what is missing."""
    stranger, secret = terminal.world.add_principal("stranger", administrator=False)
    said = terminal.try_("certificate", "list", CERTWORKER_CLIENT_ID=stranger.client_id, CERTWORKER_CLIENT_SECRET=secret)
    assert said.code == 4
    assert "Action: 'Microsoft.KeyVault/vaults/certificates/read'" in said.err
    assert secret not in said.err


def test_another_tenant_gets_no_token(terminal: Terminal) -> None:
    """The authority knows only its own."""
    assert terminal.try_("certificate", "list", CERTWORKER_TENANT_ID=str(uuid4())).code == 4


@pytest.mark.parametrize(
    "url", ["http://contoso.vault.localhost", "contoso", "https://u:p@contoso.test", "https://h:99999", "https://h/path", ""]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    """A client secret goes out over https only, and to no one whose address holds a trick."""
    with pytest.raises(SettingsError, match="is not an address"):
        check_url(url)


def test_an_option_goes_before_the_environment() -> None:
    """And the address is made plain."""
    known = {"CERTWORKER_VAULT_URL": "https://a.test", "CERTWORKER_CLIENT_ID": "c", "CERTWORKER_CLIENT_SECRET": "a-secret"}
    assert find_login("https://B.test/", known).vault_url == "https://b.test"
    assert "a-secret" not in repr(find_login(None, known))


def test_a_relative_configuration_folder_is_left_alone() -> None:
    """As the XDG base directory specification says."""
    assert login_file({"XDG_CONFIG_HOME": "here"}) == Path("~/.config/certworker/login.json").expanduser()
