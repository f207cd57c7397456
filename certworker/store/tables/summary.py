"""The summary of the fleet: its members, the counts, and the changes that are not in them yet.

All of it can be made anew from the other tables, so it is in no backup; and it belongs to no row of theirs: what becomes of a
certificate is noted by triggers, and taken in later.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import (
    MeasureText,
    OrderedText,
    ReasonText,
    Serial,
    SeverityText,
    StandingText,
    StateText,
    UnixTime,
    UrgencyText,
)
from certworker.store.tables.row import Row, Values, table_of
from certworker.vault.notification.message import Severity
from certworker.vault.operations import OperationReason
from certworker.vault.revocation.standing import Standing
from certworker.vault.summary.attention import needy_from
from certworker.vault.summary.records import Measure, Member, Place, State, Urgency

_PENDING = text("pending_since IS NOT NULL")
_ENABLED = text("enabled")
_NEEDY = text("needy_from IS NOT NULL")


class FleetMemberRow(Row, table=True):
    """A live certificate as it was when the summary caught up last."""

    __tablename__ = "fleet_member"
    __table_args__ = (
        Index("ix_fleet_member_urgency_urgent_at", "urgency", "urgent_at"),
        Index("ix_fleet_member_vault_id_urgency_urgent_at", "vault_id", "urgency", "urgent_at"),
        Index(
            "ix_fleet_member_vault_id_needy_from",
            "vault_id",
            "needy_from",
            sqlite_where=_NEEDY,
            postgresql_where=_NEEDY,
        ),
        Index("ix_fleet_member_not_after", "not_after", sqlite_where=_ENABLED, postgresql_where=_ENABLED),
        Index(
            "ix_fleet_member_vault_issuer_pending_since",
            "vault",
            "issuer",
            "pending_since",
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
    )

    vault_id: str = Field(primary_key=True)
    folded: str = Field(primary_key=True, sa_type=OrderedText)
    urgency: Urgency = Field(sa_type=UrgencyText)
    urgent_at: datetime = Field(sa_type=UnixTime)
    needy_from: datetime | None = Field(sa_type=UnixTime)
    vault: str
    name: str
    issuer: str
    state: State = Field(sa_type=StateText)
    version: str | None
    enabled: bool
    not_before: datetime | None = Field(sa_type=UnixTime)
    not_after: datetime | None = Field(sa_type=UnixTime)
    due_at: datetime | None = Field(sa_type=UnixTime)
    source: OperationReason | None = Field(sa_type=ReasonText)
    deadline: datetime | None = Field(sa_type=UnixTime)
    window_start: datetime | None = Field(sa_type=UnixTime)
    window_end: datetime | None = Field(sa_type=UnixTime)
    failures: int
    last_error: str | None
    next_attempt: datetime | None = Field(sa_type=UnixTime)
    paused_since: datetime | None = Field(sa_type=UnixTime)
    overdue: Severity | None = Field(sa_type=SeverityText)
    pending_since: datetime | None = Field(sa_type=UnixTime)
    revocation: Standing | None = Field(sa_type=StandingText)
    revocation_since: datetime | None = Field(sa_type=UnixTime)
    checked: datetime | None = Field(sa_type=UnixTime)
    method: str


class FleetCountRow(Row, table=True):
    """How many members are counted together."""

    __tablename__ = "fleet_count"

    measure: Measure = Field(primary_key=True, sa_type=MeasureText)
    vault: str = Field(primary_key=True)
    issuer: str = Field(primary_key=True)
    word: str = Field(primary_key=True)
    hour: int = Field(primary_key=True)
    number: int


class FleetChangeRow(Row, table=True):
    """A certificate that has changed since the summary caught up last; triggers write it."""

    __tablename__ = "fleet_change"
    __table_args__ = (Index("ix_fleet_change_vault_id_folded", "vault_id", "folded"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    vault_id: str
    folded: str = Field(sa_type=OrderedText)


FLEET_MEMBER = table_of(FleetMemberRow)
FLEET_COUNT = table_of(FleetCountRow)
FLEET_CHANGE = table_of(FleetChangeRow)
DERIVED = frozenset({FLEET_MEMBER.name, FLEET_COUNT.name, FLEET_CHANGE.name})
"""Tables that are made from others."""

_DERIVED = ("vault_id", "folded", "urgency", "urgent_at", "needy_from")
_SAME = tuple(name for name in FleetMemberRow.model_fields if name not in _DERIVED)


def member_record(row: Found[Any]) -> Member:
    """Make the record of a member."""
    return Member(place=Place(row.vault_id, row.folded), **{name: getattr(row, name) for name in _SAME})


def member_values(member: Member) -> Values:
    """Make the row of a member."""
    own = {"urgency": member.urgency, "urgent_at": member.urgent_at, "needy_from": needy_from(member)}
    place = {"vault_id": member.place.vault_id, "folded": member.place.folded}
    return {**place, **own, **{name: getattr(member, name) for name in _SAME}}
