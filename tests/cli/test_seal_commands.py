"""`certworker seal` as an operator gives its commands, in process; tests/stories/test_sealed_start.py has the service."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from certworker.bootstrap import open_house
from certworker.cli.exits import ExitCode
from certworker.cli.main import app
from certworker.crypto.sealing import new_key
from certworker.seal.keeper import Keeper
from certworker.seal.master_file import MasterFile, next_of
from certworker.seal.sources import source_of
from certworker.settings import load_settings
from certworker.vault.access import Caller
from certworker.vault.keyring import SoftwareMasterKey
from certworker.vault.resealing import MasterKeyRotation
from tests.support.deployment import policy_for

PASSPHRASE = "correct horse battery"


class Operator:
    """A folder with settings, and the commands that an operator gives there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "certworker.toml"
        self.key = folder / "master.key"
        self.environment: dict[str, str] = {}

    def settings(self, seal: str) -> None:
        """Write the settings."""
        self.config.write_text(f"[seal]\n{seal}\n")

    def give(self, *command: str, said: str = "", code: int = ExitCode.OK) -> Result:
        """Give a command, with what it reads from standard input, and look at its exit code."""
        done = CliRunner().invoke(app, [*command, "-c", str(self.config)], input=said, env=self.environment)
        assert done.exit_code == code, (command, done.output, done.exception)
        return done

    def status(self, code: int = ExitCode.OK) -> dict[str, object]:
        """Ask for the status."""
        found: dict[str, object] = json.loads(self.give("seal", "status", "--json", code=code).stdout)
        return found


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """Give an operator whose deployment is set up with a plain key, and holds a certificate."""
    operator = Operator(tmp_path)
    operator.settings("")
    operator.give("init")
    with open_house(load_settings(operator.config, {})) as house:
        with house.store.reading() as reader:
            vault, principal = reader.vault_by_name("main"), reader.principals()[0]
        assert vault is not None
        caller = Caller(principal.object_id, principal.client_id, principal.tenant_id)
        house.certificates.create(caller, vault, "web", policy_for("web.test", "Self"), tags={})
    return operator


@pytest.fixture
def keeper(operator: Operator) -> Iterator[Keeper]:
    """Put the deployment under a passphrase, and keep its seal as a service would."""
    operator.give("seal", "enable", "--kind", "passphrase", said=f"{PASSPHRASE}\n")
    operator.settings('kind = "passphrase"')
    keeper = Keeper(load_settings(operator.config, {}).seal)
    keeper.start()
    yield keeper
    keeper.close()


def test_the_master_key_is_rotated_and_the_status_tells(operator: Operator) -> None:
    """The id in force is the new one's, which lies in the file; the status is for a person and for a program."""
    before = operator.status()
    old = operator.key.read_text()
    done = operator.give("seal", "rotate-master")
    after = operator.status()
    assert str(after["key_in_force"]) in done.stdout
    assert after["key_in_force"] == after["key_present"] != before["key_in_force"] == before["key_present"]
    assert operator.key.read_text() != old
    assert operator.key.read_text().strip() not in done.output
    assert "Back up the file" in done.stderr
    shown = operator.give("seal", "status").stdout
    assert "needs no unsealing" in shown
    assert "main" in shown


def test_vault_keys_are_rotated_and_what_remains_is_told(operator: Operator) -> None:
    """Of all vaults or of one; the status ends with 1 for as long as records lie under older keys."""
    assert "main" in operator.give("seal", "rotate-vault-keys", "--vault", "MAIN").stdout
    assert operator.status()["vaults"] == [
        {"name": "certworker-system", "term": 1, "terms": 1, "records": 1, "under_older_terms": 0},
        {"name": "main", "term": 2, "terms": 2, "records": 3, "under_older_terms": 0},
    ]
    with open_house(load_settings(operator.config, {})) as house:
        with house.store.reading() as reader:
            vault = reader.vault_by_name("main")
        assert vault is not None
        key = house.keyring.new_vault_key(vault.id, house.clock(), 3)
        with house.store.writing() as writer:
            writer.add_wrapped_key(key)
    assert operator.give("seal", "status", code=1).stdout.count("3") >= 3
    assert operator.give("seal", "rotate-vault-keys").stdout.count("yes") == 1
    assert operator.status()
    operator.give("seal", "rotate-vault-keys", "--vault", "nobody", code=ExitCode.NOT_FOUND)


