"""The port's store, on any of the databases: what opens and ends transactions."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from time import perf_counter

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from certworker.clock import Clock
from certworker.errors import Conflict, Unavailable
from certworker.measures import NO_MEASURES, Measure, Measures
from certworker.store.advice import AdviceReader
from certworker.store.attention import AttentionReader
from certworker.store.audit import AuditReader, AuditWriter
from certworker.store.certificates import CertificateReader, CertificateWriter
from certworker.store.claims import Claims
from certworker.store.consents import ConsentReader, ConsentWriter
from certworker.store.database import DatabaseReader, DatabaseWriter
from certworker.store.events import EventReader, EventWriter
from certworker.store.failures import fail
from certworker.store.glances import Glances, PostgresqlGeneration, SqliteGeneration
from certworker.store.grants import GrantReader, GrantWriter
from certworker.store.group_commit import GroupCommit, begin
from certworker.store.history import HistoryReader, HistoryWriter
from certworker.store.identities import IdentityReader, IdentityWriter
from certworker.store.issuers import IssuerReader, IssuerWriter
from certworker.store.keys import KeyReader, KeyWriter
from certworker.store.notices import NoticeReader, NoticeWriter
from certworker.store.objects import ObjectReader, ObjectWriter
from certworker.store.operations import OperationReader, OperationWriter
from certworker.store.plan import PlanReader
from certworker.store.resilience import ResilienceReader, ResilienceWriter
from certworker.store.resources import ResourceReader, ResourceWriter
from certworker.store.revocation import RevocationReader, RevocationWriter
from certworker.store.rights import RightsReader, RightsWriter
from certworker.store.sealed import SealedReader, SealedWriter
from certworker.store.slots import SlotReader, SlotWriter
from certworker.store.spare_keys import SpareKeyReader, SpareKeyWriter
from certworker.store.stores import StoreReader, StoreWriter
from certworker.store.summary import SummaryReader, SummaryWriter
from certworker.store.vaults import VaultReader, VaultWriter
from certworker.store.watches import WatchReader, WatchWriter
from certworker.vault.audit.trail import current_trace
from certworker.vault.event_lines import log_events
from certworker.vault.store import HotReader, Reader, Writer


class SqlReader(
    VaultReader,
    IssuerReader,
    ObjectReader,
    KeyReader,
    CertificateReader,
    OperationReader,
    EventReader,
    PlanReader,
    ResilienceReader,
    SealedReader,
    WatchReader,
    AdviceReader,
    NoticeReader,
    RevocationReader,
    SpareKeyReader,
    SlotReader,
    ConsentReader,
    RightsReader,
    ResourceReader,
    StoreReader,
    IdentityReader,
    GrantReader,
    AuditReader,
    SummaryReader,
    HistoryReader,
    AttentionReader,
    DatabaseReader,
):
    """A consistent view."""


class SqlWriter(
    VaultWriter,
    IssuerWriter,
    ObjectWriter,
    KeyWriter,
    CertificateWriter,
    OperationWriter,
    Claims,
    EventWriter,
    PlanReader,
    ResilienceWriter,
    SealedWriter,
    WatchWriter,
    AdviceReader,
    NoticeWriter,
    RevocationWriter,
    SpareKeyWriter,
    SlotWriter,
    ConsentWriter,
    RightsWriter,
    ResourceWriter,
    StoreWriter,
    IdentityWriter,
    GrantWriter,
    AuditWriter,
    SummaryWriter,
    HistoryWriter,
    AttentionReader,
    DatabaseWriter,
):
    """A transaction that changes things."""


class SqlStore:
    """A database. Opened after a process has started; its connections are never shared over a fork."""

    def __init__(
        self,
        reading: Engine,
        writing: Engine,
        clock: Clock,
        lock_wait: timedelta,
        measures: Measures = NO_MEASURES,
        *,
        records_acts: bool = True,
    ) -> None:
        self._measures = measures
        for kind in ("read", "write"):
            measures.count(Measure.TRANSACTIONS, kind, "done", by=0)
        self._records_acts = records_acts
        self._reading = reading
        self._writing = writing
        self._clock = clock
        self._generation = SqliteGeneration(str(reading.url.database)) if self.inline_reads else PostgresqlGeneration(reading)
        self._group = GroupCommit(writing, lock_wait.total_seconds()) if self.inline_reads else None
        self._glances = Glances(self._generation, self.reading)

    @property
    def inline_reads(self) -> bool:
        """Whether a hot read is faster where it stands than in a thread of its own (SQLite)."""
        return self._reading.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Open a consistent view. Raises Unavailable."""
        with _Measured(self._measures, "read"):
            connection = begin(self._reading)
            try:
                yield SqlReader(connection, self._clock)
                _commit(connection)  # not a rollback: after one, psycopg forgets the statements that it has prepared
            finally:
                _close(connection)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Open a transaction: committed at the end, rolled back by any exception. Raises Unavailable, Conflict.

        The audit record of what is under way is written in it; where the service acts by itself, one of each event. The log
        has a line of each event once it is committed.
        """
        trace = current_trace()
        with _Measured(self._measures, "write"), self._group.joined() if self._group else self._alone() as connection:
            writer = SqlWriter(connection, self._clock)
            yield writer
            if trace or self._records_acts:
                writer.write_records(trace)
            writer.write_events()
        if trace:
            trace.committed = True
        log_events(writer.written_events)

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        connection = begin(self._writing)
        try:
            yield connection
            _commit(connection)
        finally:
            _close(connection)

    def glance(self) -> AbstractContextManager[HotReader]:
        """Look things up one by one: what is remembered is as the database is now. Raises Unavailable."""
        return self._glances.begin()

    def close(self) -> None:
        """Close every connection."""
        self._generation.close()
        self._reading.dispose()


class _Measured:
    """Counts and times a transaction, from before its begin. What a refusal has undone is no failure of the database."""

    __slots__ = ("_begun", "_kind", "_measures")

    def __init__(self, measures: Measures, kind: str) -> None:
        self._measures = measures
        self._kind = kind

    def __enter__(self) -> None:
        self._begun = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        result = "done" if kind is None else "failed" if issubclass(kind, Unavailable | Conflict) else "undone"
        self._measures.count(Measure.TRANSACTIONS, self._kind, result)
        self._measures.time(Measure.TRANSACTION_SECONDS, perf_counter() - self._begun, self._kind)


def _commit(connection: Connection) -> None:
    """Commit. A connection that could not is thrown away: SQLite leaves the transaction open on it."""
    try:
        connection.commit()
    except SQLAlchemyError as error:
        connection.invalidate()
        fail(error)


def _close(connection: Connection) -> None:
    """Give the connection back; what was not committed is rolled back."""
    try:
        connection.close()
    except SQLAlchemyError as error:
        fail(error)
