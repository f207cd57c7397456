"""Group commit on SQLite: those who wait share a commit, and nobody is told of one that was not made."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest
from sqlalchemy import event, text

from certworker.errors import CertworkerError, Conflict, Unavailable
from certworker.store.engine import open_engine, open_store
from certworker.store.group_commit import GroupCommit
from certworker.vault.objects import ObjectKind
from certworker.vault.store import Store
from tests.support.clock import FakeClock
from tests.support.records import VAULT_ID, a_head

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

WAIT = 5.0


@pytest.fixture
def group(database_url: str) -> Iterator[GroupCommit]:
    """Make a group over a table of numbers that are all different."""
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE number (value INTEGER PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE child (value INTEGER REFERENCES number(value) DEFERRABLE INITIALLY DEFERRED)"))
    yield GroupCommit(engine.execution_options(begin="BEGIN IMMEDIATE"), WAIT, longest_seconds=60.0)
    engine.dispose()


class Crowd:
    """Members that come while the first one holds the turn, so that all of them are one group."""

    def __init__(self, group: GroupCommit) -> None:
        self._group = group
        self._pool = ThreadPoolExecutor(16)
        self.commits = 0
        event.listen(group._engine, "commit", self._count)

    def run(self, *works: str) -> list[BaseException | None]:
        """Let the members do their work, in order; give what each was told."""
        told: list[Future[None]] = []
        holding, go_on = threading.Event(), threading.Event()

        def first() -> None:
            with self._group.joined() as connection:
                connection.exec_driver_sql(works[0])
                holding.set()
                assert go_on.wait(WAIT)

        told.append(self._pool.submit(first))
        assert holding.wait(WAIT)
        for number, work in enumerate(works[1:], start=1):
            told.append(self._pool.submit(self._do, work))
            self._until(number)
        go_on.set()
        return [one.exception(WAIT * 4) for one in told]

    def values(self) -> set[int]:
        """Give the numbers that are there for good."""
        with self._group._engine.connect() as connection:
            return set(connection.execute(text("SELECT value FROM number")).scalars())

    def _do(self, work: str) -> None:
        with self._group.joined() as connection:
            connection.exec_driver_sql(work)

    def _until(self, waiting: int) -> None:
        deadline = monotonic() + WAIT
        while self._group._waiting < waiting and monotonic() < deadline:
            sleep(0.002)

    def _count(self, _connection: object) -> None:
        self.commits += 1


def insert(value: int) -> str:
    """Write a statement that adds a number."""
    return f"INSERT INTO number VALUES ({value})"  # noqa: S608  # a number


def test_those_who_wait_share_one_commit(group: GroupCommit) -> None:
    """Ten members, one commit, and everything is there."""
    crowd = Crowd(group)
    assert crowd.run(*map(insert, range(10))) == [None] * 10
    assert crowd.commits == 1
    assert crowd.values() == set(range(10))


@pytest.mark.parametrize("bad", [0, 1, 4])
def test_a_member_that_fails_takes_nothing_of_the_others_along(group: GroupCommit, bad: int) -> None:
    """Whether it is the first, one in the middle or the last: its own work is undone, and it alone is told."""
    crowd = Crowd(group)
    works = [insert(value) for value in range(5)]
    works[bad] = "INSERT INTO nothing VALUES (1)"
    told = crowd.run(*works) if bad else None
    if told is None:
        with pytest.raises(Exception, match="nothing"), group.joined() as connection:
            connection.exec_driver_sql(works[0])
        told = [ValueError(), *crowd.run(*works[1:])]
    assert [number for number, error in enumerate(told) if error] == [bad]
    assert crowd.values() == set(range(5)) - {bad}


def test_a_commit_that_fails_is_told_to_every_member(group: GroupCommit) -> None:
    """A rule that is looked at only at the commit was broken by one of them: nothing is kept, and nobody is told otherwise."""
    crowd = Crowd(group)
    told = crowd.run(insert(1), "INSERT INTO child VALUES (99)", insert(2))
    assert all(isinstance(error, Unavailable) for error in told)
    assert crowd.values() == set()
    assert crowd.run(insert(1)) == [None]


def test_alone_a_member_is_told_what_its_own_fault_was(group: GroupCommit) -> None:
    """The schema's rule, and not that the database is busy."""
    with pytest.raises(Conflict), group.joined() as connection:
        connection.exec_driver_sql("INSERT INTO child VALUES (99)")


