"""The facts of a message, by their names: what each is called for a person, and how its value is read.

A topic has those of them that are known; none is a must. Times are RFC 3339, or Unix seconds as events have them. A fact
that is not named here is shown as it is, under its own name.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from certworker.vault.notification.message import Message

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "issuer": "Issuer",
        "subject": "Subject",
        "names": "Names",
        "nbf": "Valid from",
        "exp": "Valid until",
        "threshold": "Threshold",
        "action": "Action",
        "renewal_at": "Renewal planned",
        "deadline": "Deadline",
        "since": "Since",
        "failures": "Failures",
        "next": "Next attempt",
        "until": "Until",
        "revoked_at": "Revoked at",
        "reason": "Reason",
        "code": "Error code",
        "error": "Error",
        "warnings": "Warnings",
        "about": "About",
        "source": "Source",
        "host": "Said by",
        "found_with": "Found with",
        "by": "By",
        "why": "Why",
        "from": "From",
        "to": "To",
        "versions": "Versions",
        "number": "Number",
    }
)
"""In the order in which they are shown."""

TIMES: Final = frozenset({"nbf", "exp", "renewal_at", "deadline", "since", "next", "until", "revoked_at"})
LONGEST: Final = 1000
LONGEST_LABEL: Final = 30
UNIX_DIGITS: Final = 12


def fact(message: Message, name: str) -> str:
    """Give a fact as it is shown on one line; empty where it is not known."""
    value = message.facts.get(name, "")
    at = moment(message, name) if name in TIMES else None
    return show_time(at, message.at) if at else one_line(value)


def known_facts(message: Message) -> tuple[tuple[str, str], ...]:
    """List the facts that are known, as label and value, in their order."""
    names = [*(name for name in LABELS if name in message.facts), *(name for name in message.facts if name not in LABELS)]
    shown = (
        (LABELS.get(name) or one_line(name.replace("_", " ").capitalize(), LONGEST_LABEL), fact(message, name))
        for name in names
    )
    return tuple((label, value) for label, value in shown if value)


def moment(message: Message, name: str) -> datetime | None:
    """Read a fact that is a time; none where it is not known, or is no time."""
    value = message.facts.get(name, "")
    try:
        if value.isascii() and value.isdigit() and len(value) <= UNIX_DIGITS:
            return datetime.fromtimestamp(int(value), UTC)
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None


def show_time(time: datetime, at: datetime) -> str:
    """Show a time in UTC, and how far from `at` it is."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({distance(time, at)})"


def distance(time: datetime, at: datetime) -> str:
    """Say how far a time is from `at`: `in 6 days`, `2 hours ago`."""
    left = time - at
    if abs(left) < timedelta(minutes=1):
        return "now"
    said = span(abs(left))
    return f"in {said}" if left > timedelta() else f"{said} ago"


def span(length: timedelta) -> str:
    """Say how long something is, in whole days, or hours under two days, or minutes under two hours."""
    for unit, size in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        if length >= 2 * size:
            return f"{length // size} {unit}s"
    minutes = max(1, length // timedelta(minutes=1))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def one_line(text: str, longest: int = LONGEST) -> str:
    """Put what somebody else wrote on one line that reads as it is written: what is not to be seen may turn a text round."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: longest * 4]).split())
    return line if len(line) <= longest else line[:longest] + "..."
