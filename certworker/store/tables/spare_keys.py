"""Spare keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import Serial, UnixTime
from certworker.store.tables.row import Row, Values, table_of
from certworker.vault.spare_keys import SpareKey


class SpareKeyRow(Row, table=True):
    """A key that belongs to nothing yet; the lowest `number` of a kind is taken first."""

    __tablename__ = "spare_key"
    __table_args__ = (
        UniqueConstraint("id"),
        Index("ix_spare_key_kind_number", "kind", "number"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    id: str
    kind: str
    sealed_key: bytes
    created: datetime = Field(sa_type=UnixTime)


SPARE_KEY = table_of(SpareKeyRow)


def spare_key_record(row: Found[Any]) -> SpareKey:
    """Make the record of a spare key."""
    return SpareKey(id=row.id, kind=row.kind, sealed_key=row.sealed_key, created=row.created)


def spare_key_values(key: SpareKey) -> Values:
    """Make the row of a spare key."""
    return {"id": key.id, "kind": key.kind, "sealed_key": key.sealed_key, "created": key.created}
