"""What lies long behind: events and operations that are forgotten."""

from datetime import datetime
from typing import Final

from sqlalchemy import Integer, and_, bindparam, delete, exists, func, or_, select

from certworker.store.columns import UnixTime
from certworker.store.tables.events import CURSOR, EVENT
from certworker.store.tables.objects import CERTIFICATE_VERSION, HEAD
from certworker.store.tables.operations import IN_PROGRESS, OPERATION
from certworker.store.transaction import Transaction

_FIRST_EVENTS: Final = 100
"""So many are looked at: one that a clock was ahead for keeps no others."""

_BEFORE: Final = bindparam("before", type_=UnixTime())
_MOST: Final = bindparam("most", type_=Integer())
_FIRST_TIMES: Final = select(EVENT.c.at).order_by(EVENT.c.sequence).limit(_FIRST_EVENTS).subquery()
_OLDEST_EVENT: Final = select(func.min(_FIRST_TIMES.c.at, type_=UnixTime()).label("at"))
_READ: Final = select(func.coalesce(func.min(CURSOR.c.sequence), 0)).scalar_subquery()
_OLD_EVENTS: Final = (
    select(EVENT.c.sequence).where(EVENT.c.at < _BEFORE, EVENT.c.sequence < _READ).order_by(EVENT.c.sequence).limit(_MOST)
)
_FORGET_EVENTS: Final = delete(EVENT).where(EVENT.c.sequence.in_(_OLD_EVENTS.scalar_subquery()))

_OPERATIONS: Final = (
    select(OPERATION.c.number, OPERATION.c.created)
    .where(OPERATION.c.number > bindparam("after"))
    .order_by(OPERATION.c.number)
    .limit(_MOST)
)
_LATER: Final = OPERATION.alias("later")
_HAS_LATER: Final = exists().where(
    _LATER.c.vault_id == OPERATION.c.vault_id, _LATER.c.folded == OPERATION.c.folded, _LATER.c.number > OPERATION.c.number
)
_IS_CURRENT: Final = exists().where(
    HEAD.c.vault_id == OPERATION.c.vault_id,
    HEAD.c.kind == OPERATION.c.kind,
    HEAD.c.folded == OPERATION.c.folded,
    HEAD.c.current_version == OPERATION.c.version,
)
_IS_VALID: Final = exists().where(
    CERTIFICATE_VERSION.c.vault_id == OPERATION.c.vault_id,
    CERTIFICATE_VERSION.c.folded == OPERATION.c.folded,
    CERTIFICATE_VERSION.c.version == OPERATION.c.version,
    or_(CERTIFICATE_VERSION.c.expires.is_(None), CERTIFICATE_VERSION.c.expires >= _BEFORE),
)
_FORGET_OPERATIONS: Final = delete(OPERATION).where(
    OPERATION.c.number.between(bindparam("first"), bindparam("last")),
    OPERATION.c.updated < _BEFORE,
    and_(~IN_PROGRESS, _HAS_LATER, ~_IS_CURRENT, ~_IS_VALID),
)


class HistoryReader(Transaction):
    """What can be asked of what lies behind."""

    def has_events_before(self, before: datetime) -> bool:
        """Tell whether there are events from before a time, by a look at the first of them."""
        row = self._one(_OLDEST_EVENT)
        return row is not None and row.at is not None and row.at < before

    def end_of_operations(self, before: datetime, after: int, limit: int) -> int | None:
        """Give the number of the last of the operations that come after a number, as long as there are old ones among them."""
        rows = self._all(_OPERATIONS, after=after, most=limit)
        return int(rows[-1].number) if any(row.created < before for row in rows) else None


class HistoryWriter(HistoryReader):
    """What can be forgotten."""

    def forget_events(self, before: datetime, limit: int) -> int:
        """Delete the first events that are from before a time and that every listener has read; give the count."""
        return self._change(_FORGET_EVENTS, before=before, most=limit)

    def forget_operations(self, before: datetime, first: int, last: int) -> int:
        """Delete operations that ended before a time, of those from a number to a number; journal and evidence go with them."""
        return self._change(_FORGET_OPERATIONS, before=before, first=first, last=last)
