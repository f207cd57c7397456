"""The directory from the command line: by the API, and on the machine itself."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from certworker.cli.main import app
from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, self_sign, to_pem
from certworker.errors import Unauthenticated
from tests.cli.terminal import Terminal

PASSWORD = "Correct-horse-9"


def test_users_by_the_api(terminal: Terminal) -> None:
    """Created with a password from standard input, listed, disabled, given another password, and deleted."""
    directory, tenant = terminal.world.house.directory, terminal.world.tenant
    said = terminal("identity", "user", "create", "ada@contoso.test", "--display-name", "Ada", stdin=PASSWORD + "\n")
    assert PASSWORD not in said.out + said.err
    assert directory.check_password(tenant, "ada@contoso.test", PASSWORD)
    assert terminal("identity", "user", "list").table()[0][:2] == ["ada@contoso.test", "Ada"]
    made = terminal("identity", "user", "reset-password", "ada@contoso.test", "--generate", "--json").json["password"]
    assert directory.check_password(tenant, "ada@contoso.test", made).must_change_password
    terminal("identity", "user", "disable", "ada@contoso.test")
    with pytest.raises(Unauthenticated, match="disabled"):
        directory.check_password(tenant, "ada@contoso.test", made)
    terminal("identity", "user", "enable", "ada@contoso.test")
    weak = terminal.try_("identity", "user", "reset-password", "ada@contoso.test", stdin="password\n")
    assert weak.code != 0
    assert "three of" in weak.err
    terminal("identity", "user", "delete", "ada@contoso.test", "--yes")
    assert terminal.try_("identity", "user", "show", "ada@contoso.test").code != 0


def test_groups_by_the_api(terminal: Terminal) -> None:
    """Members and groups are named as people name them; a name that two have is refused with their ids."""
    terminal("identity", "user", "create", "ada@contoso.test", "--generate")
    for name in ("Security Team", "Everybody"):
        terminal("identity", "group", "create", name, "--description", "who looks after it")
    terminal("identity", "group", "add-member", "Security Team", "ada@contoso.test")
    terminal("identity", "group", "add-member", "Everybody", "Security Team")
    assert terminal("identity", "group", "members", "Everybody").table() == [
        ["Security", "Team", "group", "-", terminal("identity", "group", "show", "Security Team", "--json").json["id"]]
    ]
    whole = terminal("identity", "group", "members", "Everybody", "--transitive", "--json").json["value"]
    assert {one["displayName"] for one in whole} == {"Security Team", "ada"}
    groups = terminal("identity", "user", "show", "ada@contoso.test", "--json").json["groups"]
    assert set(groups) == {"Security Team", "Everybody"}
    circle = terminal.try_("identity", "group", "add-member", "Security Team", "Everybody")
    assert "is in it" in circle.err
    terminal("identity", "group", "remove-member", "Everybody", "Security Team")
    terminal("identity", "group", "create", "Everybody")
    assert "several" in terminal.try_("identity", "group", "delete", "Everybody", "--yes").err


def test_applications_by_the_api(terminal: Terminal) -> None:
    """A secret that is shown once, a certificate, a foreign token; each can be taken away."""
    house, tenant, clock = terminal.world.house, terminal.world.tenant, terminal.world.clock
    made = terminal("identity", "app", "create", "shop", "--web-redirect-uri", "https://shop.test/back", "--json").json
    secret = terminal("identity", "app", "credential", "add-secret", "shop", "--days", "3650", "--json").json
    assert house.directory.authenticate(tenant, made["appId"], secret["secretText"]).object_id == made["servicePrincipalId"]
    file = terminal.folder / "shop.pem"
    request = CertificateRequest("CN=shop", SubjectNames(), ("digitalSignature",), ())
    key, at = generate_key("EC", None, "P-256"), clock()
    file.write_bytes(to_pem([self_sign(key, request, at, at + timedelta(days=90), authority=False)]))
    terminal("identity", "app", "credential", "add-certificate", "shop", str(file))
    foreign = ("--name", "ci", "--issuer", "https://ci.test", "--subject", "main")
    terminal("identity", "app", "credential", "add-federated", "shop", *foreign)
    listed = terminal("identity", "app", "credential", "list", "shop", "--json").json["value"]
    assert [one["kind"] for one in listed] == ["secret", "certificate", "federated"]
    assert secret["secretText"] not in json.dumps(listed)
    for one in listed:
        terminal("identity", "app", "credential", "remove", "shop", one["keyId"])
    assert terminal("identity", "app", "credential", "list", "shop", "--json").json["value"] == []
    with pytest.raises(Unauthenticated):
        house.directory.authenticate(tenant, made["appId"], secret["secretText"])
    terminal("identity", "app", "update", "shop", "--public-client", "--public-redirect-uri", "http://localhost")
    shown = terminal("identity", "app", "show", "shop").out
    assert "https://shop.test/back" in shown
    assert "http://localhost" in shown
    assert made["servicePrincipalId"] in shown, "what roles are assigned to"
    terminal("identity", "app", "disable", "shop")
    principal = house.directory.principal(made["servicePrincipalId"])
    assert principal is not None
    assert not principal.enabled
    terminal("identity", "app", "delete", "shop", "--yes")
    assert house.directory.application(made["appId"]) is None


def test_a_stranger_changes_nothing(terminal: Terminal) -> None:
    """Everybody of the tenant looks; only administrators change."""
    guest, secret = terminal.world.add_principal("guest", administrator=False)
    as_guest = {"CERTWORKER_CLIENT_ID": guest.client_id, "CERTWORKER_CLIENT_SECRET": secret}
    assert terminal.try_("identity", "app", "list", **as_guest).code == 0
    refused = terminal.try_("identity", "group", "create", "mine", **as_guest)
    assert refused.code != 0
    assert "Insufficient privileges" in refused.err
    terminal("identity", "administrator", "add", "guest")
    assert terminal.try_("identity", "group", "create", "mine", **as_guest).code == 0
    assert len(terminal("identity", "administrator", "list").table()) == 2
    terminal("identity", "administrator", "remove", "guest")
    assert terminal.try_("identity", "group", "create", "other", **as_guest).code != 0


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Set a deployment up, whose settings are in a file."""
    file = tmp_path / "certworker.toml"
    database, key = f"sqlite:///{tmp_path}/certworker.db", tmp_path / "master.key"
    file.write_text(f'database_url = "{database}"\n[seal]\nmaster_key_file = "{key}"\n')
    here("init", "-c", str(file))
    return str(file)


