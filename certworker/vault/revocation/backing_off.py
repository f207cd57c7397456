"""When what has failed is asked again."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from certworker.errors import CertworkerError, Unavailable
from certworker.vault.revocation.sources import Source

FIRST: Final = timedelta(minutes=1)
LAST: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=1)
"""A Retry-After is kept up to this."""
_MOST_DOUBLINGS: Final = 10
_LONGEST_TEXT: Final = 500


def failed(source: Source, error: CertworkerError, at: datetime) -> Source:
    """Say that a source has failed once more; it is asked again in a minute, later in twice as long, up to an hour."""
    failures = source.failures + 1
    wait = min(FIRST * 2 ** min(source.failures, _MOST_DOUBLINGS), LAST)
    if isinstance(error, Unavailable) and error.retry_after:
        wait = min(max(wait, error.retry_after), LONGEST)
    since = min(source.failing_since or at, at)
    return replace(source, due_at=at + wait, failures=failures, last_error=str(error)[:_LONGEST_TEXT], failing_since=since)
