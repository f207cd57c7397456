"""Claims: how any number of workers share what is due, each thing taken by one of them.

A claim is one conditional UPDATE. On PostgreSQL its subselect locks the row that it chose and skips those that others hold,
so workers do not wait for each other; on SQLite the transaction has the only write lock. Leases are whole seconds: by the
database's clock on PostgreSQL (workers' clocks may differ), from the caller's time on SQLite (one machine, perhaps a virtual
clock).
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Row,
    Table,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
    union,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from certworker.store.columns import SourceText, UnixTime, WatchText
from certworker.store.gates import is_shut, let_through, probing
from certworker.store.living import is_live
from certworker.store.tables.certificates import CERTIFICATE, certificate_record
from certworker.store.tables.keys import KEY_ROTATION, rotation_record
from certworker.store.tables.notices import NOTICE, notice_record
from certworker.store.tables.objects import CERTIFICATE_VERSION, HEAD
from certworker.store.tables.operations import OPERATION, operation_record
from certworker.store.tables.revocation import REVOCATION_SOURCE, source_record
from certworker.store.tables.watches import WATCH, watch_record
from certworker.store.transaction import Transaction
from certworker.vault.notification.ledger import OPEN, Notice
from certworker.vault.notification.message import Severity
from certworker.vault.objects import fold_name
from certworker.vault.operations import Certificate, Operation
from certworker.vault.resilience.gates import PROBE_TIME
from certworker.vault.revocation.sources import Source, SourceKind
from certworker.vault.rotation_policy import KeyRotation
from certworker.vault.watches import Watch, WatchKind

_IN_PROGRESS: ColumnElement[str] = literal_column("'inProgress'")
_CERTIFICATE_KIND: ColumnElement[str] = literal_column("'certificate'")
_KEY_KIND: ColumnElement[str] = literal_column("'key'")
_DATABASE_CLOCK = cast(func.floor(func.extract("epoch", func.now())), BigInteger)
_CALLERS_CLOCK = cast(bindparam("at", type_=UnixTime()), BigInteger)


def operation_waits(operation: FromClause) -> ColumnElement[bool]:
    """Tell the operations that a worker will have to look at, now or later."""
    return and_(operation.c.status == _IN_PROGRESS, operation.c.due_at.is_not(None), is_live(operation))


def renewal_waits(certificate: FromClause) -> ColumnElement[bool]:
    """Tell the certificates that a worker will have to renew: live, enabled, and with no operation in progress."""
    current = exists().where(
        HEAD.c.vault_id == certificate.c.vault_id,
        HEAD.c.kind == _CERTIFICATE_KIND,
        HEAD.c.folded == certificate.c.folded,
        HEAD.c.deleted_at.is_(None),
        CERTIFICATE_VERSION.c.vault_id == HEAD.c.vault_id,
        CERTIFICATE_VERSION.c.folded == HEAD.c.folded,
        CERTIFICATE_VERSION.c.version == HEAD.c.current_version,
        CERTIFICATE_VERSION.c.enabled,
    )
    busy = exists().where(
        OPERATION.c.vault_id == certificate.c.vault_id,
        OPERATION.c.folded == certificate.c.folded,
        OPERATION.c.status == _IN_PROGRESS,
    )
    return and_(certificate.c.due_at.is_not(None), current, ~busy, is_live(certificate))


def rotation_waits(rotation: FromClause) -> ColumnElement[bool]:
    """Tell the keys that a worker will have to rotate: live ones whose policy says so."""
    live = exists().where(
        HEAD.c.vault_id == rotation.c.vault_id,
        HEAD.c.kind == _KEY_KIND,
        HEAD.c.folded == rotation.c.folded,
        HEAD.c.deleted_at.is_(None),
    )
    return and_(rotation.c.due_at.is_not(None), live, is_live(rotation))


def watch_waits(watch: FromClause) -> ColumnElement[bool]:
    """Tell the watches that a worker will have to look at: over live certificates whose current version they are about."""
    current = exists().where(
        HEAD.c.vault_id == watch.c.vault_id,
        HEAD.c.kind == _CERTIFICATE_KIND,
        HEAD.c.folded == watch.c.folded,
        HEAD.c.deleted_at.is_(None),
        HEAD.c.current_version == watch.c.version,
    )
    return and_(watch.c.due_at.is_not(None), current, is_live(watch))


def notice_waits(notice: FromClause) -> ColumnElement[bool]:
    """Tell the notices that are still to go out."""
    return and_(notice.c.status.in_(OPEN), notice.c.due_at.is_not(None), is_live(notice))


def due(table: FromClause) -> ColumnElement[datetime]:
    """Tell when a row can be claimed: when it is due, and its lease has run out."""
    return case((table.c.lease_until > table.c.due_at, table.c.lease_until), else_=table.c.due_at)


def _claim(
    table: Table,
    candidate: FromClause,
    waits: ColumnElement[bool],
    now: ColumnElement[int],
    *order: ColumnElement[Any],
    by_urgency: bool = False,
) -> ReturningUpdate[Any]:
    lease_until = type_coerce(candidate.c.lease_until, BigInteger)
    free = or_(lease_until.is_(None), lease_until <= now)
    # the index of urgency is walked until the first that can be had: where thousands are due, the index of times would have
    # them all sorted for each claim. What is added to the time keeps it out.
    due_at = type_coerce(candidate.c.due_at, BigInteger)
    has_come = (due_at + literal_column("0") if by_urgency else due_at) <= cast(bindparam("at", type_=UnixTime()), BigInteger)
    chosen = (
        select(candidate.c.number)
        .where(waits, has_come, free)
        .order_by(*order, candidate.c.due_at, candidate.c.number)
        .limit(1)
        .with_for_update(skip_locked=True, of=candidate)
        .scalar_subquery()
    )
    lease = {
        "lease_owner": bindparam("owner"),
        "lease_until": type_coerce(now + bindparam("lease", type_=BigInteger()), UnixTime()),
        "fence": table.c.fence + 1,
    }
    return update(table).where(table.c.number == chosen).values(lease).returning(*table.c)


def _claim_operation(now: ColumnElement[int]) -> ReturningUpdate[Any]:
    candidate = OPERATION.alias("candidate")
    waits = and_(let_through(candidate), operation_waits(candidate))
    return _claim(OPERATION, candidate, waits, now, candidate.c.deadline.asc().nulls_last(), by_urgency=True)


def _claim_renewal(now: ColumnElement[int]) -> ReturningUpdate[Any]:
    candidate = CERTIFICATE.alias("candidate")
    # the gate first: behind a closed one there may be thousands, and it is found sooner than what else has to be true
    waits = and_(let_through(candidate), renewal_waits(candidate))
    return _claim(CERTIFICATE, candidate, waits, now, candidate.c.deadline.asc().nulls_last(), by_urgency=True)


def _claim_rotation(now: ColumnElement[int]) -> ReturningUpdate[Any]:
    candidate = KEY_ROTATION.alias("candidate")
    return _claim(KEY_ROTATION, candidate, rotation_waits(candidate), now)


def _claim_watch(now: ColumnElement[int]) -> ReturningUpdate[Any]:
    candidate = WATCH.alias("candidate")
    wanted = candidate.c.what == bindparam("kind_of_watch", type_=WatchText())
    return _claim(WATCH, candidate, and_(wanted, watch_waits(candidate)), now)


def _claim_source(now: ColumnElement[int], *, one: bool) -> ReturningUpdate[Any]:
    candidate = REVOCATION_SOURCE.alias("candidate")
    wanted = [candidate.c.kind == bindparam("kind_of_source", type_=SourceText()), candidate.c.due_at.is_not(None)]
    if one:
        wanted += [candidate.c.url == bindparam("wanted_url"), candidate.c.signer == bindparam("wanted_signer")]
    return _claim(REVOCATION_SOURCE, candidate, and_(*wanted), now)


def _claim_notice(now: ColumnElement[int]) -> ReturningUpdate[Any]:
    candidate = NOTICE.alias("candidate")
    others = candidate.c.address.not_in(bindparam("besides", expanding=True))
    wanted = and_(candidate.c.channel == bindparam("wanted_channel"), others, notice_waits(candidate))
    urgency = case((candidate.c.severity == Severity.CRITICAL, 0), (candidate.c.severity == Severity.WARNING, 1), else_=2)
    return _claim(NOTICE, candidate, wanted, now, urgency)


_OPERATION_ON_POSTGRESQL: Final = _claim_operation(_DATABASE_CLOCK)
_OPERATION_ON_SQLITE: Final = _claim_operation(_CALLERS_CLOCK)
_RENEWAL_ON_POSTGRESQL: Final = _claim_renewal(_DATABASE_CLOCK)
_RENEWAL_ON_SQLITE: Final = _claim_renewal(_CALLERS_CLOCK)


_ROTATION_ON_POSTGRESQL: Final = _claim_rotation(_DATABASE_CLOCK)
_ROTATION_ON_SQLITE: Final = _claim_rotation(_CALLERS_CLOCK)
_WATCH_ON_POSTGRESQL: Final = _claim_watch(_DATABASE_CLOCK)
_WATCH_ON_SQLITE: Final = _claim_watch(_CALLERS_CLOCK)
_SOURCE_ON_POSTGRESQL: Final = tuple(_claim_source(_DATABASE_CLOCK, one=one) for one in (False, True))
_SOURCE_ON_SQLITE: Final = tuple(_claim_source(_CALLERS_CLOCK, one=one) for one in (False, True))
_NOTICE_ON_POSTGRESQL: Final = _claim_notice(_DATABASE_CLOCK)
_NOTICE_ON_SQLITE: Final = _claim_notice(_CALLERS_CLOCK)
_PROBING: Final = probing()
_IS_SHUT: Final = is_shut()
_LEASED: Final = (OPERATION, CERTIFICATE, KEY_ROTATION, WATCH, REVOCATION_SOURCE, NOTICE)


class Claims(Transaction):
    """Takes what is due, for one worker and for the time of a lease."""

    def claim_operation(self, owner: str, at: datetime, lease: timedelta) -> Operation | None:
        """Claim the most urgent of the operations in progress that are due at `at`, and under no lease."""
        statement = _OPERATION_ON_POSTGRESQL if self._on_postgresql else _OPERATION_ON_SQLITE
        while row := self._one(statement, owner=owner, at=at, lease=_seconds(lease)):
            operation = operation_record(row)
            if operation.cancellation_requested or self._goes_through(OPERATION, row, operation.policy.issuer.name, at):
                return operation
        return None

    def claim_renewal(self, owner: str, at: datetime, lease: timedelta) -> Certificate | None:
        """Claim the most urgent of the live, enabled certificates that are due at `at` and have no operation in progress."""
        statement = _RENEWAL_ON_POSTGRESQL if self._on_postgresql else _RENEWAL_ON_SQLITE
        while row := self._one(statement, owner=owner, at=at, lease=_seconds(lease)):
            certificate = certificate_record(row)
            if self._goes_through(CERTIFICATE, row, certificate.asked_issuer, at):
                return certificate
        return None

    def claim_rotation(self, owner: str, at: datetime, lease: timedelta) -> KeyRotation | None:
        """Claim a live key whose rotation has been due the longest at `at`, and is under no lease."""
        statement = _ROTATION_ON_POSTGRESQL if self._on_postgresql else _ROTATION_ON_SQLITE
        row = self._one(statement, owner=owner, at=at, lease=_seconds(lease))
        return rotation_record(row) if row else None

    def claim_watch(self, kind: WatchKind, owner: str, at: datetime, lease: timedelta) -> Watch | None:
        """Claim the watch of a kind that has been due the longest at `at`, and is under no lease."""
        statement = _WATCH_ON_POSTGRESQL if self._on_postgresql else _WATCH_ON_SQLITE
        row = self._one(statement, kind_of_watch=kind, owner=owner, at=at, lease=_seconds(lease))
        return watch_record(row) if row else None

    def claim_source(self, place: tuple[str, str] | None, owner: str, at: datetime, lease: timedelta) -> Source | None:
        """Claim a list that is due at `at` and under no lease: that of a URL and a signer, or what has waited the longest."""
        statements = _SOURCE_ON_POSTGRESQL if self._on_postgresql else _SOURCE_ON_SQLITE
        values = {} if place is None else {"wanted_url": place[0], "wanted_signer": place[1]}
        row = self._one(
            statements[place is not None], kind_of_source=SourceKind.LIST, owner=owner, at=at, lease=_seconds(lease), **values
        )
        return source_record(row) if row else None

    def claim_delivery(
        self, channel: str, owner: str, at: datetime, lease: timedelta, besides: Collection[str] = ()
    ) -> Notice | None:
        """Claim the most severe notice of a channel that is due at `at` and under no lease, of those the oldest.

        What goes to the addresses `besides` is left.
        """
        statement = _NOTICE_ON_POSTGRESQL if self._on_postgresql else _NOTICE_ON_SQLITE
        values = {"owner": owner, "at": at, "lease": _seconds(lease), "besides": sorted(besides)}
        row = self._one(statement, wanted_channel=channel, **values)
        return notice_record(row) if row else None

    def _goes_through(self, table: Table, row: Row[Any], issuer: str, at: datetime) -> bool:
        """Become the probe of a gate in trouble; where another worker's claim was quicker, the claim is given up again."""
        place = {"of_vault": row.vault_id, "of_issuer": fold_name(issuer), "of_name": row.folded}
        if self._change(_PROBING, **place, at=at, until=at + PROBE_TIME) or not self._one(_IS_SHUT, **place, at=at):
            return True
        self._change(update(table).where(table.c.number == row.number).values(lease_owner=None, lease_until=None))
        return False

    def lease_owners(self) -> tuple[str, ...]:
        """List who holds a lease, or held one that was not ended."""
        held = (select(table.c.lease_owner).where(table.c.lease_owner.is_not(None)) for table in _LEASED)
        return tuple(row[0] for row in self._all(union(*held)))

    def release_leases(self, owner: str) -> None:
        """End every lease of an owner that is gone. The fence stays, and moves on with the next claim."""
        for table in _LEASED:
            self._change(update(table).where(table.c.lease_owner == owner).values(lease_owner=None, lease_until=None))


def _seconds(lease: timedelta) -> int:
    return lease // timedelta(seconds=1)
