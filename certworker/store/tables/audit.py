"""Audit records that are not in the log yet, who drains them, how far each chain of the log has come, and who signs that."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, UniqueConstraint
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import Serial, UnixTime
from certworker.store.tables.row import Row, Values, table_of
from certworker.vault.audit.port import AuditKey, ChainCut, ChainHead, PendingRecord


class AuditPendingRow(Row, table=True):
    """A record that waits to be drained into the log: its line of JSON."""

    __tablename__ = "audit_pending"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    text: str


class AuditHeadRow(Row, table=True):
    """The last signed head of a chain."""

    __tablename__ = "audit_head"

    chain_id: str = Field(primary_key=True)
    host: str
    key_id: str
    opened: datetime = Field(sa_type=UnixTime)
    at: datetime = Field(sa_type=UnixTime)
    sequence: int = Field(sa_type=BigInteger)
    hash: str
    signature: bytes
    closed: bool


class AuditCutRow(Row, table=True):
    """Up to where a chain's files were deleted because their time was over."""

    __tablename__ = "audit_cut"

    chain_id: str = Field(primary_key=True)
    key_id: str
    at: datetime = Field(sa_type=UnixTime)
    sequence: int = Field(sa_type=BigInteger)
    hash: str
    signature: bytes


class AuditKeyRow(Row, table=True):
    """A key that signs openings and heads; the highest `number` signs now."""

    __tablename__ = "audit_key"
    __table_args__ = (UniqueConstraint("id"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    id: str
    public_key: bytes
    sealed_key: bytes
    created: datetime = Field(sa_type=UnixTime)


class AuditDrainRow(Row, table=True):
    """Who drains the records that wait; one row."""

    __tablename__ = "audit_drain"

    name: str = Field(primary_key=True)
    lease_owner: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=UnixTime)


AUDIT_PENDING = table_of(AuditPendingRow)
AUDIT_HEAD = table_of(AuditHeadRow)
AUDIT_CUT = table_of(AuditCutRow)
AUDIT_KEY = table_of(AuditKeyRow)
AUDIT_DRAIN = table_of(AuditDrainRow)


def pending_record(row: Found[Any]) -> PendingRecord:
    """Make the record of one that waits."""
    return PendingRecord(number=row.number, text=row.text)


def chain_head_record(row: Found[Any]) -> ChainHead:
    """Make the record of a chain's head."""
    return ChainHead(
        chain_id=row.chain_id,
        host=row.host,
        key_id=row.key_id,
        opened=row.opened,
        at=row.at,
        sequence=row.sequence,
        hash=row.hash,
        signature=row.signature,
        closed=row.closed,
    )


def chain_head_values(head: ChainHead) -> Values:
    """Make the row of a chain's head."""
    return {
        "chain_id": head.chain_id,
        "host": head.host,
        "key_id": head.key_id,
        "opened": head.opened,
        "at": head.at,
        "sequence": head.sequence,
        "hash": head.hash,
        "signature": head.signature,
        "closed": head.closed,
    }


def chain_cut_record(row: Found[Any]) -> ChainCut:
    """Make the record of up to where a chain was deleted."""
    return ChainCut(row.chain_id, row.key_id, row.at, row.sequence, row.hash, row.signature)


def chain_cut_values(cut: ChainCut) -> Values:
    """Make the row of up to where a chain was deleted."""
    return {
        "chain_id": cut.chain_id,
        "key_id": cut.key_id,
        "at": cut.at,
        "sequence": cut.sequence,
        "hash": cut.hash,
        "signature": cut.signature,
    }


def audit_key_record(row: Found[Any]) -> AuditKey:
    """Make the record of a key that signs."""
    return AuditKey(row.id, row.public_key, row.sealed_key, row.created)


def audit_key_values(key: AuditKey) -> Values:
    """Make the row of a key that signs."""
    return {"id": key.id, "public_key": key.public_key, "sealed_key": key.sealed_key, "created": key.created}