def test_a_rotation_that_was_broken_off_is_finished_by_the_command(operator: Operator) -> None:
    """After the transaction a second call renames the file, says so, and makes no third key."""
    settings = load_settings(operator.config, {})
    source = source_of(settings.seal)
    assert isinstance(source, MasterFile)
    with open_house(settings) as house:
        new = source.begin_next()
        MasterKeyRotation(house.store, house.clock).put_in_force(house.master.turn_to(house.master.id), new)
    assert "broken off" in str(operator.status()["problem"])
    assert new.id in operator.give("seal", "rotate-master").stdout
    assert not next_of(operator.key).exists()
    assert operator.status()["key_present"] == new.id


def test_a_key_in_a_variable_is_rotated_by_a_file(operator: Operator) -> None:
    """The command says what to change where; until then a start explains which key is wanted, and the new value starts."""
    old, new = operator.key.read_text().strip(), new_key()
    operator.key.unlink()
    operator.settings('master_key_env = "THE_VAULT_KEY"')
    refused = operator.give("seal", "rotate-master", code=ExitCode.ERROR)
    assert "THE_VAULT_KEY, which is not set" in refused.stderr
    operator.environment = {"THE_VAULT_KEY": old}
    assert "--new-key-file" in operator.give("seal", "rotate-master", code=ExitCode.ERROR).stderr
    file = operator.folder / "next.hex"
    file.write_text(new.hex())
    assert "chmod 600" in operator.give("seal", "rotate-master", "--new-key-file", str(file), code=ExitCode.ERROR).stderr
    file.chmod(0o600)
    done = operator.give("seal", "rotate-master", "--new-key-file", str(file))
    assert "into the environment variable THE_VAULT_KEY" in done.stderr
    wanted = SoftwareMasterKey(new).id
    refused = operator.give("ca-bundle", code=ExitCode.ERROR)
    assert wanted in refused.stderr
    assert "THE_VAULT_KEY" in refused.stderr
    assert "another one" in str(operator.status()["problem"])
    operator.environment = {"THE_VAULT_KEY": new.hex()}
    operator.give("ca-bundle")
    refused = operator.give("seal", "rotate-master", "--new-key-file", str(file), code=ExitCode.ERROR)
    assert "in force already" in refused.stderr


def test_a_key_in_a_file_needs_no_other(operator: Operator) -> None:
    """A key that is given beside is refused, and nothing has changed."""
    before = operator.status()
    refused = operator.give("seal", "rotate-master", "--new-key-file", str(operator.key), code=ExitCode.ERROR)
    assert "without --new-key-file" in refused.stderr
    assert operator.status() == before


def test_a_seal_is_opened_by_the_passphrase_from_standard_input(operator: Operator, keeper: Keeper) -> None:
    """A wrong one is refused; unsealed once, every command works; sealed again, they say what to do."""
    assert "certworker seal unseal" in operator.give("ca-bundle", code=ExitCode.UNAVAILABLE).stderr
    assert operator.status()["service"] == "sealed"
    refused = operator.give("seal", "unseal", said="wrong horse battery\n", code=ExitCode.ERROR)
    assert "does not open" in refused.stderr
    assert "Wait 1 s" in operator.give("seal", "unseal", said=f"{PASSPHRASE}\n", code=ExitCode.UNAVAILABLE).stderr
    keeper._opening._not_before = 0.0
    assert "unsealed." in operator.give("seal", "unseal", said=f"{PASSPHRASE}\n").stdout
    assert "already" in operator.give("seal", "unseal").stdout
    operator.give("ca-bundle")
    before = operator.status()
    assert before["service"] == "unsealed"
    operator.give("seal", "rotate-master")
    operator.give("ca-bundle")
    assert operator.status()["key_in_force"] == operator.status()["key_present"] != before["key_present"]
    operator.give("seal", "seal")
    assert operator.status()["service"] == "sealed"


