"""The clock: the only place of the simulated authority that reads the time.

What is delayed has a time at which it is ready, and every look computes the state from the clock. So the same code serves
in real time, many times as fast, or stepped by a test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Gives the time as an aware UTC datetime of whole seconds."""

FASTEST = 1_000_000.0
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9500, 1, 1, tzinfo=UTC)
"""Where virtual time ends: X.509 knows no year before 1950 and none after 9999, and what is issued reaches beyond the time."""


def utc_now() -> datetime:
    """Give the real time in UTC, cut to the whole second that certificates and ACME objects hold."""
    return precise_now().replace(microsecond=0)


def precise_now() -> datetime:
    """Give the real time in UTC, to the microsecond: what runs many times as fast must not jump by as many seconds."""
    return datetime.now(UTC)  # noqa: TID251 - this is the clock


@dataclass(frozen=True, slots=True)
class Anchor:
    """A moment at which both times were known: from there, virtual time runs `speed` times as fast as the real one."""

    virtual: datetime
    real: datetime
    speed: float


class VirtualClock:
    """The time of what is issued. Speed 1 is real time, possibly shifted; 0 stands still until it is moved.

    At the ends of virtual time it stands still too.
    """

    def __init__(self, real: Clock = precise_now, *, anchor: Anchor | None = None) -> None:
        self._real = real
        self._anchor = anchor

    def __call__(self) -> datetime:
        """Tell the virtual time, in whole seconds."""
        return self._precise().replace(microsecond=0)

    @property
    def speed(self) -> float:
        """Tell how many times as fast as real time it runs."""
        return 1.0 if self._anchor is None else self._anchor.speed

    @property
    def anchor(self) -> Anchor:
        """Give the anchor that it goes by from now on; kept over a restart, time goes on as if it had never stopped."""
        return self._anchor or Anchor(self._precise(), self._real(), 1.0)

    def set(self, at: datetime | None = None, speed: float | None = None, by: timedelta = timedelta(0)) -> None:
        """Jump to a time, move on by so much (or back), change the speed: any of them, or nothing if one cannot be done.

        Raises ValueError for a speed that is no such thing, a naive time, and one before EARLIEST or after LATEST, and
        OverflowError beyond what a calendar holds.
        """
        if at is not None and at.tzinfo is None:
            raise ValueError("the time needs a zone, such as Z")
        if speed is not None and not 0 <= speed <= FASTEST:
            raise ValueError(f"the speed is between 0 (stands still) and {FASTEST:g}")
        virtual = (self._precise() if at is None else at) + by
        if not EARLIEST <= virtual <= LATEST:
            raise ValueError(f"the time is between {EARLIEST.isoformat()} and {LATEST.isoformat()}")
        self._anchor = Anchor(virtual.astimezone(UTC), self._real(), self.speed if speed is None else speed)

    def advance(self, by: timedelta) -> datetime:
        """Move on (or back) by so much, and tell the new time. Raises ValueError and OverflowError as `set` does."""
        self.set(by=by)
        return self()

    def _precise(self) -> datetime:
        if self._anchor is None:
            return self._real()
        passed = self._real() - self._anchor.real
        try:
            return min(max(self._anchor.virtual + passed * self._anchor.speed, EARLIEST), LATEST)
        except OverflowError:
            return LATEST if passed > timedelta(0) else EARLIEST
