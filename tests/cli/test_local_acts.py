"""What is done on the machine itself is recorded, with the operating system's user as the one who did it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from certworker.clock import utc_now
from certworker.store.engine import open_store
from tests.cli.test_vault_commands import run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Set a deployment up."""
    file = tmp_path / "certworker.toml"
    file.write_text(f'database_url = "sqlite:///{tmp_path}/certworker.db"\n[seal]\nmaster_key_file = "{tmp_path}/master.key"\n')
    assert run("init", "-c", str(file)).exit_code == 0
    return file


def records(config: Path) -> list[Any]:
    """List what waits in the database."""
    store = open_store(f"sqlite:///{config.parent}/certworker.db", utc_now)
    try:
        with store.reading() as reader:
            return [json.loads(record.text) for record in reader.pending_records(1000)]
    finally:
        store.close()


def test_the_first_start_is_recorded(config: Path) -> None:
    """Once, by this user."""
    (record,) = records(config)
    assert (record["operationName"], record["resultType"]) == ("DeploymentInit", "Success")
    assert record["identity"]["claim"]["uid"] == str(os.getuid())
    assert record["identity"]["claim"]["localuser"]


@pytest.mark.parametrize(
    ("words", "operation"),
    [
        (("vault", "update", "main", "--retention-days", "30"), "VaultPatch"),
        (("seal", "rotate-master"), "MasterKeyRotate"),
        (("seal", "rotate-vault-keys"), "VaultKeyRotate"),
        (("backup", "create", "BACKUP"), "DeploymentBackup"),
    ],
)
def test_each_act_is_recorded_once(config: Path, words: tuple[str, ...], operation: str) -> None:
    """In its own transaction where it has one, else after it."""
    before = len(records(config))
    given = [str(config.parent / "backup") if word == "BACKUP" else word for word in words]
    assert run(*given, "-c", str(config)).exit_code == 0
    told = [(record["operationName"], record["resultType"]) for record in records(config)[before:]]
    assert told == [(operation, "Success")]


def test_a_vault_is_named(config: Path) -> None:
    """By its resource id, as on the management plane."""
    run("vault", "update", "main", "--purge-protection", "-c", str(config))
    assert records(config)[-1]["resourceId"].endswith("/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/MAIN")


def test_what_could_not_be_is_no_success(config: Path) -> None:
    """A restore over a deployment is refused, and that is recorded."""
    backup = str(config.parent / "backup")
    assert run("backup", "create", backup, "-c", str(config)).exit_code == 0
    assert run("backup", "restore", backup, "-c", str(config)).exit_code != 0
    last = records(config)[-1]
    assert (last["operationName"], last["resultType"]) == ("DeploymentRestore", "Failure")
    assert last["resultDescription"]
