"""A clock that moves only when it is told to."""

from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """A `Clock` for tests: call it and it tells the time, always aware and in UTC."""

    def __init__(self, at: datetime = START) -> None:
        self.set(at)

    def __call__(self) -> datetime:
        """Tell the time, which is the same until somebody moves it."""
        return self._at

    def advance(self, by: timedelta) -> datetime:
        """Move on by so much (or back, as the wall clock of a machine can), and tell the new time."""
        self.set(self._at + by)
        return self._at

    def set(self, at: datetime) -> None:
        """Jump to a time. Raises ValueError if it does not say its time zone."""
        if at.tzinfo is None:
            raise ValueError(f"{at} does not say its time zone: aware UTC everywhere")
        self._at = at.astimezone(UTC)
