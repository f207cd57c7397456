"""The clock: the only place of the simulated authority that reads the time."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time as an aware UTC datetime of whole seconds."""


def utc_now() -> datetime:
    """Give the real time in UTC, cut to the whole second that certificates and ACME objects hold."""
    return datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - this is the clock
