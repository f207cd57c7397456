"""What a CA's answers come to, whichever protocol it speaks: Key Vault's words, texts fit for a journal, times to ask again."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from certworker.errors import Unavailable
from certworker.network.retry_after import retry_time
from certworker.vault.issuance import Trouble

__all__ = [
    "A_WHILE",
    "ISSUER_ERROR",
    "LONGEST_TEXT",
    "REASONS",
    "REQUEST_REJECTED",
    "Garbled",
    "bad_reason",
    "clean",
    "one_line",
    "read_time",
    "retry_time",
]

ISSUER_ERROR = "Certificate issuer error"
REQUEST_REJECTED = "Request rejected"
"""Key Vault's two words for an issuance that failed."""

REASONS: Mapping[int, str] = MappingProxyType(
    {0: "unspecified", 1: "keyCompromise", 3: "affiliationChanged", 4: "superseded", 5: "cessationOfOperation"}
)
"""What a certificate's owner can give as a reason of a revocation (RFC 5280 section 5.3.1)."""

REQUEST_TIMEOUT, TOO_MANY_REQUESTS, SERVER_ERRORS, BAD_GATEWAY = 408, 429, 500, 502
LONGEST_TEXT = 1000
A_WHILE = timedelta(minutes=1)
"""When to ask a CA again that does not say."""


def bad_reason(reason: int) -> str:
    """Say that a reason is not one that a certificate's owner can give, and which are."""
    known = ", ".join(f"{word} ({code})" for code, word in REASONS.items())
    return f"The reason {reason} is not one that a certificate's owner can give: those are {known}."


class Garbled(Unavailable):
    """The CA's answer makes no sense, or is no answer of its protocol at all."""

    code = "garbled_answer"

    def __init__(self, message: str, status: int = 0, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_header = retry_after

    @property
    def trouble(self) -> Trouble:
        """What it tells of the CA: who makes no sense is as good as away."""
        return trouble_of_status(self.status) or Trouble.OUTAGE


def trouble_of_status(status: int) -> Trouble | None:
    """Tell from an HTTP status whether something is wrong with the CA as a whole."""
    if status == TOO_MANY_REQUESTS:
        return Trouble.THROTTLED
    if status >= BAD_GATEWAY or status == REQUEST_TIMEOUT:
        # 502 to 504, and what proxies have of their own above them: no order came as far as to be looked at
        return Trouble.UNREACHABLE
    return Trouble.OUTAGE if status >= SERVER_ERRORS else None


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """Make a CA's words fit for a journal: on one line, not too long, and without `secrets`."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "...")
    text = one_line(text)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "..."


def one_line(text: str) -> str:
    """Put a CA's words on one line, which reads as it is written.

    What is not to be seen may break a line or turn its text round, and half of a surrogate pair cannot be stored at all.
    """
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text[: LONGEST_TEXT * 4]).split())


def read_time(value: object) -> datetime | None:
    """Read a time of RFC 3339; none for what is none, or is none in UTC."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
        return time.astimezone(UTC) if time and time.tzinfo else None
    except (ValueError, OverflowError):
        return None
