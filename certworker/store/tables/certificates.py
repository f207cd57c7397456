"""Certificates: the policy, the renewal to come, and the lease of whoever sees to it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Double, Index, UniqueConstraint
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import KindText, OrderedText, PolicyText, ReasonText, Serial, UnixTime
from certworker.store.tables.row import LEASED, Row, Values, belongs_to, table_of
from certworker.vault.objects import ObjectKind, fold_name
from certworker.vault.operations import Certificate, OperationReason, Pause, Renewal
from certworker.vault.policy import Policy


class CertificateRow(Row, table=True):
    """What all versions of a certificate share besides the head.

    `number` lets a claim name one row with one value. `issuer` is the policy's, for lists over the fleet.
    """

    __tablename__ = "certificate"
    __table_args__ = (
        belongs_to("head", "vault_id", "kind", "folded"),
        UniqueConstraint("vault_id", "folded"),
        Index("ix_certificate_deadline", "deadline", "due_at", "number"),
        Index("ix_certificate_lease_until", "lease_until", sqlite_where=LEASED, postgresql_where=LEASED),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    vault_id: str
    folded: str = Field(sa_type=OrderedText)
    kind: ObjectKind = Field(sa_type=KindText)
    name: str
    issuer: str
    policy: Policy = Field(sa_type=PolicyText)
    policy_created: datetime = Field(sa_type=UnixTime)
    policy_updated: datetime = Field(sa_type=UnixTime)
    due_at: datetime | None = Field(sa_type=UnixTime, index=True)
    reason: OperationReason | None = Field(sa_type=ReasonText)
    jitter: float = Field(sa_type=Double)
    failures: int
    last_error: str | None
    deadline: datetime | None = Field(sa_type=UnixTime)
    paused_since: datetime | None = Field(sa_type=UnixTime)
    paused_by: str | None
    paused_why: str | None
    requested_at: datetime | None = Field(sa_type=UnixTime)
    blamed_since: datetime | None = Field(sa_type=UnixTime)
    route: str | None
    lease_owner: str | None
    lease_until: datetime | None = Field(sa_type=UnixTime)
    fence: int


CERTIFICATE = table_of(CertificateRow)


def certificate_record(row: Found[Any]) -> Certificate:
    """Make the record of a certificate."""
    return Certificate(
        vault_id=row.vault_id,
        name=row.name,
        policy=row.policy,
        policy_created=row.policy_created,
        policy_updated=row.policy_updated,
        renewal=renewal_record(row),
        fence=row.fence,
        route=row.route,
    )


def certificate_values(certificate: Certificate) -> Values:
    """Make the row of a certificate, without lease and fence."""
    return {
        "vault_id": certificate.vault_id,
        "folded": fold_name(certificate.name),
        "kind": ObjectKind.CERTIFICATE,
        "name": certificate.name,
        "issuer": certificate.policy.issuer.name,
        "policy": certificate.policy,
        "policy_created": certificate.policy_created,
        "policy_updated": certificate.policy_updated,
        **renewal_values(certificate.renewal),
    }


def renewal_record(row: Found[Any]) -> Renewal:
    """Make the record of a renewal."""
    return Renewal(
        due_at=row.due_at,
        reason=row.reason,
        jitter=row.jitter,
        failures=row.failures,
        last_error=row.last_error,
        deadline=row.deadline,
        pause=Pause(row.paused_since, row.paused_by, row.paused_why) if row.paused_since else None,
        requested_at=row.requested_at,
        blamed_since=row.blamed_since,
    )


def renewal_values(renewal: Renewal) -> Values:
    """Make the columns of a renewal."""
    return {
        "due_at": renewal.due_at,
        "reason": renewal.reason,
        "jitter": renewal.jitter,
        "failures": renewal.failures,
        "last_error": renewal.last_error,
        "deadline": renewal.deadline,
        "paused_since": renewal.pause.since if renewal.pause else None,
        "paused_by": renewal.pause.by if renewal.pause else None,
        "paused_why": renewal.pause.why if renewal.pause else None,
        "requested_at": renewal.requested_at,
        "blamed_since": renewal.blamed_since,
    }
