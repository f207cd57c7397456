"""Audit records that wait, the heads of chains and the keys that sign them: what is asked and what is changed."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, bindparam, cast, delete, func, or_, select

from certworker.store.tables.audit import (
    AUDIT_CUT,
    AUDIT_DRAIN,
    AUDIT_HEAD,
    AUDIT_KEY,
    AUDIT_PENDING,
    audit_key_record,
    audit_key_values,
    chain_cut_record,
    chain_cut_values,
    chain_head_record,
    chain_head_values,
    pending_record,
)
from certworker.store.transaction import Transaction
from certworker.vault.audit.port import AuditKey, ChainCut, ChainHead, PendingRecord

_PENDING = select(AUDIT_PENDING).order_by(AUDIT_PENDING.c.number).limit(bindparam("most", type_=None))
_HEADS = select(AUDIT_HEAD).order_by(AUDIT_HEAD.c.opened, AUDIT_HEAD.c.chain_id)
_CUTS = select(AUDIT_CUT).order_by(AUDIT_CUT.c.chain_id)
_KEYS = select(AUDIT_KEY).order_by(AUDIT_KEY.c.number)
_DATABASE_CLOCK: Final = cast(func.floor(func.extract("epoch", func.now())), BigInteger)
_DRAIN: Final = "drain"


class AuditReader(Transaction):
    """What can be asked of the audit log."""

    def pending_records(self, limit: int) -> tuple[PendingRecord, ...]:
        """List records that wait, the oldest first."""
        return tuple(map(pending_record, self._all(_PENDING, most=limit)))

    def chain_heads(self) -> tuple[ChainHead, ...]:
        """List the last signed head of each chain, by the time of their opening."""
        return tuple(map(chain_head_record, self._all(_HEADS)))

    def chain_cuts(self) -> tuple[ChainCut, ...]:
        """List up to where chains were deleted, by chain."""
        return tuple(map(chain_cut_record, self._all(_CUTS)))

    def audit_keys(self) -> tuple[AuditKey, ...]:
        """List the keys that sign or have signed, the newest last."""
        return tuple(map(audit_key_record, self._all(_KEYS)))


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

    def put_chain_cut(self, cut: ChainCut) -> None:
        """Replace up to where a chain was deleted."""
        self._put(AUDIT_CUT, chain_cut_values(cut), key=("chain_id",))

    def add_audit_key(self, key: AuditKey) -> None:
        """Add a key; it signs from now on."""
        self._add(AUDIT_KEY, audit_key_values(key), f"There is already an audit key {key.id}.")

    def claim_audit_drain(self, owner: str, at: datetime, lease: timedelta) -> bool:
        """Take the draining of records that wait for some time, or keep it; false where another has it."""
        now = _DATABASE_CLOCK if self._on_postgresql else cast(int(at.timestamp()), BigInteger)
        until = now + int(lease.total_seconds())
        statement = self._insert(AUDIT_DRAIN).values(name=_DRAIN, lease_owner=owner, lease_until=until)
        mine = or_(AUDIT_DRAIN.c.lease_owner.is_(None), AUDIT_DRAIN.c.lease_until <= now, AUDIT_DRAIN.c.lease_owner == owner)
        taking = statement.on_conflict_do_update(
            index_elements=["name"], set_={"lease_owner": owner, "lease_until": until}, where=mine
        ).returning(AUDIT_DRAIN.c.name)
        return self._one(taking) is not None
