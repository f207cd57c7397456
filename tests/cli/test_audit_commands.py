"""The audit log from the command line: over the API as who is logged in, or from the files of this machine."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from certworker.audit.log import AuditLog
from certworker.audit.opening import open_audit_log
from certworker.vault.audit.record import AuditRecord, Result
from certworker.vault.rights.built_in_roles import STORAGE_BLOB_DATA_READER
from certworker.vault.rights.roles import PrincipalType, RoleAssignment
from certworker.vault.rights.scopes import subscription_scope, vault_scope
from tests.cli.terminal import Terminal
from tests.support.clock import FakeClock

ESCAPE = "\x1b[2J"


@pytest.fixture
def log(terminal: Terminal) -> Iterator[AuditLog]:
    """Give the log of a process of the deployment."""
    house = terminal.world.house
    with open_audit_log(house.settings.audit, house.store, house.keyring, house.clock, "test") as log:
        yield log


def write(terminal: Terminal, log: AuditLog, operation: str, failed: str = "") -> None:
    """Append a record; names in it try to clear the screen."""
    vault, clock = terminal.world.vault, terminal.world.clock
    log.append(
        AuditRecord(
            id=str(uuid4()),
            at=clock.advance(timedelta(seconds=1)),
            operation=operation,
            resource_id=vault_scope(vault),
            result=Result.FAILURE if failed else Result.SUCCESS,
            status=403 if failed else 200,
            description=failed,
            identity={"appid": f"app{ESCAPE}", "objectidentifier": "somebody"},
            object_id=f"https://contoso/secrets/{operation.lower()}",
        )
    )


def allow(terminal: Terminal) -> str:
    """Let the administrator read the log; give the subscription's id."""
    world, at = terminal.world, terminal.world.clock()
    scope, who = subscription_scope(world.vault.subscription_id), world.administrator.object_id
    kind = PrincipalType.SERVICE_PRINCIPAL
    assignment = RoleAssignment(str(uuid4()), world.tenant, scope, STORAGE_BLOB_DATA_READER, who, kind, at, at)
    with world.house.store.writing() as writer:
        writer.add_role_assignment(assignment)
    return world.vault.subscription_id


def config_of(terminal: Terminal) -> str:
    """Write a settings file of the deployment."""
    settings, path = terminal.world.house.settings, terminal.folder / "certworker.toml"
    path.write_text(
        f'database_url = "{settings.database_url}"\n[seal]\nmaster_key_file = "{settings.seal.master_key_file}"\n'
        f'[audit]\nfolder = "{settings.audit.folder}"\n'
    )
    return str(path)


def test_whoever_may_searches_the_log(terminal: Terminal, log: AuditLog, clock: FakeClock) -> None:
    """Records come the newest first, by what is asked for; what others wrote into them does nothing to the terminal."""
    for operation, failed in (("SecretGet", ""), ("KeySign", "Forbidden"), ("SecretGet", "")):
        write(terminal, log, operation, failed)
    refused = terminal.try_("audit", "search")
    assert (refused.code, "Storage Blob Data Reader" in refused.err) == (4, True)
    subscription = allow(terminal)
    said = terminal("audit", "search")
    assert [row[1:4] for row in said.table()] == [
        ["Success", "200", "SecretGet"],
        ["Failure", "403", "KeySign"],
        ["Success", "200", "SecretGet"],
    ]
    assert ESCAPE not in said.out
    (found,) = terminal("audit", "search", "--result", "failure", "--caller", "somebody", "--json").json
    assert found["operationName"] == "KeySign"
    since = f"{clock():%Y-%m-%dT%H:%M:%SZ}"
    assert len(terminal("audit", "search", "--subscription", subscription, "--since", since).table()) == 1
    assert len(terminal("audit", "search", "--until", since, "--limit", "2", "--vault", "contoso").table()) == 2
    assert terminal.try_("audit", "search", "--since", "yesterday").code == 1
    assert terminal.try_("audit", "search", "--result", "Refused").code == 1
    assert terminal.try_("audit", "search", "--store", "/subscriptions/x").code != 0


def test_the_machine_reads_its_files(terminal: Terminal, log: AuditLog) -> None:
    """With the settings file no log-in is needed; the newest record stands last."""
    for operation in ("SecretGet", "KeySign", "KeyGet"):
        write(terminal, log, operation)
    said = terminal.bare("audit", "tail", "-n", "2", "--config", config_of(terminal))
    assert [line.split()[3] for line in said.out.splitlines()] == ["KeySign", "KeyGet"]
    lines = terminal.bare("audit", "tail", "-n", "1", "--json", "-c", config_of(terminal)).out.splitlines()
    assert [json.loads(line)["operationName"] for line in lines] == ["KeyGet"]


def test_tail_follows(terminal: Terminal, log: AuditLog) -> None:
    """Each record is shown once, as it comes."""
    write(terminal, log, "SecretGet")
    command = [sys.executable, "-m", "certworker.cli.main", "audit", "tail", "-f", "--json", "-c", config_of(terminal)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            shown = [json.loads(process.stdout.readline())["operationName"]]
            for operation in ("KeySign", "KeyGet"):
                write(terminal, log, operation)
                shown.append(json.loads(process.stdout.readline())["operationName"])
        finally:
            process.kill()
    assert shown == ["SecretGet", "KeySign", "KeyGet"]


def test_verify_ends_with_1_on_a_finding(terminal: Terminal, log: AuditLog, tmp_path: Path) -> None:
    """Against the database, or against a file of heads; each finding is told."""
    for _ in range(5):
        write(terminal, log, "SecretGet")
    log.sync()
    log.put_head()
    config, folder = config_of(terminal), terminal.world.house.settings.audit.folder
    said = terminal.bare("audit", "verify", "-c", config)
    assert said.code == 0, said
    assert "6 records (1-6" in said.out
    assert "not closed; a power cut may have cost 1000 records at most" in said.out
    heads = tmp_path / "heads.json"
    heads.write_text(terminal.bare("audit", "heads", "-c", config).out)
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes().replace(b"SecretGet", b"SecretSet", 1))
    for where in (("-c", config), ("--folder", str(folder), "--heads", str(heads)), ("--folder", str(folder))):
        said = terminal.bare("audit", "verify", *where)
        assert said.code == 1
        assert "WRONG: " in said.out
        assert "record 2" in said.out
    assert terminal.bare("audit", "verify", "-c", config, "--json").json["passed"] is False
    assert terminal.bare("audit", "verify").code == 2
    assert terminal.bare("audit", "verify", "--folder", str(tmp_path / "nowhere")).code == 6


def test_the_key_can_be_changed(terminal: Terminal, log: AuditLog) -> None:
    """What the older key signed still counts."""
    write(terminal, log, "SecretGet")
    config = config_of(terminal)
    assert "from the next start" in terminal.bare("audit", "rotate-key", "-c", config).out
    assert terminal.bare("audit", "verify", "-c", config).code == 0
