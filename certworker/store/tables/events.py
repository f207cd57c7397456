"""Events, the cursors over them, and what is counted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Double
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import EventTypeText, KindText, MappingText, OrderedText, Serial, UnixTime
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.events import Event, EventType
from certworker.vault.objects import ObjectKind
from certworker.vault.vaults import Heartbeat


class EventRow(Row, table=True):
    """An event. It belongs to nobody: what happened to a thing is still told when the thing is gone."""

    __tablename__ = "event"
    __table_args__ = ({"sqlite_autoincrement": True},)

    sequence: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    type: EventType = Field(sa_type=EventTypeText)
    at: datetime = Field(sa_type=UnixTime)
    vault_id: str
    kind: ObjectKind = Field(sa_type=KindText)
    name: str
    version: str | None
    detail: Mapping[str, str] = Field(sa_type=MappingText)


class CursorRow(Row, table=True):
    """Up to where a listener has read."""

    __tablename__ = "cursor"

    name: str = Field(primary_key=True)
    sequence: int = Field(sa_type=BigInteger)


class TallyRow(Row, table=True):
    """How many attempts at issuance had a result. `issuer` is called as it was called first."""

    __tablename__ = "tally"
    __table_args__ = (belongs_to("vault", "vault_id", to=("id",)),)

    vault_id: str = Field(primary_key=True)
    folded: str = Field(primary_key=True, sa_type=OrderedText)
    result: str = Field(primary_key=True)
    issuer: str
    count: int = Field(sa_type=BigInteger)


class HeartbeatRow(Row, table=True):
    """The last run of a job."""

    __tablename__ = "heartbeat"

    job: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UnixTime)
    seconds: float = Field(sa_type=Double)
    failed: bool


EVENT = table_of(EventRow)
CURSOR = table_of(CursorRow)
TALLY = table_of(TallyRow)
HEARTBEAT = table_of(HeartbeatRow)


def event_record(row: Found[Any]) -> Event:
    """Make the record of an event."""
    return Event(
        type=row.type,
        at=row.at,
        vault_id=row.vault_id,
        kind=row.kind,
        name=row.name,
        version=row.version,
        detail=row.detail,
        sequence=row.sequence,
    )


def event_values(event: Event) -> Values:
    """Make the row of an event; the database counts its sequence."""
    return {
        "type": event.type,
        "at": event.at,
        "vault_id": event.vault_id,
        "kind": event.kind,
        "name": event.name,
        "version": event.version,
        "detail": event.detail,
    }


def heartbeat_record(row: Found[Any]) -> Heartbeat:
    """Make the record of a heartbeat."""
    return Heartbeat(job=row.job, at=row.at, seconds=row.seconds, failed=row.failed)


def heartbeat_values(heartbeat: Heartbeat) -> Values:
    """Make the row of a heartbeat."""
    return {"job": heartbeat.job, "at": heartbeat.at, "seconds": heartbeat.seconds, "failed": heartbeat.failed}
