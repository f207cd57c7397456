"""Audit records that wait, and the heads of chains: what is asked and what is changed."""

from sqlalchemy import bindparam, delete, select

from certworker.store.tables.audit import (
    AUDIT_HEAD,
    AUDIT_PENDING,
    chain_head_record,
    chain_head_values,
    pending_record,
)
from certworker.store.transaction import Transaction
from certworker.vault.audit.port import ChainHead, PendingRecord

_PENDING = select(AUDIT_PENDING).order_by(AUDIT_PENDING.c.number).limit(bindparam("most", type_=None))
_HEADS = select(AUDIT_HEAD).order_by(AUDIT_HEAD.c.opened, AUDIT_HEAD.c.chain_id)


class AuditReader(Transaction):
    """What can be asked of the audit log."""

    def pending_records(self, limit: int) -> tuple[PendingRecord, ...]:
        """List records that wait, the oldest first."""
        return tuple(map(pending_record, self._all(_PENDING, most=limit)))

    def chain_heads(self) -> tuple[ChainHead, ...]:
        """List the last signed head of each chain, by the time of their opening."""
        return tuple(map(chain_head_record, self._all(_HEADS)))


class AuditWriter(AuditReader):
    """What can be changed in the audit log's tables."""

    def add_pending_record(self, text: str) -> None:
        """Let a record wait."""
        self._try_add(AUDIT_PENDING, {"text": text})

    def delete_pending_records(self, numbers: tuple[int, ...]) -> None:
        """Forget records that are in the log now."""
        self._change(delete(AUDIT_PENDING).where(AUDIT_PENDING.c.number.in_(numbers)))

    def put_chain_head(self, head: ChainHead) -> None:
        """Replace the signed head of a chain."""
        self._put(AUDIT_HEAD, chain_head_values(head), key=("chain_id",))
