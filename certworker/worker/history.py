"""The round of history: what lies long behind is forgotten, so that a database has an end however long it runs."""

from datetime import datetime, timedelta
from typing import Final

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.worker.round import Group, Round

FORGETTING_INTERVAL: Final = timedelta(hours=1)
MOST_BATCHES: Final = 50
BATCH: Final = 500
"""So many rows, and the journals of operations, go in one transaction: on SQLite others wait for it."""


def forgetting(house: House, _owner: str) -> Round:
    """Forget events that everybody has read, and operations that have ended."""
    kept = timedelta(days=house.settings.history.keep_days)
    walk = _Walk(house)

    def run(at: datetime) -> int:
        before = whole_second(at) - kept
        return _forget_events(house, before) + walk.go_on(before)

    return Round("forgetting", Group.UPKEEP, run if kept else lambda _: 0, interval=FORGETTING_INTERVAL)


def _forget_events(house: House, before: datetime) -> int:
    """Delete old events, some at the most; count."""
    with house.store.reading() as reader:
        if not reader.has_events_before(before):
            return 0
    forgotten = 0
    for _ in range(MOST_BATCHES):
        with house.store.writing() as writer:
            count = writer.forget_events(before, BATCH)
        forgotten += count
        if count < BATCH:
            break
    return forgotten


class _Walk:
    """Goes through the old operations, and begins anew where they end: some are kept, and are passed over each time."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._after = 0

    def go_on(self, before: datetime) -> int:
        """Look at some more; count what was deleted."""
        forgotten = 0
        for _ in range(MOST_BATCHES):
            with self._house.store.reading() as reader:
                last = reader.end_of_operations(before, self._after, BATCH)
            if last is None:
                self._after = 0
                break
            with self._house.store.writing() as writer:
                forgotten += writer.forget_operations(before, self._after + 1, last)
            self._after = last
        return forgotten
