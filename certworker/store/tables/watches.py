"""Watches, with the lease of whoever looks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import KindText, MappingText, OrderedText, Serial, UnixTime, WatchText
from certworker.store.tables.row import LEASED, Row, Values, belongs_to, table_of
from certworker.vault.objects import ObjectKind, fold_name
from certworker.vault.watches import Watch, WatchKind


class WatchRow(Row, table=True):
    """A watch over a certificate. `number` lets a claim name one row with one value."""

    __tablename__ = "watch"
    __table_args__ = (
        belongs_to("head", "vault_id", "kind", "folded"),
        UniqueConstraint("what", "vault_id", "folded"),
        Index("ix_watch_what_due_at", "what", "due_at"),
        Index("ix_watch_what_lease_until", "what", "lease_until", sqlite_where=LEASED, postgresql_where=LEASED),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    what: WatchKind = Field(sa_type=WatchText)
    vault_id: str
    folded: str = Field(sa_type=OrderedText)
    kind: ObjectKind = Field(sa_type=KindText)
    name: str
    version: str
    due_at: datetime | None = Field(sa_type=UnixTime)
    state: Mapping[str, str] = Field(sa_type=MappingText)
    lease_owner: str | None
    lease_until: datetime | None = Field(sa_type=UnixTime)
    fence: int


WATCH = table_of(WatchRow)


def watch_record(row: Found[Any]) -> Watch:
    """Make the record of a watch."""
    return Watch(
        kind=row.what,
        vault_id=row.vault_id,
        name=row.name,
        version=row.version,
        due_at=row.due_at,
        state=row.state,
        fence=row.fence,
    )


def watch_values(watch: Watch) -> Values:
    """Make the row of a watch, without lease and fence."""
    return {
        "what": watch.kind,
        "vault_id": watch.vault_id,
        "folded": fold_name(watch.name),
        "kind": ObjectKind.CERTIFICATE,
        "name": watch.name,
        "version": watch.version,
        "due_at": watch.due_at,
        "state": watch.state,
    }
