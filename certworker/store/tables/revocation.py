"""What tells of revocations, with the lease of whoever refreshes it, and the keys that are never used again."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import OrderedText, Serial, SourceText, UnixTime
from certworker.store.tables.row import Row, Values, table_of
from certworker.vault.revocation.compromised import CompromisedKey
from certworker.vault.revocation.sources import Source, SourceKind


class RevocationSourceRow(Row, table=True):
    """A URL that tells of revocations. A list's number has up to 20 octets (RFC 5280 section 5.2.3), and so is a text."""

    __tablename__ = "revocation_source"
    __table_args__ = (
        UniqueConstraint("kind", "url", "signer"),
        Index("ix_revocation_source_kind_due_at", "kind", "due_at"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    kind: SourceKind = Field(sa_type=SourceText)
    url: str = Field(sa_type=OrderedText)
    due_at: datetime | None = Field(sa_type=UnixTime)
    used_at: datetime = Field(sa_type=UnixTime)
    signer: str
    issuer: bytes
    body: bytes
    etag: str | None
    last_modified: str | None
    list_number: str | None
    next_update: datetime | None = Field(sa_type=UnixTime)
    fetched_at: datetime | None = Field(sa_type=UnixTime)
    failures: int
    last_error: str | None
    failing_since: datetime | None = Field(sa_type=UnixTime)
    lease_owner: str | None
    lease_until: datetime | None = Field(sa_type=UnixTime)
    fence: int


class CompromisedKeyRow(Row, table=True):
    """A compromised key, by the SHA-256 of its public half. It belongs to nothing: it outlives what it was found with."""

    __tablename__ = "compromised_key"

    digest: str = Field(primary_key=True)
    since: datetime = Field(sa_type=UnixTime)
    vault_id: str
    name: str
    version: str


REVOCATION_SOURCE = table_of(RevocationSourceRow)
COMPROMISED_KEY = table_of(CompromisedKeyRow)


def source_record(row: Found[Any], body: bytes | None = None) -> Source:
    """Make the record of a source; `body` where the row has none."""
    return Source(
        kind=row.kind,
        url=row.url,
        due_at=row.due_at,
        used_at=row.used_at,
        signer=row.signer,
        issuer=row.issuer,
        body=row.body if body is None else body,
        etag=row.etag,
        last_modified=row.last_modified,
        number=None if row.list_number is None else int(row.list_number, 16),
        next_update=row.next_update,
        fetched_at=row.fetched_at,
        failures=row.failures,
        last_error=row.last_error,
        failing_since=row.failing_since,
        fence=row.fence,
    )


def source_values(source: Source) -> Values:
    """Make the row of a source, without lease and fence."""
    return {
        "kind": source.kind,
        "url": source.url,
        "due_at": source.due_at,
        "used_at": source.used_at,
        "signer": source.signer,
        "issuer": source.issuer,
        "body": source.body,
        "etag": source.etag,
        "last_modified": source.last_modified,
        "list_number": None if source.number is None else f"{source.number:x}",
        "next_update": source.next_update,
        "fetched_at": source.fetched_at,
        "failures": source.failures,
        "last_error": source.last_error,
        "failing_since": source.failing_since,
    }


def compromised_record(row: Found[Any]) -> CompromisedKey:
    """Make the record of a compromised key."""
    return CompromisedKey(row.digest, row.since, row.vault_id, row.name, row.version)


def compromised_values(key: CompromisedKey) -> Values:
    """Make the row of a compromised key."""
    return {"digest": key.digest, "since": key.since, "vault_id": key.vault_id, "name": key.name, "version": key.version}
