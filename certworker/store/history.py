"""What lies long behind: events and operations that are forgotten."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Integer, Select, and_, bindparam, delete, exists, func, or_, select

from certworker.store.columns import UnixTime
from certworker.store.tables.events import CURSOR, EVENT
from certworker.store.tables.objects import CERTIFICATE_VERSION, HEAD
from certworker.store.tables.operations import OPERATION
from certworker.store.transaction import Transaction
from certworker.vault.operations import OperationStatus

_BEFORE: Final = bindparam("before", type_=UnixTime())
_MOST: Final = bindparam("most", type_=Integer())
_AFTER: Final = bindparam("after", type_=BigInteger())
_FIRST: Final = bindparam("first", type_=BigInteger())
_LAST: Final = bindparam("last", type_=BigInteger())

_READ: Final = select(func.coalesce(func.min(CURSOR.c.sequence), 0)).scalar_subquery()
_EVENTS: Final = (
    select(EVENT.c.sequence.label("number"), EVENT.c.at)
    .where(EVENT.c.sequence > _AFTER, EVENT.c.sequence < _READ)
    .order_by(EVENT.c.sequence)
    .limit(_MOST)
)
_OLD_EVENT: Final = EVENT.alias("old")
_OLD_EVENTS: Final = (
    select(_OLD_EVENT.c.sequence)
    .where(_OLD_EVENT.c.sequence.between(_FIRST, _LAST), _OLD_EVENT.c.at < _BEFORE)
    # of two that delete the same the database would give one up: who is at it already, goes on
    .with_for_update(skip_locked=True)
)
_FORGET_EVENTS: Final = delete(EVENT).where(EVENT.c.sequence.in_(_OLD_EVENTS))

_OPERATIONS: Final = (
    select(OPERATION.c.number, OPERATION.c.created.label("at"))
    .where(OPERATION.c.number > _AFTER)
    .order_by(OPERATION.c.number)
    .limit(_MOST)
)
_OLD: Final = OPERATION.alias("old")
_LATER: Final = OPERATION.alias("later")
_HAS_LATER: Final = exists().where(
    _LATER.c.vault_id == _OLD.c.vault_id, _LATER.c.folded == _OLD.c.folded, _LATER.c.number > _OLD.c.number
)
_IS_CURRENT: Final = exists().where(
    HEAD.c.vault_id == _OLD.c.vault_id,
    HEAD.c.kind == _OLD.c.kind,
    HEAD.c.folded == _OLD.c.folded,
    HEAD.c.current_version == _OLD.c.version,
)
_IS_VALID: Final = exists().where(
    CERTIFICATE_VERSION.c.vault_id == _OLD.c.vault_id,
    CERTIFICATE_VERSION.c.folded == _OLD.c.folded,
    CERTIFICATE_VERSION.c.version == _OLD.c.version,
    or_(CERTIFICATE_VERSION.c.expires.is_(None), CERTIFICATE_VERSION.c.expires >= _BEFORE),
)
_OLD_OPERATIONS: Final = (
    select(_OLD.c.number)
    .where(
        _OLD.c.number.between(_FIRST, _LAST),
        _OLD.c.updated < _BEFORE,
        _OLD.c.status != OperationStatus.IN_PROGRESS,
        and_(_HAS_LATER, ~_IS_CURRENT, ~_IS_VALID),
    )
    .with_for_update(skip_locked=True)
)
_FORGET_OPERATIONS: Final = delete(OPERATION).where(OPERATION.c.number.in_(_OLD_OPERATIONS))


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
