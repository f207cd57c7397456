"""The calls of a CA: how many of each kind, and by day."""

from collections import Counter
from datetime import datetime, timedelta

from certworker.clock import Clock

_DAY = timedelta(days=1)


class Calls:
    """Counts."""

    def __init__(self, start: datetime, clock: Clock) -> None:
        self._start = start
        self._clock = clock
        self.by_kind: Counter[str] = Counter()
        self.by_day: Counter[int] = Counter()

    def count(self, kind: str) -> None:
        """Count a call of a kind, now."""
        self.by_kind[kind] += 1
        self.by_day[(self._clock() - self._start) // _DAY] += 1
