"""How databases are opened, and what happens when they are not there, locked, or left in the middle of something."""

import os
import signal
import stat
import subprocess
import sys
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

from certworker.errors import BadParameter, SetupError, Unavailable
from certworker.store.dump import SqlTables
from certworker.store.engine import open_engine, open_store
from certworker.store.migrate import migrate
from certworker.vault.store import Store, Writer
from tests.store.workers import die_writing
from tests.support.clock import START, FakeClock
from tests.support.records import VAULT_ID, a_secret, a_vault, an_event

IMPATIENT = timedelta(milliseconds=50)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("mysql://root:hush@host/name", "begins with 'mysql:'.* sqlite:///PATH .* postgresql://"),
        ("postgresql+asyncpg://host/name", "begins with 'postgresql\\+asyncpg:'"),
        ("certworker.db", "cannot be read.* sqlite:///PATH"),
        ("postgresql://host:hush/name", "cannot be read"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:////no/such/folder/certworker.db", "No such file.*must exist and be writable: /no/such/folder"),
    ],
)
def test_a_wrong_url_is_refused_with_what_is_right(url: str, advice: str, clock: FakeClock) -> None:
    """The message names what is wrong and what would be right, and no password."""
    with pytest.raises(SetupError, match=advice) as caught:
        open_store(url, clock)
    assert "hush" not in str(caught.value)


def test_a_copy_of_a_wrong_url_shows_no_part_of_it() -> None:
    """Where a port should be, the password may be."""
    with pytest.raises(SetupError, match="cannot be read") as caught, SqlTables("postgresql://host:hush/name").snapshot():
        raise AssertionError
    assert "hush" not in str(caught.value)


def test_without_psycopg_the_extra_is_named() -> None:
    """PostgreSQL without its library says what to install."""
    program = """
import sys
sys.modules["psycopg"] = None
from certworker.clock import utc_now
from certworker.errors import SetupError
from certworker.store.engine import open_store
try:
    open_store("postgresql://host/name", utc_now)
except SetupError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "certworker[postgres]" in result.stdout


def test_the_database_file_is_its_owners_alone(tmp_path: Path, clock: FakeClock) -> None:
    """The file and its journals can be read by nobody else, whatever the umask says."""
    path = tmp_path / "new.db"
    before = os.umask(0)
    try:
        migrate(f"sqlite:///{path}")
        store = open_store(f"sqlite:///{path}", clock)
        with store.writing() as writer:
            writer.add_vault(a_vault())
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}


def test_reads_are_inline_on_sqlite_only(store: Store, database_url: str) -> None:
    """SQLite answers faster than a thread can be started; PostgreSQL is waited for."""
    assert store.inline_reads == database_url.startswith("sqlite")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_is_set_to_lose_nothing(database_url: str) -> None:
    """A commit is on the disk when it is answered (2: FULL), foreign keys hold, and readers do not block writers."""
    engine = open_engine(database_url)
    with engine.connect() as connection:
        pragmas = ("synchronous", "foreign_keys", "journal_mode", "busy_timeout")
        found = [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in pragmas]
    engine.dispose()
    assert found == [2, 1, "wal", 10_000]


def test_a_view_stays_as_it_was_opened(store: Store) -> None:
    """What is committed meanwhile is not seen before the next view."""
    with store.reading() as reader:
        assert len(reader.vaults()) == 1
        with store.writing() as writer:
            writer.add_vault(a_vault("vault-2", "other"))
        assert len(reader.vaults()) == 1
    with store.reading() as reader:
        assert len(reader.vaults()) == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_that_is_locked_too_long_is_unavailable(store: Store, database_url: str, clock: FakeClock) -> None:
    """A writer gives up after its time and says when to try again; readers are not kept waiting, and it works later."""
    impatient = open_store(database_url, clock, lock_wait=IMPATIENT)
    with store.writing() as writer:
        writer.set_cursor("mail", 1)
        with pytest.raises(Unavailable) as caught, impatient.writing():
            pass
        with impatient.reading() as reader:
            assert reader.cursor("mail") == 0
    assert caught.value.retry_after == timedelta(seconds=5)
    with impatient.writing() as writer:
        assert writer.cursor("mail") == 1
    impatient.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_row_that_is_locked_too_long_is_unavailable(store: Store, database_url: str, clock: FakeClock) -> None:
    """On PostgreSQL it is the row that is waited for."""
    impatient = open_store(database_url, clock, lock_wait=IMPATIENT)
    with store.writing() as writer:
        writer.set_cursor("mail", 1)
        with pytest.raises(Unavailable), impatient.writing() as other:
            other.set_cursor("mail", 2)
    impatient.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_is_gone_without_a_word_is_not_waited_for(database_url: str) -> None:
    """What is on its way to it, or is awaited from it, fails within half a minute, unless the URL has another time."""
    engine = open_engine(f"{database_url}{'&' if '?' in database_url else '?'}keepalives_idle=9&connect_timeout=7")
    with engine.connect() as connection:
        told = connection.connection.dbapi_connection.info.get_parameters()  # type: ignore[union-attr]
    engine.dispose()
    times = ("connect_timeout", "tcp_user_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count")
    assert [told[name] for name in times] == ["7", "15000", "9", "5", "2"]


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path, clock: FakeClock) -> None:
    """Nothing is said of the host; a later try may work."""
    store = open_store(f"postgresql://nobody@/name?host={tmp_path}", clock)
    for use in (store.reading().__enter__, store.writing().__enter__):
        with pytest.raises(Unavailable, match=r"^The database does not answer"):
            use()


def fill_the_disk(writer: Writer) -> None:
    """Let the file grow no more, and write more than there is room for."""
    writer.add_vault(a_vault("vault-2", "filler"))
    writer._connection.exec_driver_sql("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]
    for number in range(1000):
        writer.put_challenge(str(number), "x" * 4000, START)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_full_disk_is_unavailable_and_changes_nothing(store: Store) -> None:
    """A transaction that finds no room is given up as a whole."""
    with pytest.raises(Unavailable), store.writing() as writer:
        fill_the_disk(writer)
    with store.reading() as reader:
        assert reader.vault_by_name("filler") is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_value_that_cannot_be_stored_is_a_bad_parameter(store: Store) -> None:
    """PostgreSQL has no text with a zero in it."""
    with pytest.raises(BadParameter), store.writing() as writer:
        writer.set_content_type(VAULT_ID, "Web", a_secret().version, "text\0plain")


def test_a_killed_writer_leaves_nothing_behind(store: Store, database_url: str) -> None:
    """After kill -9 inside a transaction its changes are gone, its lock is free, and the next one writes at once."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=die_writing, args=(database_url, there))
    process.start()
    assert here.poll(60)
    assert here.recv() == "writing"
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    with store.writing() as writer:
        assert writer.vault_by_name("never") is None
        writer.add_event(an_event("next"))
    with store.reading() as reader:
        assert [event.name for event in reader.events(0, 10)] == ["next"]
