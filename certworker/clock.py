"""The clock: the only place that reads the time."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC datetime. Made in `bootstrap`, handed on, and never reached for."""


def utc_now() -> datetime:
    """Tell the real time, in UTC."""
    return datetime.now(UTC)  # noqa: TID251


def whole_second(at: datetime) -> datetime:
    """Cut `at` to whole seconds, the resolution of the store and of the wire."""
    return at.replace(microsecond=0)