def here(*words: str, stdin: str = "") -> str:
    """Call a command on this machine that must go well."""
    result = CliRunner().invoke(app, words, input=stdin, env={"COLUMNS": "200"})
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def listed(config: str, *words: str) -> Any:  # noqa: ANN401 - JSON
    """List something as JSON."""
    return json.loads(here("identity", *words, "-c", config, "--json"))["value"]


def test_the_operator_needs_no_login(config: str, tmp_path: Path) -> None:
    """On the machine itself: users, groups, managed identities; each change is in the audit log, without what is secret."""
    here("identity", "user", "create", "ada@contoso.test", "-c", config, stdin=PASSWORD + "\n")
    here("identity", "group", "create", "auditors", "-c", config)
    here("identity", "group", "add-member", "auditors", "ada@contoso.test", "-c", config)
    assert [one["userPrincipalName"] for one in listed(config, "group", "members", "auditors")] == ["ada@contoso.test"]
    here("identity", "administrator", "add", "ada@contoso.test", "-c", config)
    assert {one["displayName"] for one in listed(config, "administrator", "list")} == {"administrator", "ada"}
    here("identity", "managed-identity", "create", "vm", "--resource-id", "/vms/one", "-c", config)
    (identity,) = listed(config, "managed-identity", "list")
    assert here("identity", "managed-identity", "list", "-c", config).splitlines()[1].endswith(" /vms/one")
    assert (identity["displayName"], identity["passwordCredentials"]) == ("vm", [])
    kept = (tmp_path / "certworker.db").read_bytes()
    assert PASSWORD.encode() not in kept
    for operation in (b"UserAdd", b"GroupAdd", b"localuser"):
        assert operation in kept
    result = CliRunner().invoke(app, ("identity", "user", "show", "bob@contoso.test", "-c", config))
    assert result.exit_code != 0


def test_the_operator_opens_a_wrapped_master_key(config: str, tmp_path: Path) -> None:
    """Where no unsealed service runs here, the passphrase is asked for, as by the other commands of the machine."""
    here("seal", "enable", "--kind", "passphrase", "-c", config, stdin="correct horse\n")
    file = Path(config)
    file.write_text(f'{file.read_text()}kind = "passphrase"\nsocket = "{tmp_path}/seal.sock"\n')
    made = here("identity", "group", "create", "auditors", "-c", config, stdin="correct horse\n")
    assert "auditors" in made
    assert CliRunner().invoke(app, ("identity", "group", "list", "-c", config), input="wrong horse\n").exit_code != 0
