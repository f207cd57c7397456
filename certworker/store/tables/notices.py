"""The ledger of notices, with the lease of whoever delivers one; and what nobody wants to hear of."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import (
    KindText,
    MappingText,
    NoticeStatusText,
    OrderedText,
    Serial,
    SeverityText,
    TopicText,
    UnixTime,
)
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.notification.ledger import Notice, NoticeStatus, Silence
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.objects import ObjectKind, fold_name


class NoticeRow(Row, table=True):
    """An entry of the ledger. It belongs to its vault alone: what was told of a thing is known when the thing is gone."""

    __tablename__ = "notice"
    __table_args__ = (
        belongs_to("vault", "vault_id", to=("id",)),
        UniqueConstraint("id"),
        UniqueConstraint(
            *("vault_id", "kind", "folded", "version", "topic", "threshold", "channel", "address"), name="uq_notice_subject"
        ),
        Index("ix_notice_status_channel_due_at", "status", "channel", "due_at"),
        Index("ix_notice_digest_id", "digest_id"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    id: str
    vault_id: str
    kind: ObjectKind = Field(sa_type=KindText)
    folded: str = Field(sa_type=OrderedText)
    name: str
    version: str
    topic: Topic = Field(sa_type=TopicText)
    threshold: str
    channel: str
    address: str
    severity: Severity = Field(sa_type=SeverityText)
    came_at: datetime = Field(sa_type=UnixTime)
    facts: Mapping[str, str] = Field(sa_type=MappingText)
    status: NoticeStatus = Field(sa_type=NoticeStatusText)
    due_at: datetime | None = Field(sa_type=UnixTime)
    attempts: int
    sent_at: datetime | None = Field(sa_type=UnixTime)
    last_error: str | None
    digest_id: str | None
    acknowledged_at: datetime | None = Field(sa_type=UnixTime)
    acknowledged_by: str | None
    lease_owner: str | None
    lease_until: datetime | None = Field(sa_type=UnixTime)
    fence: int


class SilenceRow(Row, table=True):
    """A silence."""

    __tablename__ = "silence"
    __table_args__ = (belongs_to("vault", "vault_id", to=("id",)), UniqueConstraint("id"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    id: str
    vault_id: str = Field(index=True)
    pattern: str
    topic: Topic | None = Field(sa_type=TopicText)
    until: datetime = Field(sa_type=UnixTime)
    by: str
    why: str
    created: datetime = Field(sa_type=UnixTime)


NOTICE = table_of(NoticeRow)
SILENCE = table_of(SilenceRow)


def notice_record(row: Found[Any]) -> Notice:
    """Make the record of an entry."""
    return Notice(
        id=row.id,
        vault_id=row.vault_id,
        kind=row.kind,
        name=row.name,
        version=row.version,
        topic=row.topic,
        threshold=row.threshold,
        channel=row.channel,
        address=row.address,
        severity=row.severity,
        at=row.came_at,
        facts=row.facts,
        status=row.status,
        due_at=row.due_at,
        attempts=row.attempts,
        sent_at=row.sent_at,
        last_error=row.last_error,
        digest_id=row.digest_id,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        fence=row.fence,
    )


def notice_values(notice: Notice) -> Values:
    """Make the row of an entry, without lease and fence."""
    return {
        "id": notice.id,
        "vault_id": notice.vault_id,
        "kind": notice.kind,
        "folded": fold_name(notice.name),
        "name": notice.name,
        "version": notice.version,
        "topic": notice.topic,
        "threshold": notice.threshold,
        "channel": notice.channel,
        "address": notice.address,
        "severity": notice.severity,
        "came_at": notice.at,
        "facts": notice.facts,
        "acknowledged_at": notice.acknowledged_at,
        "acknowledged_by": notice.acknowledged_by,
        **state_values(notice),
    }


def state_values(notice: Notice) -> Values:
    """Make the columns of an entry that a delivery changes."""
    return {
        "status": notice.status,
        "due_at": notice.due_at,
        "attempts": notice.attempts,
        "sent_at": notice.sent_at,
        "last_error": notice.last_error,
        "digest_id": notice.digest_id,
    }


def silence_record(row: Found[Any]) -> Silence:
    """Make the record of a silence."""
    return Silence(
        id=row.id,
        vault_id=row.vault_id,
        pattern=row.pattern,
        topic=row.topic,
        until=row.until,
        by=row.by,
        why=row.why,
        created=row.created,
    )


def silence_values(silence: Silence) -> Values:
    """Make the row of a silence."""
    return {
        "id": silence.id,
        "vault_id": silence.vault_id,
        "pattern": silence.pattern,
        "topic": silence.topic,
        "until": silence.until,
        "by": silence.by,
        "why": silence.why,
        "created": silence.created,
    }
