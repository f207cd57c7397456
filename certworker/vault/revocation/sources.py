"""Where it is told what was revoked: lists (RFC 5280 section 5), responders (RFC 6960), and who signs them.

One list serves all the certificates that point to it, so lists are kept, by URL, and refreshed by a round of their own.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

LEEWAY: Final = timedelta(minutes=5)
"""By so much may the clock of who dates a list or an answer be ahead of this one."""


class SourceKind(StrEnum):
    """What is at a URL."""

    LIST = "list"
    RESPONDER = "responder"
    ISSUER = "issuer"


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of a URL. `body` is the last good answer in DER, empty before the first, and always for responders.

    `signer` tells apart what is expected there by certificates of different origin: one that names somebody else's list must
    not spoil it for others. `issuer` is the certificate, in DER, of who signs a list. `due_at` is when it is to be asked next:
    after a failure, not before. `failures` are those in a row, `failing_since` the first of them. `used_at` is about when a
    certificate needed it.
    """

    kind: SourceKind
    url: str
    due_at: datetime | None
    used_at: datetime
    signer: str = ""
    issuer: bytes = b""
    body: bytes = b""
    etag: str | None = None
    last_modified: str | None = None
    number: int | None = None
    next_update: datetime | None = None
    fetched_at: datetime | None = None
    failures: int = 0
    last_error: str | None = None
    failing_since: datetime | None = None
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL was answered with."""

    body: bytes
    etag: str | None = None
    last_modified: str | None = None


class Fetcher(Protocol):
    """The way to what certificates name. Every method raises Unavailable, EgressRefused, and BadParameter for no URL."""

    def fetch(self, url: str, etag: str | None = None, last_modified: str | None = None) -> Fetched | None:
        """Get what is at a URL; none where it is still what it was."""

    def ask(self, url: str, request: bytes) -> bytes:
        """Send a request of OCSP to a responder, and give its answer."""


class SourceReader(Protocol):
    """What can be asked of sources; a part of the port to the database."""

    def source(self, kind: SourceKind, url: str, signer: str = "") -> Source | None:
        """Find what is known of a URL, without the body: lists can be large."""

    def source_body(self, kind: SourceKind, url: str, signer: str = "") -> bytes:
        """Give the last good answer of a URL; empty before the first."""

    def sources(self, kind: SourceKind) -> tuple[Source, ...]:
        """List what is known, by URL, without the bodies."""

    def next_source(self) -> datetime | None:
        """Tell when the next list is to be refreshed; what is under a lease, when that runs out."""


class SourceWriter(SourceReader, Protocol):
    """What can be changed in sources, inside one transaction."""

    def add_source(self, source: Source) -> None:
        """Add a source, unless it is known."""

    def claim_source(self, place: tuple[str, str] | None, owner: str, at: datetime, lease: timedelta) -> Source | None:
        """Claim a list that is due at `at` and under no lease: that of a URL and a signer, or what has waited the longest."""

    def set_source(self, source: Source) -> None:
        """Record what came, under the fence that the list was claimed with; the lease ends. Raises LeaseLost."""

    def put_source(self, source: Source) -> None:
        """Add or replace a source, whoever holds it."""

    def use_sources(self, urls: Collection[str], at: datetime) -> None:
        """Note that sources are still needed."""

    def delete_unused_sources(self, before: datetime) -> int:
        """Forget what nothing has needed since a time; give the count."""

    def pull_source_in(self, url: str, signer: str, at: datetime) -> None:
        """Let the list at a URL fall due at `at`."""

    def pull_sources_in(self, at: datetime, latest: datetime) -> int:
        """Let those lists fall due at `at` that are due after `latest`: the clock has gone back. Give their count."""