def test_a_transaction_that_sqlite_has_undone_by_itself_is_not_taken_for_committed(group: GroupCommit) -> None:
    """As it does where the disk is full: the members before it are told, and the group after it works."""
    crowd = Crowd(group)
    told = crowd.run(insert(1), insert(2), "ROLLBACK")
    assert all(isinstance(error, Unavailable) for error in told)
    assert crowd.values() == set()
    assert crowd.run(insert(3), insert(4)) == [None, None]
    assert crowd.values() == {3, 4}


def test_who_waits_too_long_is_told_and_leaves_nobody_waiting(database_url: str) -> None:
    """The one that held the turn commits although it was counted on somebody else."""
    engine = open_engine(database_url)
    group = GroupCommit(engine.execution_options(begin="BEGIN IMMEDIATE"), 0.05)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE number (value INTEGER PRIMARY KEY)"))
    with group.joined() as connection:
        connection.exec_driver_sql(insert(1))
        with pytest.raises(Unavailable), group.joined():
            pytest.fail("nobody else has the turn")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM number")).scalar() == 1
    engine.dispose()


class LateTurn:
    """A turn that is given back only after another one has given up, or a moment later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.given_up = threading.Event()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002  # as a lock has it
        """Take it."""
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Give it back, late."""
        self.given_up.wait(0.3)
        self._lock.release()


def test_who_gives_up_while_a_group_is_left_to_it_ends_the_group(database_url: str) -> None:
    """Between the look at who waits and the end of the turn: else the one that left it would wait for ever."""
    engine = open_engine(database_url)
    group = GroupCommit(engine.execution_options(begin="BEGIN IMMEDIATE"), 0.05)
    group._turn = turn = LateTurn()  # type: ignore[assignment]  # a lock but for the time it takes
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE number (value INTEGER PRIMARY KEY)"))

    def leave() -> None:
        with group.joined() as connection:
            connection.exec_driver_sql(insert(1))
            leaving.set()
            while not group._waiting:
                sleep(0.001)

    leaving = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        left = pool.submit(leave)
        assert leaving.wait(WAIT)
        with pytest.raises(Unavailable), group.joined():
            pytest.fail("nobody else has the turn")
        turn.given_up.set()
        try:
            left.result(1)
        finally:
            with group.joined():
                pass  # whoever comes ends what was left, and so does this test
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM number")).scalar() == 1
    engine.dispose()


def test_many_threads_lose_nothing(store: Store) -> None:
    """Four hundred secrets from eight threads, some of them failing on purpose: what was answered is there."""

    def work(number: int) -> bool:
        name = f"secret-{number}"
        try:
            with store.writing() as writer:
                writer.put_head(replace(a_head(ObjectKind.SECRET), name=name))
                if number % 7 == 0:
                    raise Conflict("on purpose")
        except CertworkerError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(work, range(400)))
    with store.reading() as reader:
        there = [reader.head(VAULT_ID, ObjectKind.SECRET, f"secret-{number}") is not None for number in range(400)]
    assert there == kept == [number % 7 != 0 for number in range(400)]


@pytest.mark.usefixtures("store")
def test_what_was_answered_survives_a_kill(database_url: str, clock: FakeClock, tmp_path: Path) -> None:
    """A process that is killed in the middle of writing from eight threads has lost nothing that it had told."""
    told = tmp_path / "told"
    told.touch()
    process = subprocess.Popen([sys.executable, "-m", "tests.store.test_group_commit", database_url, str(told)])
    try:
        deadline = monotonic() + 30
        while told.read_bytes().count(b"\n") < 50 and monotonic() < deadline:
            sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    names = told.read_text().split("\n")[:-1]
    assert len(names) >= 50
    fresh = open_store(database_url, clock, timedelta(seconds=5))
    with fresh.reading() as reader:
        assert all(reader.head(VAULT_ID, ObjectKind.SECRET, name) for name in names)
    fresh.close()


def _write_for_ever(database_url: str, told: str) -> None:
    store = open_store(database_url, FakeClock())
    handle = os.open(told, os.O_WRONLY | os.O_APPEND)

    def work(thread: int) -> None:
        for number in range(100_000):
            name = f"secret-{thread}-{number}"
            with store.writing() as writer:
                writer.put_head(replace(a_head(ObjectKind.SECRET), name=name))
            os.write(handle, f"{name}\n".encode())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


if __name__ == "__main__":
    _write_for_ever(sys.argv[1], sys.argv[2])
