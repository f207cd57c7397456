"""The fleet: every live certificate, for the live view, the metrics and the plan."""

from certworker.vault.events import Event
from certworker.vault.store import FleetEntry, Store


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
