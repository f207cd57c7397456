"""The summary of the fleet: what is asked and what is changed."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Executable, bindparam, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from certworker.store.columns import MeasureText, UnixTime
from certworker.store.failures import fail
from certworker.store.fleet import FleetReader, at_places, pairs
from certworker.store.tables.certificates import CERTIFICATE
from certworker.store.tables.row import Values
from certworker.store.tables.summary import FLEET_CHANGE, FLEET_COUNT, FLEET_MEMBER, member_record, member_values
from certworker.store.tables.watches import WATCH, watch_record
from certworker.store.transaction import insertion
from certworker.vault.summary.port import PendingOperations
from certworker.vault.summary.records import HOURS_A_DAY, CountKey, Measure, Member, Place
from certworker.vault.watches import Watch

SUMMARY_LOCK: Final = 0x63657274_73756D6D
"""The advisory lock of whoever takes changes in: "certsumm" in ASCII."""
_TRY_LOCK: Final = select(func.pg_try_advisory_xact_lock(SUMMARY_LOCK).label("held"))

_KEY: Final = ("measure", "vault", "issuer", "word", "hour")
_MEASURE: Final = bindparam("measure", type_=MeasureText())
_COUNTS: Final = select(FLEET_COUNT).where(
    FLEET_COUNT.c.measure.in_(bindparam("measures", expanding=True, type_=MeasureText()))
)
_AHEAD: Final = FLEET_COUNT.c.hour - bindparam("hour")
_DAY: Final = (_AHEAD // HOURS_A_DAY).label("day")
_TOTAL: Final = func.sum(FLEET_COUNT.c.number).label("total")
_BY_DAY: Final = (
    select(FLEET_COUNT.c.issuer, _DAY, _TOTAL).where(FLEET_COUNT.c.measure == _MEASURE, _AHEAD >= 0).group_by("issuer", "day")
)
_BEFORE: Final = (
    select(FLEET_COUNT.c.issuer, _TOTAL).where(FLEET_COUNT.c.measure == _MEASURE, _AHEAD < 0).group_by(FLEET_COUNT.c.issuer)
)
_EXPIRED: Final = (
    select(FLEET_MEMBER.c.issuer, func.count().label("total"))
    .where(
        FLEET_MEMBER.c.enabled,
        FLEET_MEMBER.c.not_after >= bindparam("start", type_=UnixTime()),
        FLEET_MEMBER.c.not_after <= bindparam("at", type_=UnixTime()),
    )
    .group_by(FLEET_MEMBER.c.issuer)
)
_PENDING: Final = (
    select(
        FLEET_MEMBER.c.vault,
        FLEET_MEMBER.c.issuer,
        func.count().label("total"),
        func.min(FLEET_MEMBER.c.pending_since).label("oldest"),
    )
    .where(FLEET_MEMBER.c.pending_since.is_not(None))
    .group_by(FLEET_MEMBER.c.vault, FLEET_MEMBER.c.issuer)
)
_URGENT: Final = (
    select(FLEET_MEMBER)
    .order_by(FLEET_MEMBER.c.urgency, FLEET_MEMBER.c.urgent_at, FLEET_MEMBER.c.vault_id, FLEET_MEMBER.c.folded)
    .limit(bindparam("most"))
)
_URGENT_OF_VAULT: Final = _URGENT.where(FLEET_MEMBER.c.vault_id == bindparam("vault_id"))
_MEMBERS: Final = select(func.count().label("total")).select_from(FLEET_MEMBER)
_CHANGES: Final = select(func.count().label("total")).select_from(FLEET_CHANGE)
_OLDEST: Final = select(FLEET_CHANGE.c.number).order_by(FLEET_CHANGE.c.number).limit(bindparam("most"))
_TAKE: Final = (
    delete(FLEET_CHANGE)
    .where(FLEET_CHANGE.c.number.in_(_OLDEST.scalar_subquery()))
    .returning(FLEET_CHANGE.c.vault_id, FLEET_CHANGE.c.folded)
)
_WATCHES: Final = select(WATCH).where(at_places(WATCH))
_AT: Final = select(FLEET_MEMBER).where(at_places(FLEET_MEMBER))
_LEAVE: Final = delete(FLEET_MEMBER).where(at_places(FLEET_MEMBER))
_NONE_LEFT: Final = delete(FLEET_COUNT).where(
    *(FLEET_COUNT.c[name] == bindparam(f"of_{name}", type_=FLEET_COUNT.c[name].type) for name in _KEY),
    FLEET_COUNT.c.number == 0,
)
_ALL_CHANGED: Final = insert(FLEET_CHANGE).from_select(
    ["vault_id", "folded"], select(CERTIFICATE.c.vault_id, CERTIFICATE.c.folded)
)


class SummaryReader(FleetReader):
    """What can be asked of the summary."""

    def counts(self, *measures: Measure) -> Mapping[CountKey, int]:
        """Give the counts of measures that have no time."""
        rows = self._all(_COUNTS, measures=list(measures))
        found = {CountKey(row.measure, row.vault, row.issuer, row.word, row.hour): int(row.number) for row in rows}
        return MappingProxyType(found)

    def counts_by_day(self, measure: Measure, hour: int) -> Mapping[tuple[str, int], int]:
        """Count what has a time by issuer and day: 0 begins with the hour, and -1 is all that was before it."""
        found = {(row.issuer, int(row.day)): int(row.total) for row in self._all(_BY_DAY, measure=measure, hour=hour)}
        before = {(row.issuer, -1): int(row.total) for row in self._all(_BEFORE, measure=measure, hour=hour)}
        return MappingProxyType(found | before)

    def expired_in_hour(self, start: datetime, at: datetime) -> Mapping[str, int]:
        """Count enabled members by issuer that expired from the `start` of an hour on, up to a time in it."""
        return MappingProxyType({row.issuer: int(row.total) for row in self._all(_EXPIRED, start=start, at=at)})

    def pending_operations(self) -> tuple[PendingOperations, ...]:
        """Count operations in progress."""
        return tuple(PendingOperations(row.vault, row.issuer, row.total, row.oldest) for row in self._all(_PENDING))

    def members(self, limit: int, vault_id: str | None = None) -> tuple[Member, ...]:
        """List the most urgent members, of all vaults or of one."""
        rows = self._all(_URGENT_OF_VAULT, most=limit, vault_id=vault_id) if vault_id else self._all(_URGENT, most=limit)
        return tuple(map(member_record, rows))

    def count_members(self) -> int:
        """Count the members. Of 100,000 an index is read, and no row."""
        return self._total(_MEMBERS)

    def count_changes(self) -> int:
        """Count the changes that the summary does not have in it yet."""
        return self._total(_CHANGES)

    def _total(self, statement: Executable) -> int:
        row = self._one(statement)
        return int(row.total) if row else 0


class SummaryWriter(SummaryReader):
    """What can be changed in the summary."""

    def take_changes(self, limit: int) -> tuple[Place, ...]:
        """Take the oldest changes away, and tell which certificates they are of; none while somebody else is at it.

        The statements after it see whatever these changes did: on PostgreSQL each has a view of its own, and a change whose
        transaction goes on still was not taken.
        """
        if self._on_postgresql and not self._is_alone():
            return ()
        return tuple(Place(row.vault_id, row.folded) for row in self._all(_TAKE, most=limit))

    def _is_alone(self) -> bool:
        row = self._one(_TRY_LOCK)
        return bool(row and row.held)

    def watches_at(self, places: Iterable[Place]) -> tuple[Watch, ...]:
        """List the watches over certificates."""
        return tuple(map(watch_record, self._all(_WATCHES, places=pairs(places))))

    def members_at(self, places: Iterable[Place]) -> Mapping[Place, Member]:
        """Find members as they were."""
        found = map(member_record, self._all(_AT, places=pairs(places)))
        return MappingProxyType({member.place: member for member in found})

    def put_members(self, members: Iterable[Member]) -> None:
        """Add or replace members."""
        rows = [member_values(member) for member in members]
        if rows:
            self._many(_putting_member(tuple(rows[0]), on_postgresql=self._on_postgresql), rows)

    def delete_members(self, places: Iterable[Place]) -> None:
        """Delete members."""
        if gone := pairs(places):
            self._change(_LEAVE, places=gone)

    def add_counts(self, changes: Mapping[CountKey, int]) -> None:
        """Add to the counts, or take from them; a count of none is forgotten."""
        rows = [{name: getattr(key, name) for name in _KEY} | {"number": number} for key, number in changes.items()]
        if not rows:
            return
        self._many(_adding_count(on_postgresql=self._on_postgresql), rows)
        fewer = [{f"of_{name}": row[name] for name in _KEY} for row in rows if row["number"] < 0]
        if fewer:
            self._many(_NONE_LEFT, fewer)

    def begin_anew(self) -> None:
        """Forget all, and note every certificate as changed."""
        for table in (FLEET_MEMBER, FLEET_COUNT, FLEET_CHANGE):
            self._change(delete(table))
        self._change(_ALL_CHANGED)

    def _many(self, statement: Executable, rows: list[Values]) -> None:
        try:
            self._connection.execute(statement, rows)
        except SQLAlchemyError as error:
            fail(error)


@cache
def _putting_member(columns: tuple[str, ...], *, on_postgresql: bool) -> Executable:
    statement = insertion(FLEET_MEMBER, on_postgresql=on_postgresql)
    new: dict[str, Any] = {name: statement.excluded[name] for name in columns if name not in ("vault_id", "folded")}
    return statement.on_conflict_do_update(index_elements=["vault_id", "folded"], set_=new)


@cache
def _adding_count(*, on_postgresql: bool) -> Executable:
    statement = insertion(FLEET_COUNT, on_postgresql=on_postgresql)
    total = FLEET_COUNT.c.number + statement.excluded.number
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_={"number": total})
