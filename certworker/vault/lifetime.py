"""Pauses before an attempt is made again, and the calendar of validity: pure functions."""

import calendar
from datetime import datetime, timedelta

from certworker.clock import whole_second
from certworker.vault.operations import back_off

SHORTEST_PAUSE = timedelta(seconds=10)
"""A CA is not asked for the same certificate more often, however little time is left."""
LONGEST_PAUSE_EXPIRED = timedelta(minutes=30)
"""Something is down without it: a CA that is back finds out by then."""
BACK_DATE = timedelta(minutes=10)
"""A self-signed certificate is valid from a little before its making, for the sake of clocks that lag."""


def next_attempt(failures: int, at: datetime, not_after: datetime | None, *, configuration: bool = False) -> datetime:
    """Say when to try again after `failures` failures in a row.

    Back-off is 1, 10, 100 minutes, then a day; a mistake in the set-up goes to a day at once. While the certificate is valid,
    no wait is longer than a tenth of the time that it has left; once it has expired, what may pass is tried again soon.
    """
    wait = timedelta(days=1) if configuration else back_off(failures)
    if not_after is not None and not_after > at:
        wait = min(wait, pause_after(not_after - at))
    elif not_after is not None and not configuration:
        wait = min(wait, LONGEST_PAUSE_EXPIRED)
    return whole_second(at + wait)


def pause_after(left: timedelta) -> timedelta:
    """Say how long a CA is left alone about a certificate that has so much time left: a tenth of it, but 10 seconds."""
    return max(left / 10, SHORTEST_PAUSE)


def self_signed_validity(at: datetime, months: int) -> tuple[datetime, datetime]:
    """Give the validity of a self-signed certificate that is made at `at`: a little before it, and calendar months after."""
    at = whole_second(at)
    return at - BACK_DATE, add_months(at, months)


def add_months(at: datetime, months: int) -> datetime:
    """Go `months` ahead in the calendar; the last day of a month stays the last where the day does not exist."""
    year, month = divmod(at.month - 1 + months, 12)
    year, month = at.year + year, month + 1
    return at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1]))
