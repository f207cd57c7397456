"""Certificate operations and their journal."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, false, literal_column, text
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import (
    KindText,
    MappingText,
    OrderedText,
    PolicyText,
    ReasonText,
    Serial,
    StatusText,
    UnixTime,
    WordsText,
)
from certworker.store.tables.objects import IN_TOKEN
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.objects import ObjectKind, Tags, fold_name
from certworker.vault.operations import Evidence, JournalEntry, Operation, OperationReason, OperationStatus, Progress
from certworker.vault.policy import Policy

_IN_PROGRESS = text("status = 'inProgress'")


class OperationRow(Row, table=True):
    """An operation. `number` grows with each one, so the latest is known even where two were made in one second.

    `issuer` is the policy's, for claims; none in rows of an earlier release.
    """

    __tablename__ = "operation"
    __table_args__ = (
        belongs_to("head", "vault_id", "kind", "folded"),
        UniqueConstraint("id"),
        Index("ix_operation_vault_id_folded_number", "vault_id", "folded", "number"),
        Index(
            "ux_operation_in_progress",
            "vault_id",
            "folded",
            unique=True,
            sqlite_where=_IN_PROGRESS,
            postgresql_where=_IN_PROGRESS,
        ),
        Index("ix_operation_due_at", "due_at", "number", sqlite_where=_IN_PROGRESS, postgresql_where=_IN_PROGRESS),
        Index(
            "ix_operation_deadline",
            "deadline",
            "due_at",
            "number",
            sqlite_where=_IN_PROGRESS,
            postgresql_where=_IN_PROGRESS,
        ),
        Index("ix_operation_hsm_key_id", "hsm_key_id", sqlite_where=IN_TOKEN, postgresql_where=IN_TOKEN),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    id: str
    vault_id: str
    folded: str = Field(sa_type=OrderedText)
    kind: ObjectKind = Field(sa_type=KindText)
    name: str
    version: str
    reason: OperationReason = Field(sa_type=ReasonText)
    policy: Policy = Field(sa_type=PolicyText)
    csr: bytes
    public_key: bytes
    sealed_key: bytes
    created: datetime = Field(sa_type=UnixTime)
    updated: datetime = Field(sa_type=UnixTime)
    status: OperationStatus = Field(sa_type=StatusText)
    enabled: bool
    tags: Tags = Field(sa_type=MappingText)
    progress: Progress = Field(sa_type=MappingText)
    due_at: datetime | None = Field(sa_type=UnixTime)
    failures: int
    cancellation_requested: bool
    status_details: str | None
    error_code: str | None
    error_message: str | None
    warnings: tuple[str, ...] = Field(sa_type=WordsText, sa_column_kwargs={"server_default": "[]"})
    preserve_order: bool = Field(sa_column_kwargs={"server_default": false()})
    hsm_key_id: str | None
    issuer: str | None
    deadline: datetime | None = Field(sa_type=UnixTime)
    correlation_id: str | None
    lease_owner: str | None
    lease_until: datetime | None = Field(sa_type=UnixTime)
    fence: int


class JournalRow(Row, table=True):
    """One step of an operation; they are counted from 1."""

    __tablename__ = "journal"
    __table_args__ = (belongs_to("operation", "operation_id", to=("id",)),)

    operation_id: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UnixTime)
    step: str
    detail: Progress = Field(sa_type=MappingText)


class EvidenceRow(Row, table=True):
    """What was refused in an operation."""

    __tablename__ = "evidence"
    __table_args__ = (belongs_to("operation", "operation_id", to=("id",)), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    operation_id: str = Field(index=True)
    at: datetime = Field(sa_type=UnixTime)
    kind: str
    sealed: bytes


OPERATION = table_of(OperationRow)
EVIDENCE = table_of(EvidenceRow)
JOURNAL = table_of(JournalRow)

IN_PROGRESS = OPERATION.c.status == literal_column("'inProgress'")
"""Written as a constant and not as a parameter, so that the partial indexes are seen to fit."""


def operation_record(row: Found[Any]) -> Operation:
    """Make the record of an operation."""
    return Operation(
        id=row.id,
        vault_id=row.vault_id,
        name=row.name,
        version=row.version,
        reason=row.reason,
        policy=row.policy,
        csr=row.csr,
        public_key=row.public_key,
        sealed_key=row.sealed_key,
        created=row.created,
        updated=row.updated,
        status=row.status,
        enabled=row.enabled,
        tags=row.tags,
        progress=row.progress,
        due_at=row.due_at,
        failures=row.failures,
        cancellation_requested=row.cancellation_requested,
        status_details=row.status_details,
        error_code=row.error_code,
        error_message=row.error_message,
        warnings=row.warnings,
        preserve_order=row.preserve_order,
        hsm_key_id=row.hsm_key_id,
        fence=row.fence,
        deadline=row.deadline,
        correlation_id=row.correlation_id,
    )


def operation_values(operation: Operation) -> Values:
    """Make the row of an operation. What is finished is not due any more."""
    in_progress = operation.status is OperationStatus.IN_PROGRESS
    return {
        "id": operation.id,
        "vault_id": operation.vault_id,
        "folded": fold_name(operation.name),
        "kind": ObjectKind.CERTIFICATE,
        "name": operation.name,
        "version": operation.version,
        "reason": operation.reason,
        "policy": operation.policy,
        "csr": operation.csr,
        "public_key": operation.public_key,
        "sealed_key": operation.sealed_key,
        "created": operation.created,
        "updated": operation.updated,
        "status": operation.status,
        "enabled": operation.enabled,
        "tags": operation.tags,
        "progress": operation.progress,
        "due_at": operation.due_at if in_progress else None,
        "failures": operation.failures,
        "cancellation_requested": operation.cancellation_requested,
        "status_details": operation.status_details,
        "error_code": operation.error_code,
        "error_message": operation.error_message,
        "warnings": operation.warnings,
        "preserve_order": operation.preserve_order,
        "hsm_key_id": operation.hsm_key_id,
        "issuer": operation.policy.issuer.name,
        "deadline": operation.deadline,
        "correlation_id": operation.correlation_id,
        "lease_owner": None,
        "lease_until": None,
        "fence": operation.fence,
    }


def journal_record(row: Found[Any]) -> JournalEntry:
    """Make the record of a step."""
    return JournalEntry(operation_id=row.operation_id, sequence=row.sequence, at=row.at, step=row.step, detail=row.detail)


def evidence_record(row: Found[Any]) -> Evidence:
    """Make the record of something refused."""
    return Evidence(operation_id=row.operation_id, at=row.at, kind=row.kind, sealed=row.sealed)


def evidence_values(evidence: Evidence) -> Values:
    """Make the row of something refused."""
    return {"operation_id": evidence.operation_id, "at": evidence.at, "kind": evidence.kind, "sealed": evidence.sealed}
