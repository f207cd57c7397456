"""What became of a certificate, as far as those who can know it have said so."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from cryptography import x509

Source = Literal["crl", "ocsp", ""]


class Result(StrEnum):
    """The three answers. A certificate on hold counts as revoked."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A result and what it rests on.

    `why` is one sentence for people: for UNKNOWN, what is wrong. `reason` is the CRLReason in the words of RFC 5280
    section 5.3.1, None where none was given, or unspecified. `fresh_until` is when what it rests on runs out; None for UNKNOWN.
    """

    result: Result
    why: str
    reason: str | None = None
    revoked_at: datetime | None = None
    fresh_until: datetime | None = None
    source: Source = ""


def unknown(why: str, source: Source = "") -> Judgement:
    """Say that nothing is known, and why."""
    return Judgement(Result.UNKNOWN, why, source=source)


def good(told_by: str, fresh_until: datetime, source: Source) -> Judgement:
    """Say that a certificate is not revoked, says `told_by`."""
    return Judgement(Result.GOOD, f"Not revoked, says {told_by}.", fresh_until=fresh_until, source=source)


def revoked(
    told_by: str, revoked_at: datetime, flag: x509.ReasonFlags | None, fresh_until: datetime, source: Source
) -> Judgement:
    """Say that a certificate is revoked, or on hold, says `told_by`. Reason 0 is as good as none."""
    reason = None if flag in (None, x509.ReasonFlags.unspecified) else str(flag.value)
    since = f"{revoked_at:%Y-%m-%d %H:%M:%S} UTC"
    if flag is x509.ReasonFlags.certificate_hold:
        why = f"On hold since {since} ({reason}), which counts as revoked, says {told_by}."
    else:
        why = f"Revoked on {since}{f' ({reason})' if reason else ''}, says {told_by}."
    return Judgement(Result.REVOKED, why, reason, revoked_at, fresh_until, source)
