"""Certificate operations: what is asked and what is changed."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Executable,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    update,
)

from certworker.errors import Conflict, LeaseLost, OperationInProgress
from certworker.store.tables.operations import (
    EVIDENCE,
    IN_PROGRESS,
    JOURNAL,
    OPERATION,
    evidence_record,
    evidence_values,
    journal_record,
    operation_record,
    operation_values,
)
from certworker.store.transaction import Transaction
from certworker.vault.objects import fold_name
from certworker.vault.operations import Evidence, JournalEntry, Operation, OperationStatus, Progress

_OF_CERTIFICATE = select(OPERATION).where(
    OPERATION.c.vault_id == bindparam("vault_id"), OPERATION.c.folded == bindparam("folded")
)
_LATEST = _OF_CERTIFICATE.order_by(OPERATION.c.number.desc()).limit(1)
_OF_VERSION = _OF_CERTIFICATE.where(OPERATION.c.version == bindparam("version")).limit(1)
_BY_ID = select(OPERATION).where(OPERATION.c.id == bindparam("id"))
_JOURNAL = select(JOURNAL).where(JOURNAL.c.operation_id == bindparam("operation_id")).order_by(JOURNAL.c.sequence)
_LAST = func.coalesce(func.max(JOURNAL.c.sequence), 0)
_ADD_JOURNAL = insert(JOURNAL).values(
    operation_id=bindparam("operation"),
    sequence=select(_LAST + 1).where(JOURNAL.c.operation_id == bindparam("operation")).scalar_subquery(),
    at=bindparam("entry_at"),
    step=bindparam("entry_step"),
    detail=bindparam("entry_detail"),
)


class OperationReader(Transaction):
    """What can be asked of operations."""

    def operation(self, vault_id: str, name: str) -> Operation | None:
        """Find a certificate's latest operation, unless it was deleted."""
        row = self._one(_LATEST, vault_id=vault_id, folded=fold_name(name))
        return operation_record(row) if row else None

    def operation_by_id(self, operation_id: str) -> Operation | None:
        """Find an operation."""
        row = self._one(_BY_ID, id=operation_id)
        return operation_record(row) if row else None

    def operation_of_version(self, vault_id: str, name: str, version: str) -> Operation | None:
        """Find the operation that made a version of a certificate, or was to make it."""
        row = self._one(_OF_VERSION, vault_id=vault_id, folded=fold_name(name), version=version)
        return operation_record(row) if row else None

    def evidence(self, operation_id: str) -> tuple[Evidence, ...]:
        """List what was refused in an operation, in order."""
        wanted = select(EVIDENCE).where(EVIDENCE.c.operation_id == operation_id).order_by(EVIDENCE.c.number)
        return tuple(map(evidence_record, self._all(wanted)))

    def journal(self, operation_id: str) -> tuple[JournalEntry, ...]:
        """List the steps of an operation in order."""
        return tuple(map(journal_record, self._all(_JOURNAL, operation_id=operation_id)))


class OperationWriter(OperationReader):
    """What can be changed in operations."""

    def add_operation(self, operation: Operation) -> None:
        """Add an operation. Raises OperationInProgress where the certificate already has one in progress."""
        if self._try_add(OPERATION, operation_values(operation)):
            return
        other = self._in_progress(operation.vault_id, operation.name)
        if other is None or operation.status is not OperationStatus.IN_PROGRESS:
            raise Conflict(f"There is already an operation {operation.id}.")
        message = f"The certificate {operation.name} has a pending operation. Wait until it ends, or cancel or delete it."
        raise OperationInProgress(message, other.id)

    def update_operation(self, operation: Operation) -> None:
        """Replace an operation in progress whose `fence` is the stored one. A lease of it ends with this.

        Where somebody asked for the cancellation and `operation` does not know of it, the request stands and stays due.
        Raises LeaseLost where the fence has moved on, or the operation has ended.
        """
        values = operation_values(operation)
        for fixed in ("id", "vault_id", "folded", "kind", "name", "fence"):
            del values[fixed]
        goes_on = operation.status is OperationStatus.IN_PROGRESS and not operation.cancellation_requested
        if goes_on:
            del values["cancellation_requested"]
        statement = _updating(tuple(values), goes_on=goes_on)
        new = {f"new_{name}": value for name, value in values.items()}
        changed = self._change(statement, of_id=operation.id, of_fence=operation.fence, **new)
        self._require(changed, operation.id)

    def keep_progress(self, operation_id: str, fence: int, progress: Progress, at: datetime) -> None:
        """Record a provider's progress under a lease that goes on. Raises LeaseLost where the fence has moved on."""
        place = {"of_id": operation_id, "of_fence": fence}
        self._require(self._change(_KEEP_PROGRESS, **place, new_progress=progress, new_updated=at), operation_id)

    def request_cancellation(self, operation_id: str, at: datetime) -> None:
        """Ask for an operation in progress to be cancelled: it falls due at once, a lease goes on until recording."""
        change = update(OPERATION).where(OPERATION.c.id == operation_id, IN_PROGRESS)
        self._change(change.values(cancellation_requested=True, due_at=at, updated=at))

    def delete_operation(self, operation_id: str) -> None:
        """Forget an operation and its journal."""
        self._change(delete(OPERATION).where(OPERATION.c.id == operation_id))

    def add_evidence(self, evidence: Evidence) -> None:
        """Keep what was refused in an operation."""
        self._change(insert(EVIDENCE).values(evidence_values(evidence)))

    def add_journal(self, operation_id: str, at: datetime, step: str, detail: Progress) -> None:
        """Append a step to an operation's journal."""
        self._change(_ADD_JOURNAL, operation=operation_id, entry_at=at, entry_step=step, entry_detail=detail)

    def _in_progress(self, vault_id: str, name: str) -> Row[Any] | None:
        return self._one(_OF_CERTIFICATE.where(IN_PROGRESS), vault_id=vault_id, folded=fold_name(name))

    def _require(self, changed: int, operation_id: str) -> None:
        if changed == 0:
            raise LeaseLost(f"The operation {operation_id} was taken over by another worker, has ended or was deleted.")


def _new(name: str) -> BindParameter[Any]:
    return bindparam(f"new_{name}", type_=OPERATION.c[name].type)


_CLAIMED = and_(OPERATION.c.id == bindparam("of_id"), OPERATION.c.fence == bindparam("of_fence"), IN_PROGRESS)
_KEEP_PROGRESS = (
    update(OPERATION)
    .where(_CLAIMED, OPERATION.c.lease_owner.is_not(None))
    .values(progress=_new("progress"), updated=_new("updated"))
)


@cache
def _updating(columns: tuple[str, ...], *, goes_on: bool) -> Executable:
    values: dict[str, ColumnElement[Any]] = {name: _new(name) for name in columns}
    if goes_on:
        values["due_at"] = case((OPERATION.c.cancellation_requested, _new("updated")), else_=_new("due_at"))
    return update(OPERATION).where(_CLAIMED).values(values)
