"""Audit records that are not in the log yet, and how far each chain of the log has come."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import Serial, UnixTime
from certworker.store.tables.row import Row, Values, table_of
from certworker.vault.audit.port import ChainHead, PendingRecord


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


AUDIT_PENDING = table_of(AuditPendingRow)
AUDIT_HEAD = table_of(AuditHeadRow)


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
