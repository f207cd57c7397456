"""The round of history: what lies long behind is forgotten, so that a database has an end however long it runs."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.vault.history import HistoryReader, HistoryWriter
from certworker.worker.round import Group, Round

FORGETTING_INTERVAL: Final = timedelta(hours=1)
MOST_BATCHES: Final = 50
BATCH: Final = 500
"""So many rows are looked at, and deleted with their journals, in one transaction: on SQLite others wait for it."""

_End = Callable[[HistoryReader, datetime, datetime, int, int], int | None]
_Forget = Callable[[HistoryWriter, datetime, int, int], int]


def forgetting(house: House, _owner: str) -> Round:
    """Forget events that everybody has read, and operations that have ended."""
    kept = timedelta(days=house.settings.history.keep_days)
    events = _Walk(
        house, lambda reader, *place: reader.end_of_events(*place), lambda writer, *span: writer.forget_events(*span)
    )
    operations = _Walk(
        house, lambda reader, *place: reader.end_of_operations(*place), lambda writer, *span: writer.forget_operations(*span)
    )

    def run(at: datetime) -> int:
        at = whole_second(at)
        return events.go_on(at - kept, at) + operations.go_on(at - kept, at)

    return Round("forgetting", Group.UPKEEP, run if kept else lambda _: 0, interval=FORGETTING_INTERVAL)


class _Walk:
    """Goes through what is old, and begins anew where that ends: some is kept, and is passed over each time."""

    def __init__(self, house: House, end: _End, forget: _Forget) -> None:
        self._house = house
        self._end = end
        self._forget = forget
        self._after = 0

    def go_on(self, before: datetime, at: datetime) -> int:
        """Look at some more; count what was deleted."""
        forgotten = 0
        for _ in range(MOST_BATCHES):
            with self._house.store.reading() as reader:
                last = self._end(reader, before, at, self._after, BATCH)
            if last is None:
                self._after = 0
                break
            with self._house.store.writing() as writer:
                forgotten += self._forget(writer, before, self._after + 1, last)
            self._after = last
        return forgotten
