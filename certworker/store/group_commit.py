"""Group commit: SQLite has one writer at a time, and its commit waits for the disk, so those who wait share one commit.

A transaction that ends while others of this process wait for their turn does not commit: the next one goes on in the same
transaction, and the last one commits for all. Nobody's transaction is over before that commit is on the disk. Each member but
the first stands behind a savepoint, so one that fails takes nothing of the others along. Members come one after the other, and
each sees what those before it did: should the commit fail, it fails for all of them.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from time import monotonic
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from certworker.errors import CertworkerError, Unavailable
from certworker.store.failures import RETRY_AFTER, fail

_BUSY: Final = "The database does not answer, is busy or is full."
MOST_MEMBERS: Final = 64
LONGEST_SECONDS: Final = 0.05
"""So long may a group hold the database before it commits; a member that is under way is not cut short."""


_log = logging.getLogger(__name__)


class _Group:
    """Transactions that are committed together."""

    def __init__(self, connection: Connection, longest_seconds: float) -> None:
        self.connection = connection
        self.longest_seconds = longest_seconds
        self.members = 0
        self.began = monotonic()
        self.ended = Event()
        self.error: Exception | None = None

    def is_full(self) -> bool:
        return self.members >= MOST_MEMBERS or monotonic() - self.began > self.longest_seconds


class GroupCommit:
    """The writers of one process on one SQLite database. Engines and connections are used by one thread at a time."""

    def __init__(self, engine: Engine, wait_seconds: float, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._engine = engine
        self._longest_seconds = longest_seconds
        self._wait_seconds = wait_seconds
        self._turn = Lock()
        self._counting = Lock()
        self._waiting = 0
        self._group: _Group | None = None

    @contextmanager
    def joined(self) -> Iterator[Connection]:
        """Come into a group and give its connection; at the end it is committed. Raises Unavailable, Conflict."""
        self._take_turn()
        try:
            group = self._group = self._group or _Group(begin(self._engine), self._longest_seconds)
            with self._member(group):
                yield group.connection
        finally:
            self._end_turn()
        group.ended.wait()
        if group.error and group.members > 1:
            # the fault may be another member's; an exception is raised in one thread only
            raise Unavailable(_BUSY, RETRY_AFTER) from group.error
        if group.error:
            raise group.error

    def _take_turn(self) -> None:
        with self._counting:
            self._waiting += 1
        taken = self._turn.acquire(timeout=self._wait_seconds)
        with self._counting:
            self._waiting -= 1
            # whoever left a group for us to end must not wait for it in vain
            left = not taken and self._turn.acquire(blocking=False)
        if left:
            self._end_turn()
        if not taken:
            raise Unavailable(_BUSY, RETRY_AFTER)

    @contextmanager
    def _member(self, group: _Group) -> Iterator[None]:
        first = not group.members
        try:
            if not first:
                _carry_out(group.connection, "SAVEPOINT member")
            yield
            if not first:
                _carry_out(group.connection, "RELEASE member")
        except BaseException:
            self._take_back(group, first=first)
            raise
        group.members += 1

    def _take_back(self, group: _Group, *, first: bool) -> None:
        """Undo what a member did that failed; where even that fails, the others have failed with it."""
        try:
            if not first:
                _carry_out(group.connection, "ROLLBACK TO member")
                _carry_out(group.connection, "RELEASE member")
                return
        except (CertworkerError, SQLAlchemyError) as error:
            _log.warning("The transactions that waited for a commit together are lost: %s", type(error).__name__)
        self._group = None
        _close(group, undone=True)

    def _end_turn(self) -> None:
        """Leave the group to the next one, or commit where nobody waits."""
        group = self._group
        with self._counting:
            if self._waiting and not (group and group.is_full()):
                self._turn.release()  # before anybody who was counted can give up: one of them has the turn next
                return
        try:
            if group:
                self._group = None
                _close(group)
        finally:
            self._turn.release()


def begin(engine: Engine) -> Connection:
    """Begin a transaction; on SQLite by the words of the engine's option `opening`. Raises Unavailable."""
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        fail(error)
    try:
        connection.begin()
        match connection.get_execution_options().get("opening"):
            case "BEGIN":
                # it takes no lock, so it has no failure to be told of; this way is a quarter of a hot read faster
                connection.connection.cursor().execute("BEGIN")
            case str(words):
                connection.exec_driver_sql(words)
    except SQLAlchemyError as error:
        connection.close()
        fail(error)
    return connection


def _carry_out(connection: Connection, words: str) -> None:
    try:
        connection.exec_driver_sql(words)
    except SQLAlchemyError as error:
        fail(error)


def _close(group: _Group, *, undone: bool = False) -> None:
    """End the group: commit for all, or undo it, and tell its members.

    Some failures (a full disk) make SQLite undo a whole transaction by itself: a commit would then succeed, and keep nothing.
    """
    connection = group.connection
    try:
        lost = undone or not getattr(connection.connection.dbapi_connection, "in_transaction", False)
        if lost:
            connection.rollback()
            group.error = Unavailable(_BUSY, RETRY_AFTER)
        else:
            connection.commit()
    except SQLAlchemyError as error:
        connection.invalidate()  # SQLite leaves the transaction open on a connection that could not commit
        group.error = _told(error)
    finally:
        connection.close()
        group.ended.set()


def _told(error: SQLAlchemyError) -> Exception:
    try:
        fail(error)
    except Exception as told:  # noqa: BLE001  # whatever it means is told to whoever waits for the commit
        return told
