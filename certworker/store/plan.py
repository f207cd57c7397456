"""The plan: the whole fleet at a glance, and when there is something to do next."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, and_, bindparam, exists, func, literal_column, select

from certworker.store.claims import due, operation_waits, renewal_waits, rotation_waits, watch_waits
from certworker.store.columns import WatchText
from certworker.store.gates import asked_issuer, gate_of, keeps_back, opens
from certworker.store.objects import live_notices
from certworker.store.tables.certificates import CERTIFICATE
from certworker.store.tables.keys import KEY_ROTATION
from certworker.store.tables.objects import KEY_VERSION, SECRET_VERSION
from certworker.store.tables.operations import OPERATION
from certworker.store.tables.resilience import GATE
from certworker.store.tables.watches import WATCH
from certworker.store.transaction import Transaction
from certworker.vault.watches import WatchKind


def _soonest(table: Table, waits: ColumnElement[bool]) -> Select[Any]:
    """Select when the first row can be claimed, by two columns: of those that are free, and of those under a lease.

    The index of times is walked until the first that is free; of thousands, only the leased ones are looked at one by one.
    """
    free, leased = table.c.lease_until.is_(None), table.c.lease_until.is_not(None)
    first = select(table.c.due_at).where(waits, free).order_by(table.c.due_at).limit(1).scalar_subquery()
    return select(first.label("free"), select(func.min(due(table))).where(waits, leased).scalar_subquery().label("leased"))


def _soonest_before_gates(table: Table, waits: ColumnElement[bool]) -> Select[Any]:
    """Select the same of what stands before gates, by one more column: of what is free and kept back."""
    free, leased = and_(waits, table.c.lease_until.is_(None)), and_(waits, table.c.lease_until.is_not(None))
    kept_back = and_(gate_of(table), GATE.c.closed_until > table.c.due_at, keeps_back(table))
    first = select(table.c.due_at).where(~exists().where(kept_back).correlate(table), free).order_by(table.c.due_at).limit(1)
    opening = select(func.min(opens(table, due(table)))).select_from(table.outerjoin(GATE, gate_of(table))).where(leased)
    # what is added to the vault's id keeps its index out: that of times finds the first quicker, and mostly that there is none
    here = and_(GATE.c.vault_id == table.c.vault_id.concat(literal_column("''")), GATE.c.folded == asked_issuer(table))
    waiting = exists().where(here, GATE.c.closed_until > table.c.due_at, keeps_back(table), free).correlate(GATE)
    behind = select(func.min(GATE.c.closed_until)).where(waiting)
    columns = {"free": first, "leased": opening, "kept_back": behind}
    return select(*(column.scalar_subquery().label(name) for name, column in columns.items()))


_NEXT_OPERATION: Final = (
    select(func.min(opens(OPERATION, due(OPERATION))).label("at"))
    .select_from(OPERATION.outerjoin(GATE, gate_of(OPERATION)))
    .where(operation_waits(OPERATION))
)
_NEXT_RENEWAL: Final = _soonest_before_gates(CERTIFICATE, renewal_waits(CERTIFICATE))
_NEXT_ROTATION: Final = select(func.min(due(KEY_ROTATION)).label("at")).where(rotation_waits(KEY_ROTATION))
_NEXT_NOTICES: Final = tuple(
    select(func.min(table.c.notice_at).label("at")).where(live_notices(table)) for table in (KEY_VERSION, SECRET_VERSION)
)
_NEXT_WATCH: Final = _soonest(WATCH, and_(WATCH.c.what == bindparam("what", type_=WatchText()), watch_waits(WATCH)))


class PlanReader(Transaction):
    """What can be asked of the plan."""

    def next_operation(self) -> datetime | None:
        """Tell when the next operation falls due; what is under a lease, when that runs out."""
        return self._earliest(_NEXT_OPERATION)

    def next_renewal(self) -> datetime | None:
        """Tell when the next renewal falls due, likewise."""
        return self._earliest(_NEXT_RENEWAL)

    def next_rotation(self) -> datetime | None:
        """Tell when the next rotation of a key falls due, likewise."""
        return self._earliest(_NEXT_ROTATION)

    def next_notice(self) -> datetime | None:
        """Tell when the next notice of a key or a secret falls due."""
        return self._earliest(*_NEXT_NOTICES)

    def next_watch(self, kind: WatchKind) -> datetime | None:
        """Tell when the next watch of a kind falls due, likewise."""
        return self._earliest(_NEXT_WATCH, what=kind)

    def _earliest(self, *statements: Select[Any], **values: object) -> datetime | None:
        rows = [self._one(statement, **values) for statement in statements]
        return min((at for row in rows if row for at in row if at), default=None)
