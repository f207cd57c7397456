"""The fleet: every live certificate, for the live view and the operators' page."""

from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from certworker.vault.events import Event
from certworker.vault.store import Store
from certworker.vault.summary.keeping import Summary
from certworker.vault.summary.members import state_of
from certworker.vault.summary.records import FleetEntry, Member, State


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


_WORDS: Final = MappingProxyType({state: Standing[state.name] for state in State if state.name in Standing.__members__})


def standing(entry: FleetEntry, at: datetime) -> Standing:
    """Say how a certificate stands at `at`; of a revocation it knows nothing."""
    if entry.not_after is not None and entry.not_after <= at:
        return Standing.EXPIRED
    return _WORDS[state_of(entry)]


class Fleet:
    """Looks over all vaults. For the service's own surfaces; it asks for no caller, and tells no key and no secret."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._summary = Summary(store)

    def entries(self) -> tuple[FleetEntry, ...]:
        """List every live certificate by vault and name."""
        with self._store.reading() as reader:
            return reader.fleet()

    def most_urgent(self, limit: int) -> tuple[tuple[Member, ...], int]:
        """List the certificates that need somebody first, and tell how many there are in all."""
        self._summary.hurry()
        with self._store.reading() as reader:
            return reader.members(limit), reader.count_members()

    def events(self, after: int, limit: int = 100) -> tuple[Event, ...]:
        """List events in order, after the sequence number `after`."""
        with self._store.reading() as reader:
            return reader.events(after, limit)

    def last_event(self) -> int:
        """Tell the highest sequence number of the events."""
        with self._store.reading() as reader:
            return reader.last_event()
