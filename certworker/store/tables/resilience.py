"""Gates, memories of failures, and the buckets of budgets."""

from datetime import datetime
from typing import Any

from sqlalchemy import Double, Index
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import GateText, OrderedText, UnixTime, WordsText
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.objects import fold_name
from certworker.vault.resilience.gates import Gate, GateReason
from certworker.vault.resilience.memory import FailureMemory, MemoryKey


class GateRow(Row, table=True):
    """The gate of an issuer in a vault. It belongs to the vault: an issuer record may come and go."""

    __tablename__ = "gate"
    __table_args__ = (belongs_to("vault", "vault_id", to=("id",)),)

    vault_id: str = Field(primary_key=True)
    folded: str = Field(primary_key=True, sa_type=OrderedText)
    issuer: str
    reason: GateReason | None = Field(sa_type=GateText)
    closed_until: datetime | None = Field(sa_type=UnixTime)
    since: datetime | None = Field(sa_type=UnixTime)
    closings: int
    witnesses: tuple[str, ...] = Field(sa_type=WordsText)
    probe: str | None
    unreached: int | None
    unreached_since: datetime | None = Field(sa_type=UnixTime)


class FailureMemoryRow(Row, table=True):
    """What is remembered of failures at a CA about a set of names."""

    __tablename__ = "failure_memory"
    __table_args__ = (Index("ix_failure_memory_updated", "updated"),)

    ca: str = Field(primary_key=True)
    names: str = Field(primary_key=True)
    failures: int
    since: datetime = Field(sa_type=UnixTime)
    updated: datetime = Field(sa_type=UnixTime)
    next_at: datetime = Field(sa_type=UnixTime)
    held_until: datetime | None = Field(sa_type=UnixTime)


class BucketRow(Row, table=True):
    """A bucket: when it will be full again, in Unix seconds with fractions (tokens come more often than each second)."""

    __tablename__ = "bucket"
    __table_args__ = (Index("ix_bucket_full_at", "full_at"),)

    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    full_at: float = Field(sa_type=Double)


GATE = table_of(GateRow)
FAILURE_MEMORY = table_of(FailureMemoryRow)
BUCKET = table_of(BucketRow)


def gate_record(row: Found[Any]) -> Gate:
    """Make the record of a gate."""
    return Gate(
        vault_id=row.vault_id,
        issuer=row.issuer,
        reason=row.reason,
        closed_until=row.closed_until,
        since=row.since,
        closings=row.closings,
        witnesses=row.witnesses,
        probe=row.probe,
        unreached=row.unreached or 0,
        unreached_since=row.unreached_since,
    )


def gate_values(gate: Gate) -> Values:
    """Make the row of a gate."""
    return {
        "vault_id": gate.vault_id,
        "folded": fold_name(gate.issuer),
        "issuer": gate.issuer,
        "reason": gate.reason,
        "closed_until": gate.closed_until,
        "since": gate.since,
        "closings": gate.closings,
        "witnesses": gate.witnesses,
        "probe": gate.probe,
        "unreached": gate.unreached,
        "unreached_since": gate.unreached_since,
    }


def memory_record(row: Found[Any]) -> FailureMemory:
    """Make the record of what is remembered."""
    key = MemoryKey(row.ca, row.names)
    return FailureMemory(key, row.failures, row.since, row.updated, row.next_at, row.held_until)


def memory_values(memory: FailureMemory) -> Values:
    """Make the row of what is remembered."""
    return {
        "ca": memory.key.ca,
        "names": memory.key.names,
        "failures": memory.failures,
        "since": memory.since,
        "updated": memory.updated,
        "next_at": memory.next_at,
        "held_until": memory.held_until,
    }