@pytest.mark.long
def test_a_passphrase_is_changed_while_the_service_goes_on(operator: Operator, keeper: Keeper) -> None:
    """The service can open the file still; the old passphrase opens it no more, and the master key is the same."""
    new = "staple battery horse"
    operator.give("seal", "unseal", said=f"{PASSPHRASE}\n")
    before = operator.status()
    operator.give("seal", "change", said="short\n", code=ExitCode.ERROR)
    operator.give("seal", "change", said=f"{new}\n")
    assert operator.status() == before
    operator.give("ca-bundle")
    operator.give("seal", "rotate-master")
    operator.give("seal", "seal")
    operator.give("seal", "unseal", said=f"{PASSPHRASE}\n", code=ExitCode.ERROR)
    keeper._opening._not_before = 0.0
    operator.give("seal", "unseal", said=f"{new}\n")
    operator.give("ca-bundle")
    keeper.close()
    operator.give("seal", "change", said=f"{PASSPHRASE}\n{new}\n", code=ExitCode.ERROR)
    operator.give("seal", "change", said=f"{new}\n{PASSPHRASE}\n")
    operator.give("seal", "rotate-vault-keys", said=f"{PASSPHRASE}\n")


def test_a_rotation_without_the_service_asks_for_the_passphrase(operator: Operator, keeper: Keeper) -> None:
    """So does taking the seal off; after that the file holds the key, and a start needs nobody."""
    keeper.close()
    assert operator.status()["service"] == "does not run here"
    operator.give("seal", "rotate-master", said="wrong horse battery\n", code=ExitCode.ERROR)
    operator.give("seal", "rotate-master", code=ExitCode.ERROR)
    operator.give("seal", "rotate-master", said=f"{PASSPHRASE}\n")
    operator.give("seal", "unseal", code=ExitCode.UNAVAILABLE)
    operator.give("seal", "disable", said=f"{PASSPHRASE}\n")
    operator.settings("")
    operator.give("ca-bundle")
    assert "There is no seal" in operator.give("seal", "disable", code=ExitCode.ERROR).stderr
    assert "There is no seal" in operator.give("seal", "unseal").stdout


def test_a_deployment_is_set_up_with_shares(tmp_path: Path) -> None:
    """Init hands them out once; enough of them open a command, fewer do not; and a second init keeps the key."""
    operator = Operator(tmp_path)
    operator.settings('kind = "shamir"')
    refused = operator.give("init", "--shares", "2", "--threshold", "3", code=ExitCode.ERROR)
    assert "2 to 255 shares" in refused.stderr
    assert not operator.key.exists()
    shares = json.loads(operator.give("init", "--shares", "4", "--threshold", "2").stdout)["seal_shares"]
    assert len(shares) == 4
    kept = operator.key.read_text()
    assert not any(share in kept for share in shares)
    operator.give("seal", "rotate-vault-keys", said=f"{shares[3]}\n", code=ExitCode.ERROR)
    others = operator.give("seal", "change", "--shares", "3", said=f"{shares[2]}\n{shares[0]}\n").stdout.split()
    assert len(others) == 3
    refused = operator.give("seal", "rotate-vault-keys", said="\n".join(shares), code=ExitCode.ERROR)
    assert "of the set" in refused.stderr
    operator.give("seal", "rotate-vault-keys", said="\n".join(others))
    shares = operator.give("seal", "change", "--threshold", "2", said="\n".join(others)).stdout.split()
    kept = operator.key.read_text()
    operator.give("seal", "rotate-vault-keys", said=f"{shares[3]}\n{shares[0]}\n")
    operator.give("init", said=f"{shares[1]}\n{shares[0]}\n", code=ExitCode.CONFLICT)
    assert operator.key.read_text() == kept


def test_wrong_wishes_are_refused(operator: Operator) -> None:
    """A kind that there is not, too short a passphrase, a seal on a key that lies elsewhere."""
    operator.give("seal", "enable", "--kind", "tape", code=ExitCode.USAGE)
    assert "12" in operator.give("seal", "enable", "--kind", "passphrase", said="short\n", code=ExitCode.ERROR).stderr
    assert "standard input, which is empty" in operator.give("seal", "enable", "--kind", "passphrase", code=1).stderr
    operator.settings('master_key_env = "THE_VAULT_KEY"')
    operator.give("seal", "enable", "--kind", "shamir", code=ExitCode.ERROR)
