"""The fleet: every live certificate, for the live view, the metrics and the plan."""

from datetime import datetime
from enum import StrEnum

from certworker.vault.events import Event
from certworker.vault.operations import OperationStatus
from certworker.vault.store import FleetEntry, Store


class Standing(StrEnum):
    """How a certificate stands, in the words that people are shown; what asks for the most comes first."""

    EXPIRED = "EXPIRED"
    DISABLED = "disabled"
    RENEWING = "renewing"
    PAUSED = "renewal paused"
    RENEWAL_FAILED = "renewal failed"
    VALID = "valid"
    WAITS_FOR_SIGNATURE = "waits for its signature"
    BEING_ISSUED = "being issued"
    FAILED = "failed"
    EMPTY = "has no version"


def standing(entry: FleetEntry, at: datetime) -> Standing:
    """Say how a certificate stands at `at`."""
    if entry.not_after is None:
        return _standing_without_version(entry)
    found = (
        (entry.not_after <= at, Standing.EXPIRED),
        (not entry.enabled, Standing.DISABLED),
        (entry.operation_status is OperationStatus.IN_PROGRESS, Standing.RENEWING),
        (entry.renewal.pause is not None, Standing.PAUSED),
        (entry.renewal.failures > 0, Standing.RENEWAL_FAILED),
    )
    return next((word for holds, word in found if holds), Standing.VALID)


def _standing_without_version(entry: FleetEntry) -> Standing:
    if entry.operation_status is OperationStatus.IN_PROGRESS:
        return Standing.WAITS_FOR_SIGNATURE if entry.operation_due_at is None else Standing.BEING_ISSUED
    return Standing.FAILED if entry.operation_status is OperationStatus.FAILED else Standing.EMPTY


class Fleet:
    """Looks over all vaults. For the service's own surfaces; it asks for no caller, and tells no key and no secret."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def entries(self) -> tuple[FleetEntry, ...]:
        """List every live certificate by vault and name."""
        with self._store.reading() as reader:
            return reader.fleet()

    def events(self, after: int, limit: int = 100) -> tuple[Event, ...]:
        """List events in order, after the sequence number `after`."""
        with self._store.reading() as reader:
            return reader.events(after, limit)

    def last_event(self) -> int:
        """Tell the highest sequence number of the events."""
        with self._store.reading() as reader:
            return reader.last_event()
