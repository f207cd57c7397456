"""`certworker backup` and `certworker drill`: what an operator types, and what is said where it does not work."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from certworker.cli.main import app
from certworker.cli.whole_file import whole_file
from certworker.crypto.keys import KeyKind
from certworker.errors import Conflict
from certworker.store.migrate import HEAD
from certworker.vault.keyring import object_place
from certworker.vault.objects import ObjectHead, ObjectKind
from tests.support.clock import FakeClock
from tests.support.deployment import open_deployment
from tests.support.everything import VALUE, add_key, add_secret, fill


@dataclass(frozen=True)
class Said:
    """What a command said, and what it ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Read standard output as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Machine:
    """A folder with settings, perhaps with a deployment."""

    folder: Path

    def __call__(self, *words: str, stdin: str = "") -> Said:
        """Call a command with the settings of this machine."""
        command = [*words, "-c", str(self.folder / "certworker.toml")]
        result = CliRunner().invoke(app, command, input=stdin, env={"COLUMNS": "200"})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    @property
    def backup(self) -> str:
        """Where this machine's backup is."""
        return str(self.folder / "deployment.backup")

    def files(self) -> set[str]:
        """List the files of the folder."""
        return {found.name for found in self.folder.iterdir()}


def make_machine(folder: Path, master_key: Path | None = None, database_url: str = "sqlite:///certworker.db") -> Machine:
    """Make a machine without a deployment, with a master key that was brought there."""
    folder.mkdir(exist_ok=True)
    (folder / "certworker.toml").write_text(f'database_url = "{database_url}"\n')
    if master_key:
        shutil.copy(master_key, folder / "master.key")
        (folder / "master.key").chmod(0o600)
    return Machine(folder)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a deployment with something of everything."""
    folder = tmp_path_factory.mktemp("filled")
    with open_deployment(folder, FakeClock()) as deployment:
        fill(deployment)
    return folder


@pytest.fixture
def machine(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine with a filled deployment, a backup of it, and a folder for what is temporary."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    machine = make_machine(tmp_path / "machine", filled / "master.key")
    shutil.copy(filled / "certworker.db", machine.folder / "certworker.db")
    return machine


def leftovers(machine: Machine) -> list[Path]:
    """List what was left in the temporary folder."""
    return list((machine.folder.parent / "tmp").iterdir())


def spoil(machine: Machine) -> None:
    """Flip a bit of a secret in the database, as a failing disk does."""
    with sqlite3.connect(machine.folder / "certworker.db") as database:
        (sealed,) = database.execute("SELECT sealed_value FROM secret_version WHERE folded = 'PASSWORD'").fetchone()
        spoilt = sealed[:-1] + bytes([sealed[-1] ^ 1])
        database.execute("UPDATE secret_version SET sealed_value = ? WHERE folded = 'PASSWORD'", (spoilt,))
    database.close()


def test_a_backup_is_created_and_verified(machine: Machine) -> None:
    """The file is its owner's only, tells its master key, and is not written over by mistake."""
    said = machine("backup", "create", machine.backup)
    assert said.code == 0, said
    assert stat.S_IMODE(Path(machine.backup).stat().st_mode) == 0o600
    assert "key_version" in said.out
    assert not [line for line in said.out.partition("ROWS")[2].splitlines() if line.endswith(" 0")]  # as empty tables have
    assert "which is not in it" in said.err
    assert machine.files() == {"certworker.toml", "certworker.db", "master.key", "deployment.backup"} | (
        machine.files() & {"certworker.db-wal", "certworker.db-shm"}
    )
    before = Path(machine.backup).read_bytes()
    again = machine("backup", "create", machine.backup)
    assert (again.code, again.out) == (5, "")
    assert "--force replaces it" in again.err
    assert Path(machine.backup).read_bytes() == before
    assert machine("backup", "create", "--force", machine.backup).code == 0
    assert Path(machine.backup).read_bytes() != before
    told = machine("backup", "verify", "--json", machine.backup)
    assert (told.code, told.json["rows"]["vault"], told.json["schema"]) == (0, 2, HEAD)
    deep = machine("backup", "verify", "--deep", machine.backup)
    assert (deep.code, leftovers(machine)) == (0, [])
    assert "Every record in it opens" in deep.err


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_a_backup_is_restored_elsewhere(machine: Machine, target: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """With the master key brought there, the other machine has it all, on another kind of database too; and not twice."""
    machine("backup", "create", machine.backup)
    url = "sqlite:///new.db" if target == "sqlite" else str(request.getfixturevalue("postgresql_url"))
    other = make_machine(tmp_path / "other", machine.folder / "master.key", url)
    said = other("backup", "restore", machine.backup)
    assert said.code == 0, said
    assert "Restored as it was at" in said.err
    whole = f"sqlite:///{other.folder}/new.db" if target == "sqlite" else url
    with open_deployment(other.folder, FakeClock(), whole) as restored:
        secret = restored.house.secrets.get(restored.administrator, restored.vault, "password")
        assert secret.value == VALUE
        assert restored.get("web").head.kind is ObjectKind.CERTIFICATE
    twice = other("backup", "restore", machine.backup)
    assert twice.code == 5
    assert "not empty" in twice.err


def test_a_foreign_master_key_changes_nothing(machine: Machine, tmp_path: Path) -> None:
    """The refusal names the key that is wanted, and there is no database afterwards."""
    wanted = machine("backup", "create", "--json", machine.backup).json["master_key_id"]
    other = make_machine(tmp_path / "other")
    (other.folder / "master.key").touch(0o600)
    (other.folder / "master.key").write_text("ab" * 32)
    for words in (("backup", "restore"), ("backup", "verify"), ("drill", "recovery")):
        said = other(*words, machine.backup)
        assert said.code == 1
        assert wanted in said.err
    assert other.files() == {"certworker.toml", "master.key"}


def test_a_live_deployment_is_not_restored_over(machine: Machine) -> None:
    """Its own backup is refused as any other."""
    machine("backup", "create", machine.backup)
    said = machine("backup", "restore", machine.backup)
    assert (said.code, said.out) == (5, "")
    assert machine("backup", "verify", machine.backup).code == 0


def test_what_is_no_backup_is_refused_in_words(machine: Machine, tmp_path: Path) -> None:
    """Something else, a part of one, an empty file, none at all."""
    machine("backup", "create", machine.backup)
    whole = Path(machine.backup).read_bytes()
    other = make_machine(tmp_path / "other", machine.folder / "master.key")
    for number, content in enumerate((b"", b"SQLite format 3\0" * 9, whole[:40], whole[:-1], whole + b" ")):
        damaged = tmp_path / str(number)
        damaged.write_bytes(content)
        for words in (("backup", "verify"), ("backup", "restore"), ("drill", "recovery")):
            said = other(*words, str(damaged))
            assert said.code == 1
            assert "This backup cannot be used." in said.err
    assert "cannot be read" in other("backup", "restore", str(tmp_path / "none")).err
    assert other.files() == {"certworker.toml", "master.key"}


def test_nothing_to_back_up(tmp_path: Path) -> None:
    """Where nothing was set up, none is made: neither a backup nor a database."""
    machine = make_machine(tmp_path / "empty")
    said = machine("backup", "create", machine.backup)
    assert said.code == 1
    assert "has not been set up" in said.err
    assert machine.files() == {"certworker.toml"}


def test_a_drill_tells_that_everything_comes_back(machine: Machine) -> None:
    """Counts of the live database, of the backup and of what was restored; every kind of record; nothing is left over."""
    said = machine("drill", "recovery", "--json")
    assert said.code == 0, said
    report = said.json
    assert report["ok"]
    assert report["faults"] == []
    for counts in report["tables"].values():
        assert counts["live"] == counts["backup"] == counts["restored"]
    assert set(report["tables"]) > {"key_version", "principal", "event", "used_assertion"}
    assert all(report["opened"].values()), report["opened"]
    assert report["opened"]["key"] == report["fitting_keys"] == report["tables"]["key_version"]["live"]
    assert report["opened"]["secret"] == report["tables"]["secret_version"]["live"]
    assert report["fitting_certificates"] == report["tables"]["certificate_version"]["live"]
    assert leftovers(machine) == []
    shown = machine("drill", "recovery")
    assert shown.code == 0
    assert "RESTORED" in shown.out
    assert "The drill went well" in shown.err


def test_a_drill_takes_an_older_backup_too(machine: Machine) -> None:
    """What has changed since is shown, and is no fault."""
    machine("backup", "create", machine.backup)
    with open_deployment(machine.folder, FakeClock()) as deployment:
        add_secret(deployment, "later")
    report = machine("drill", "recovery", "--json", machine.backup).json
    assert report["ok"]
    assert report["tables"]["secret_version"]["live"] == report["tables"]["secret_version"]["restored"] + 1


def test_a_drill_finds_what_does_not_open(machine: Machine) -> None:
    """A spoilt record is named by its place, the others are read all the same, and the exit code says so to cron."""
    spoil(machine)
    said = machine("drill", "recovery", "--json")
    assert said.code == 1
    assert said.json["ok"] is False
    (fault,) = said.json["faults"]
    assert "/secret/PASSWORD/" in fault
    assert said.json["opened"]["secret"] == said.json["tables"]["secret_version"]["live"] - 1
    assert leftovers(machine) == []
    machine("backup", "create", machine.backup)
    assert machine("backup", "verify", machine.backup).code == 0
    deep = machine("backup", "verify", "--deep", machine.backup)
    assert deep.code == 1
    assert "/secret/PASSWORD/" in deep.err
    assert VALUE not in deep.err + said.out + said.err


def test_a_drill_finds_a_certificate_without_its_key(machine: Machine) -> None:
    """A key's record that took another's place is found, even where everything opens."""
    with sqlite3.connect(machine.folder / "certworker.db") as database:
        database.execute(
            "UPDATE key_version SET public_key = (SELECT public_key FROM key_version WHERE folded = 'EC') WHERE folded = 'WEB'"
        )
    database.close()
    report = machine("drill", "recovery", "--json").json
    assert sorted(fault.split("/")[1] for fault in report["faults"]) == ["certificate", "key"]


def test_keys_in_a_token_are_told_of(machine: Machine) -> None:
    """Their ids are in the backup, and come back; how many of them are not themselves in it is said each time."""
    with open_deployment(machine.folder, FakeClock()) as deployment:
        house, vault = deployment.house, deployment.vault
        key = add_key(deployment, "in-token", KeyKind("EC", None, "P-256"))
        sealed = house.keyring.seal(vault.id, b"token-key-1", object_place(vault.id, ObjectKind.KEY, key.name, key.version))
        with house.store.writing() as writer:
            writer.purge(vault.id, ObjectKind.KEY, key.name)
            writer.put_head(ObjectHead(vault.id, ObjectKind.KEY, key.name, key.version, house.clock()))
            writer.add_key(replace(key, kty="EC-HSM", sealed_key=sealed, hsm_key_id="token-key-1"))
    said = machine("backup", "create", "--json", machine.backup)
    assert said.json["keys_in_token"] == 1
    assert "Not in the backup: 1 versions of keys" in said.err
    drill = machine("drill", "recovery", "--json", machine.backup)
    assert (drill.code, drill.json["ok"]) == (0, True)
    assert "Not in the backup: 1 versions of keys" in drill.err


def test_a_backup_outlives_rotations_with_its_own_master_key(machine: Machine) -> None:
    """After a rotation the old backup wants the old master key, and says so; a new one holds all terms of the vault keys."""
    old = (machine.folder / "master.key").read_text()
    wanted = machine("backup", "create", "--json", machine.backup).json["master_key_id"]
    assert machine("seal", "rotate-master").code == 0
    assert machine("seal", "rotate-vault-keys").code == 0
    refused = machine("backup", "verify", machine.backup)
    assert refused.code == 1
    assert wanted in refused.err
    fresh = machine("drill", "recovery", "--json").json
    assert fresh["ok"]
    assert fresh["backup"]["master_key_id"] != wanted
    assert fresh["opened"]["vault-key"] == 2 * fresh["tables"]["vault"]["live"]
    (machine.folder / "master.key").write_text(old)
    assert machine("drill", "recovery", machine.backup).code == 0


@pytest.mark.long
def test_a_deployment_under_a_seal_is_opened_from_the_terminal(machine: Machine) -> None:
    """Where no unsealed service runs here, the command reads the passphrase; a wrong one makes no backup."""
    assert machine("seal", "enable", "--kind", "passphrase", stdin="correct horse\n").code == 0
    with (machine.folder / "certworker.toml").open("a") as settings:
        settings.write('[seal]\nkind = "passphrase"\n')
    wrong = machine("backup", "create", machine.backup, stdin="battery staple\n")
    assert wrong.code != 0
    assert not Path(machine.backup).exists()
    assert machine("backup", "create", machine.backup, stdin="correct horse\n").code == 0
    assert machine("backup", "verify", "--deep", machine.backup, stdin="correct horse\n").code == 0
    assert machine("drill", "recovery", stdin="correct horse\n").code == 0


def test_a_file_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    """The second one is told, and the first one's file comes out whole."""
    path = tmp_path / "file"
    with whole_file(path, force=False) as file:
        file.write(b"first")
        with pytest.raises(Conflict, match="Another process"), whole_file(path, force=True):
            pass
    assert path.read_bytes() == b"first"


def test_a_file_that_came_meanwhile_is_kept(tmp_path: Path) -> None:
    """Without --force nothing is ever replaced, whenever it came."""
    path = tmp_path / "file"
    writing = whole_file(path, force=False)
    writing.__enter__().write(b"mine")
    path.write_bytes(b"theirs")
    with pytest.raises(Conflict):
        writing.__exit__(None, None, None)
    assert path.read_bytes() == b"theirs"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


KILLED = """
import os, signal, sys
from pathlib import Path
from certworker.cli.whole_file import whole_file
with whole_file(Path(sys.argv[1]), force=True) as file:
    file.write(b"half of it, and much more of it than the new one" * 100_000)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_create_leaves_no_backup(machine: Machine) -> None:
    """The old file stays as it was, and the next create takes over what was left."""
    machine("backup", "create", machine.backup)
    before = Path(machine.backup).read_bytes()
    died = subprocess.run([sys.executable, "-c", KILLED, machine.backup], check=False)
    assert died.returncode == -9
    assert Path(machine.backup).read_bytes() == before
    assert ".deployment.backup.part" in machine.files()
    assert machine("backup", "create", "--force", machine.backup).code == 0
    assert ".deployment.backup.part" not in machine.files()
    assert machine("backup", "verify", machine.backup).code == 0


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_drill_that_is_ended_leaves_no_copy(machine: Machine, tmp_path: Path, number: signal.Signals) -> None:
    """A timer that ends it, or a terminal that closes, leaves nothing of the deployment in the scratch folder."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    config = str(machine.folder / "certworker.toml")
    command = [sys.executable, "-m", "certworker.cli.main", "drill", "recovery", "-c", config]
    before = signal.signal(number, signal.SIG_DFL)  # one that is ignored here, as under nohup, would be ignored there
    drill = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(scratch)}, stdout=subprocess.DEVNULL)
    signal.signal(number, before)
    while not list(scratch.glob("*/scratch.db")):
        assert drill.poll() is None
        time.sleep(0.005)
    drill.send_signal(number)
    assert drill.wait(20) == 128 + number
    assert list(scratch.iterdir()) == []
