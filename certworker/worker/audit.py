"""The rounds of the audit log: what transactions have recorded goes into the log, and files whose time is over are deleted."""

from datetime import UTC, datetime, timedelta
from typing import Final

from certworker.audit.draining import Drain
from certworker.audit.log import AuditLog
from certworker.audit.notary import Notary
from certworker.audit.pruning import prune
from certworker.bootstrap import House
from certworker.errors import AuditUnavailable
from certworker.vault.store import Reader
from certworker.worker.round import Group, Round

PRUNING_INTERVAL = timedelta(hours=1)
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


def draining(house: House, owner: str) -> Round:
    """Drain the records that wait. Where this process keeps no log, they wait for one that does."""
    log = house.trail
    if not isinstance(log, AuditLog):
        return Round("audit-draining", Group.AUDIT, lambda _: 0, interval=PRUNING_INTERVAL)
    drain = Drain(house.store, log, owner, house.clock)

    def due(reader: Reader) -> datetime | None:
        return _LONG_AGO if reader.pending_records(1) else None

    return Round("audit-draining", Group.AUDIT, lambda _: drain.run(), due)


def pruning(house: House, _owner: str) -> Round:
    """Delete files of the log whose time is over."""
    if not isinstance(house.trail, AuditLog) or not house.settings.audit.keep_days:
        return Round("audit-pruning", Group.AUDIT, lambda _: 0, interval=PRUNING_INTERVAL)
    notary, settings = Notary(house.store, house.keyring, house.clock), house.settings.audit

    def run(at: datetime) -> int:
        try:
            return prune(settings.folder, house.store, notary, at, timedelta(days=settings.keep_days))
        except OSError as error:
            raise AuditUnavailable(f"The audit log's files cannot be looked through: {error.strerror}.") from error

    return Round("audit-pruning", Group.AUDIT, run, interval=PRUNING_INTERVAL)
