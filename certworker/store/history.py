"""What lies long behind: events and operations that are forgotten."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Integer, Select, and_, bindparam, delete, exists, func, or_, select

from certworker.store.columns import UnixTime
from certworker.store.tables.events import CURSOR, EVENT
from certworker.store.tables.objects import CERTIFICATE_VERSION, HEAD
from certworker.store.tables.operations import IN_PROGRESS, OPERATION
from certworker.store.transaction import Transaction

_BEFORE: Final = bindparam("before", type_=UnixTime())
_MOST: Final = bindparam("most", type_=Integer())
_AFTER: Final = bindparam("after", type_=Integer())
_FIRST: Final = bindparam("first", type_=Integer())
_LAST: Final = bindparam("last", type_=Integer())

_READ: Final = select(func.coalesce(func.min(CURSOR.c.sequence), 0)).scalar_subquery()
_EVENTS: Final = (
    select(EVENT.c.sequence.label("number"), EVENT.c.at)
    .where(EVENT.c.sequence > _AFTER, EVENT.c.sequence < _READ)
    .order_by(EVENT.c.sequence)
    .limit(_MOST)
)
_FORGET_EVENTS: Final = delete(EVENT).where(EVENT.c.sequence.between(_FIRST, _LAST), EVENT.c.at < _BEFORE)

_OPERATIONS: Final = (
    select(OPERATION.c.number, OPERATION.c.created.label("at"))
    .where(OPERATION.c.number > _AFTER)
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
    OPERATION.c.number.between(_FIRST, _LAST),
    OPERATION.c.updated < _BEFORE,
    and_(~IN_PROGRESS, _HAS_LATER, ~_IS_CURRENT, ~_IS_VALID),
)


class HistoryReader(Transaction):
    """What can be asked of what lies behind."""

    def end_of_events(self, before: datetime, at: datetime, after: int, limit: int) -> int | None:
        """Give the number of the last of the events that come after a number and that every listener has read."""
        return self._end_of(_EVENTS, before, at, after, limit)

    def end_of_operations(self, before: datetime, at: datetime, after: int, limit: int) -> int | None:
        """Give the number of the last of the operations that come after a number."""
        return self._end_of(_OPERATIONS, before, at, after, limit)

    def _end_of(self, wanted: Select[Any], before: datetime, at: datetime, after: int, limit: int) -> int | None:
        rows = self._all(wanted, after=after, most=limit)
        # what a clock was ahead for keeps no others
        return int(rows[-1].number) if any(row.at < before or row.at > at for row in rows) else None


class HistoryWriter(HistoryReader):
    """What can be forgotten."""

    def forget_events(self, before: datetime, first: int, last: int) -> int:
        """Delete events that are from before a time, of those from a number to a number; give the count."""
        return self._change(_FORGET_EVENTS, before=before, first=first, last=last)

    def forget_operations(self, before: datetime, first: int, last: int) -> int:
        """Delete operations that ended before a time, of those from a number to a number; journal and evidence go with them."""
        return self._change(_FORGET_OPERATIONS, before=before, first=first, last=last)
