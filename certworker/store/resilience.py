"""Gates, memories of failures and budgets: what is asked and what is changed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, delete, func, or_, select, type_coerce, update

from certworker.settings.rates import Rate
from certworker.store.claims import operation_waits, renewal_waits
from certworker.store.columns import UnixTime
from certworker.store.gates import asked_issuer, gate_of
from certworker.store.tables.certificates import CERTIFICATE, certificate_record
from certworker.store.tables.operations import OPERATION, operation_record
from certworker.store.tables.resilience import (
    BUCKET,
    FAILURE_MEMORY,
    GATE,
    gate_record,
    gate_values,
    memory_record,
    memory_values,
)
from certworker.store.tables.watches import WATCH
from certworker.store.transaction import Transaction
from certworker.vault.objects import fold_name
from certworker.vault.operations import Certificate, Operation
from certworker.vault.resilience.gates import LONGEST_REST, Gate, GateReason
from certworker.vault.resilience.memory import FailureMemory, MemoryKey
from certworker.vault.resilience.ports import ROUNDING_SECONDS, Bucket, SpentBucket

LONGEST_SPREAD_SECONDS: Final = 3600
LONGEST_MEMORY: Final = timedelta(days=400)
_SCATTER: Final = 7919
"""A prime: numbers that follow each other are far apart when they are multiplied by it."""

_GATE: Final = select(GATE).where(GATE.c.vault_id == bindparam("vault_id"), GATE.c.folded == bindparam("folded"))
_GATES: Final = select(GATE).order_by(GATE.c.vault_id, GATE.c.folded)
_MEMORY: Final = select(FAILURE_MEMORY).where(
    FAILURE_MEMORY.c.ca == bindparam("ca"), FAILURE_MEMORY.c.names == bindparam("names")
)
_BUCKET: Final = select(BUCKET.c.full_at).where(BUCKET.c.kind == bindparam("kind"), BUCKET.c.key == bindparam("key"))


_FULL: Final = delete(BUCKET).where(BUCKET.c.full_at <= bindparam("until", type_=BUCKET.c.full_at.type))
_LONG_AGO: Final = delete(FAILURE_MEMORY).where(FAILURE_MEMORY.c.updated <= bindparam("until", type_=UnixTime()))


_SPENT: Final = select(BUCKET.c.kind, BUCKET.c.key, BUCKET.c.full_at).where(BUCKET.c.full_at > bindparam("now"))


def _behind_budgets() -> Select[Any]:
    due = CERTIFICATE.c.due_at <= bindparam("at", type_=UnixTime())
    return (
        select(GATE.c.vault_id, GATE.c.folded, func.count().label("renewals"))
        .select_from(GATE.join(CERTIFICATE, gate_of(CERTIFICATE)))
        .where(GATE.c.reason == GateReason.BUDGET, due, renewal_waits(CERTIFICATE))
        .group_by(GATE.c.vault_id, GATE.c.folded)
    )


_BEHIND_BUDGETS: Final = _behind_budgets()
_USED_UP: Final = select(GATE.c.folded).where(GATE.c.reason == GateReason.BUDGET).limit(1)


def _stalled_renewals() -> Select[Any]:
    free = or_(CERTIFICATE.c.lease_until.is_(None), CERTIFICATE.c.lease_until <= bindparam("at", type_=UnixTime()))
    behind = and_(GATE.c.closed_until.is_not(None), CERTIFICATE.c.due_at <= bindparam("at", type_=UnixTime()))
    wanted = and_(func.upper(CERTIFICATE.c.issuer) == bindparam("issuer"), CERTIFICATE.c.route.is_(None), free)
    return (
        select(CERTIFICATE)
        .select_from(CERTIFICATE.outerjoin(GATE, gate_of(CERTIFICATE)))
        .where(wanted, or_(behind, CERTIFICATE.c.failures > 0), renewal_waits(CERTIFICATE))
        .order_by(CERTIFICATE.c.deadline.asc().nulls_last(), CERTIFICATE.c.number)
        .limit(bindparam("most"))
    )


def _stalled_operations() -> Select[Any]:
    free = or_(OPERATION.c.lease_until.is_(None), OPERATION.c.lease_until <= bindparam("at", type_=UnixTime()))
    wanted = and_(func.upper(OPERATION.c.issuer) == bindparam("issuer"), OPERATION.c.cancellation_requested.is_(False), free)
    return (
        select(OPERATION)
        .select_from(OPERATION.outerjoin(GATE, gate_of(OPERATION)))
        .where(wanted, or_(GATE.c.closed_until.is_not(None), OPERATION.c.failures > 0), operation_waits(OPERATION))
        .order_by(OPERATION.c.deadline.asc().nulls_last(), OPERATION.c.number)
        .limit(bindparam("most"))
    )


_STALLED_RENEWALS: Final = _stalled_renewals()
_STALLED_OPERATIONS: Final = _stalled_operations()


class ResilienceReader(Transaction):
    """What can be asked of gates, memories and budgets."""

    def gate(self, vault_id: str, issuer: str) -> Gate | None:
        """Find the gate of an issuer."""
        row = self._one(_GATE, vault_id=vault_id, folded=fold_name(issuer))
        return gate_record(row) if row else None

    def gates(self) -> tuple[Gate, ...]:
        """List every gate."""
        return tuple(map(gate_record, self._all(_GATES)))

    def failure_memory(self, key: MemoryKey) -> FailureMemory | None:
        """Find what is remembered of failures."""
        row = self._one(_MEMORY, ca=key.ca, names=key.names)
        return memory_record(row) if row else None

    def token_at(self, bucket: Bucket, rate: Rate, at: datetime) -> datetime:
        """Tell when a bucket has its next token."""
        row = self._one(_BUCKET, kind=bucket.kind, key=bucket.key)
        return _time(row.full_at - rate.slack.total_seconds()) if row else at

    def spent_buckets(self, at: datetime) -> tuple[SpentBucket, ...]:
        """List the buckets that are not full at a time."""
        # plain tuples, of which there may be one for each certificate: the garbage collector does not look at them
        return tuple((row.kind, row.key, row.full_at) for row in self._all(_SPENT, now=at.timestamp()))

    def renewals_behind_budgets(self, at: datetime) -> Mapping[tuple[str, str], int]:
        """Count the renewals that wait for the budget of an account: (vault's id, issuer's folded name) -> count."""
        # there is mostly none, and it is not for that that all that is due is gone through
        rows = self._all(_BEHIND_BUDGETS, at=at) if self._one(_USED_UP) else ()
        return MappingProxyType({(row.vault_id, row.folded): int(row.renewals) for row in rows})

    def stalled_renewals(self, issuer: str, at: datetime, limit: int) -> tuple[Certificate, ...]:
        """List certificates whose renewal waits at an issuer for its gate, or after failures."""
        return tuple(map(certificate_record, self._all(_STALLED_RENEWALS, issuer=fold_name(issuer), at=at, most=limit)))

    def stalled_operations(self, issuer: str, at: datetime, limit: int) -> tuple[Operation, ...]:
        """List operations that wait likewise."""
        return tuple(map(operation_record, self._all(_STALLED_OPERATIONS, issuer=fold_name(issuer), at=at, most=limit)))


class ResilienceWriter(ResilienceReader):
    """What can be changed in gates, memories and budgets."""

    def hold_gate(self, vault_id: str, issuer: str) -> Gate:
        """Find or make a gate, and keep others from changing it until the transaction ends."""
        fresh = Gate(vault_id, issuer)
        self._try_add(GATE, gate_values(fresh))
        row = self._one(_GATE.with_for_update(), vault_id=vault_id, folded=fold_name(issuer))
        return gate_record(row) if row else fresh

    def put_gate(self, gate: Gate) -> None:
        """Replace a gate."""
        self._put(GATE, gate_values(gate), key=("vault_id", "folded"), keep=("issuer",))

    def put_failure_memory(self, memory: FailureMemory) -> None:
        """Add or replace what is remembered."""
        self._put(FAILURE_MEMORY, memory_values(memory), key=("ca", "names"))

    def forget_failures(self, key: MemoryKey) -> None:
        """Forget what is remembered."""
        self._delete(FAILURE_MEMORY, {"ca": key.ca, "names": key.names})

    def spend(self, bucket: Bucket, rate: Rate, at: datetime) -> bool:
        """Take a token, if there is one."""
        latest = at.timestamp() + rate.slack.total_seconds() + ROUNDING_SECONDS
        return self._take(bucket, rate, at, BUCKET.c.full_at <= latest) is not None

    def reserve(self, bucket: Bucket, rate: Rate, at: datetime) -> datetime:
        """Take the next token; tell when it will be there."""
        full_at = self._take(bucket, rate, at, None)
        return _time((full_at or at.timestamp()) - rate.period.total_seconds())

    def _take(self, bucket: Bucket, rate: Rate, at: datetime, only: ColumnElement[bool] | None) -> float | None:
        # the generic cell rate algorithm: the whole state is the time at which the bucket will be full again
        now, interval = at.timestamp(), rate.interval.total_seconds()
        statement = self._insert(BUCKET).values(kind=bucket.kind, key=bucket.key, full_at=now + interval)
        full_at = case((BUCKET.c.full_at > now, BUCKET.c.full_at), else_=now) + interval
        taking = statement.on_conflict_do_update(index_elements=["kind", "key"], set_={"full_at": full_at}, where=only)
        row = self._one(taking.returning(BUCKET.c.full_at))
        return float(row.full_at) if row else None

    def spread(self, vault_id: str, issuer: str, at: datetime) -> int:
        """Spread what waits for an issuer and is due, a second for each, over an hour at the most."""
        tables = ((CERTIFICATE, CERTIFICATE.c.due_at.is_not(None)), (OPERATION, operation_waits(OPERATION)))
        places = [
            and_(table.c.vault_id == vault_id, asked_issuer(table) == fold_name(issuer), waits, table.c.due_at <= at)
            for table, waits in tables
        ]
        counts = [
            self._count(select(func.count()).select_from(table).where(place))
            for (table, _), place in zip(tables, places, strict=True)
        ]
        seconds = min(sum(counts), LONGEST_SPREAD_SECONDS)
        if seconds > 1:
            start = int(at.timestamp())
            for (table, _), place in zip(tables, places, strict=True):
                later = type_coerce(start + table.c.number * _SCATTER % seconds, UnixTime())
                self._change(update(table).where(place, table.c.lease_owner.is_(None)).values(due_at=later))
        return sum(counts)

    def set_route(self, vault_id: str, name: str, issuer: str | None) -> None:
        """Send a certificate's next renewal to another issuer."""
        self._update(CERTIFICATE, {"vault_id": vault_id, "folded": fold_name(name)}, {"route": issuer})

    def clear_routes(self, vault_id: str, issuer: str) -> None:
        """Send what was sent elsewhere to its own issuer again."""
        this = and_(CERTIFICATE.c.vault_id == vault_id, func.upper(CERTIFICATE.c.issuer) == fold_name(issuer))
        self._change(update(CERTIFICATE).where(this, CERTIFICATE.c.route.is_not(None)).values(route=None))

    def forget_spent(self, at: datetime) -> int:
        """Forget full buckets, and failures of a long time ago."""
        return self._change(_FULL, until=at.timestamp()) + self._change(_LONG_AGO, until=at - LONGEST_MEMORY)

    def forget_future(self, at: datetime, seen: datetime) -> int:
        """Forget what was noted by a clock that went ahead."""
        early = and_(operation_waits(OPERATION), OPERATION.c.updated > at, OPERATION.c.due_at > at)
        changes = (
            delete(BUCKET).where(BUCKET.c.full_at > seen.timestamp()),
            delete(FAILURE_MEMORY).where(FAILURE_MEMORY.c.updated > at),
            update(GATE).where(GATE.c.closed_until > at + LONGEST_REST).values(closed_until=at),
            update(OPERATION).where(early, OPERATION.c.lease_owner.is_(None)).values(due_at=at),
            update(WATCH).where(WATCH.c.due_at > seen, WATCH.c.lease_owner.is_(None)).values(due_at=at),
        )
        return sum(map(self._change, changes))

    def _count(self, statement: Select[Any]) -> int:
        row = self._one(statement)
        return int(row[0]) if row else 0


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
