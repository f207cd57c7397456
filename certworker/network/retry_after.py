"""When the other side wants to be asked again."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_WAIT: Final = timedelta(days=7)


def retry_time(header: str | None, at: datetime) -> datetime | None:
    """Read a Retry-After header (RFC 9110 section 10.2.3), seconds or a date; never before `at`, nor a week after it."""
    wait = _wait(header.strip(), at) if header else None
    return None if wait is None else at + min(max(wait, timedelta()), LONGEST_WAIT)


def _wait(header: str, at: datetime) -> timedelta | None:
    if header.isascii() and header.isdigit():
        return timedelta(seconds=int(header)) if len(header) < len("1000000000") else LONGEST_WAIT
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return date - at if date.tzinfo else None
