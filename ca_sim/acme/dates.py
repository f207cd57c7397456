"""The dates that an order may ask for (notBefore and notAfter, RFC 8555 section 7.4)."""

import re
from datetime import UTC, datetime, timedelta

from ca_sim.problems import MalformedError

SLACK = timedelta(hours=48)
"""How far notBefore may lie from now; the baseline requirements (7.1.2.7) do not let an authority go further."""
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def read_time(text: str, what: str) -> datetime:
    """Read an RFC 3339 time, cut to the whole second that a certificate holds. Raises MalformedError that names `what`."""
    try:
        found = datetime.fromisoformat(text.upper()) if _RFC_3339.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        raise MalformedError(f"{what} is not a time of RFC 3339, such as 2030-01-31T00:00:00Z")
    try:
        return found.astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise MalformedError(f"{what} is beyond what a calendar holds") from error


def check_dates(not_before: datetime | None, not_after: datetime | None, *, at: datetime, longest: timedelta) -> None:
    """Check that a certificate of these dates fits its profile, whose validity is `longest`. Raises MalformedError."""
    if not_before is not None and abs(not_before - at) > SLACK:
        raise MalformedError(f"notBefore lies more than {SLACK // timedelta(hours=1)} hours from now")
    start = not_before or at
    if not_after is None:
        return
    if not_after <= max(start, at):
        raise MalformedError("notAfter lies before notBefore or has passed")
    if not_after - start > longest:
        raise MalformedError(f"notAfter is later than the profile allows: {longest // timedelta(seconds=1)} seconds in all")
