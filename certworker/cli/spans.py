"""Times and spans of time, as the status says them."""

from datetime import UTC, datetime
from typing import Final

SECONDS_A_MINUTE: Final = 60


def time_in(seconds: float) -> datetime:
    """Read the wire's seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def span(start: datetime, end: datetime) -> str:
    """Say how long it is, in the two largest units, or one where the other is none."""
    seconds = max(int((end - start).total_seconds()), 0)
    if seconds < SECONDS_A_MINUTE:
        return f"{seconds} s"
    return " ".join(f"{number} {unit}" for number, unit in _units(seconds) if number)


def _units(seconds: int) -> tuple[tuple[int, str], ...]:
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    return ((days, "d"), (hours, "h")) if days else ((hours, "h"), (minutes, "min"))
