"""A deployment, and logs of processes that write for it; and a disk that fails."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from certworker.audit.files import ChainFiles, Rotation
from certworker.audit.log import AuditLog, Durability
from certworker.audit.notary import Notary
from certworker.audit.opening import lines_by
from certworker.audit.outputs import Begin
from certworker.audit.statements import Instance
from certworker.audit.verifying import Verification, verify
from certworker.audit.witness import read_witness
from certworker.settings import AuditSettings
from certworker.vault.audit.record import AuditRecord, Result
from certworker.vault.rights.scopes import vault_scope
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment

HOST = "host"


@dataclass(frozen=True)
class Ledger:
    """A deployment with a folder for its log."""

    deployment: Deployment
    folder: Path

    @property
    def notary(self) -> Notary:
        """Who signs."""
        house = self.deployment.house
        return Notary(house.store, house.keyring, house.clock)

    def log(self, begin: Begin | None = None, **settings: object) -> AuditLog:
        """Begin the log of a process."""
        wanted = AuditSettings.model_validate({"folder": self.folder, **settings})
        instance = Instance(HOST, 1, "api", wanted.unsynced_records)
        durability = Durability(wanted.sync == "each", wanted.group_milliseconds / 1000, wanted.unsynced_records)
        return AuditLog(begin or lines_by(wanted, instance), self.notary, instance, durability, self.deployment.house.clock)

    def record(self, number: int, **changes: object) -> AuditRecord:
        """Make a record of a read."""
        house, vault = self.deployment.house, self.deployment.vault
        identifier = f"{number:08d}-0000-4000-8000-000000000000"
        url = f"https://{vault.name}.vault.localhost/secrets/secret-{number}"
        values: dict[str, object] = {"identity": {"oid": "somebody", "appid": "an-app"}, "object_id": url, **changes}
        return AuditRecord(identifier, house.clock(), "SecretGet", vault_scope(vault), Result.SUCCESS, 200, **values)  # type: ignore[arg-type]

    def write(self, count: int, begin: int = 0, **settings: object) -> None:
        """Let a process write records, and end in order."""
        log = self.log(None, **settings)
        for number in range(begin, begin + count):
            log.append(self.record(number))
        log.close()

    def verify(self, *, all_hosts: bool = False) -> Verification:
        """Verify against the database."""
        witness = read_witness(self.deployment.house.store, self.notary.broken_keys())
        return verify(self.folder, witness, HOST, all_hosts=all_hosts)

    def files(self) -> list[Path]:
        """List the files, the oldest first."""
        return sorted(self.folder.iterdir(), key=lambda path: (path.name[:15], int(path.stem.rpartition("-")[2])))


class FailingFiles(ChainFiles):
    """Files on a disk that fails when it is told to: the system call's error, in its place."""

    def __init__(self, folder: Path, chain_id: str, clock: FakeClock, failing: Callable[[], bool]) -> None:
        super().__init__(folder, chain_id, Rotation(1 << 20, timedelta(days=1)), clock())
        self._failing = failing

    def sync(self) -> None:
        """Fail, or do it."""
        if self._failing():
            raise OSError(5, "Input/output error")
        super().sync()
