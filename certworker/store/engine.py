"""Engines: how each of the two databases is opened, and `open_store`.

SQLite: write-ahead log, synchronous=FULL (a commit that was answered survives a power cut), foreign keys on. Transactions are
begun by us: BEGIN IMMEDIATE where something is to be written, so that nobody reads what another is about to change.

PostgreSQL: writing at READ COMMITTED (changes are conditional and say so), reading in one REPEATABLE READ snapshot.
"""

import os
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from certworker.clock import Clock
from certworker.errors import SetupError
from certworker.measures import NO_MEASURES, Measures
from certworker.store.transactions import SqlStore
from certworker.vault.store import Store

LOCK_WAIT: Final = timedelta(seconds=10)
"""How long a transaction waits for another one's lock before it is given up as Unavailable."""

_STATEMENT_TIME: Final = timedelta(seconds=30)
_IDLE_TIME: Final = timedelta(minutes=1)
_SILENCE: Final = MappingProxyType(
    {
        "connect_timeout": 10,
        "tcp_user_timeout": 15_000,  # milliseconds
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
    }
)
"""How long a server is waited for that is gone without a word, as at a failover, in the words of libpq. A system itself waits
for a quarter of an hour, and for an answer two hours."""
_POOL_SIZE: Final = 10
_POOL_OVERFLOW: Final = 10
_NO_FILE: Final = (None, "", ":memory:")
_RIGHT: Final = "It reads sqlite:///PATH (four slashes for an absolute path) or postgresql://USER@HOST/NAME."


def open_store(
    database_url: str,
    clock: Clock,
    lock_wait: timedelta = LOCK_WAIT,
    measures: Measures = NO_MEASURES,
    *,
    durable: bool = True,
    records_acts: bool = True,
) -> Store:
    """Open the database that `database_url` names; connections are made when they are needed first.

    `clock` tells which challenges have expired. One that is not `durable` is on SQLite and waits for no disk: it is for what is
    thrown away when the process ends. Where it `records_acts`, audit records of what the service does by itself are written,
    for somebody to drain. Call `migrate` first. Raises SetupError.
    """
    engine = _open(database_url, lock_wait)
    if not durable:
        event.listen(engine, "connect", _wait_for_no_disk)
    if engine.dialect.name == "sqlite":
        reading, writing = (engine.execution_options(opening=words) for words in ("BEGIN", "BEGIN IMMEDIATE"))
        return SqlStore(reading, writing, clock, lock_wait, measures, records_acts=records_acts)
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    writing = engine.execution_options(isolation_level="READ COMMITTED")
    return SqlStore(snapshot, writing, clock, lock_wait, measures, records_acts=records_acts)


def open_engine(database_url: str, lock_wait: timedelta = LOCK_WAIT) -> Engine:
    """Make the engine for a URL. Raises SetupError where the URL, its folder or its driver is not right."""
    engine = _open(database_url, lock_wait)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def read_url(database_url: str) -> URL:
    """Take a URL apart. Raises SetupError where it cannot be read."""
    try:
        return make_url(database_url)
    except (ArgumentError, ValueError):  # of a port that is none: its words hold what may be the password
        raise SetupError(f"The database URL cannot be read. {_RIGHT}") from None


def is_there(database_url: str) -> bool:
    """Tell whether there is a file of that name, which opening would make; a server's database is asked by whoever opens it.

    Raises SetupError where the URL cannot be read.
    """
    url = read_url(database_url)
    if not url.drivername.startswith("sqlite") or url.database in _NO_FILE:
        return True
    try:
        return Path(url.database or "").exists()
    except OSError:
        return True  # in a folder that is closed to this user: to open it says so


def _open(database_url: str, lock_wait: timedelta) -> Engine:
    """Make the engine. The store's own has no listener to what is executed: one would make each statement a quarter slower."""
    url = read_url(database_url)
    match url.drivername:
        case "sqlite":
            return _open_sqlite(url, lock_wait)
        case "postgresql" | "postgresql+psycopg":
            return _open_postgresql(url.set(drivername="postgresql+psycopg"), lock_wait)
    raise SetupError(f"The database URL begins with '{url.drivername}:', which is not supported. {_RIGHT}")


def _open_sqlite(url: URL, lock_wait: timedelta) -> Engine:
    _make_file(url.database)
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": lock_wait.total_seconds(), "isolation_level": None},
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_OVERFLOW,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _make_file(path: str | None) -> None:
    """Make the file before SQLite does, so that nobody else can ever read it; its journals take over its mode."""
    if path is None or path in _NO_FILE:
        raise SetupError(f"The database URL names no file; several processes meet in the database. {_RIGHT}")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        folder = Path(path).parent
        message = f"The database {path} cannot be opened: {error.strerror}. Its folder must exist and be writable: {folder}"
        raise SetupError(message) from error


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _wait_for_no_disk(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _open_postgresql(url: URL, lock_wait: timedelta) -> Engine:
    defaults: dict[str, object] = {"application_name": "certworker", **_SILENCE}
    arguments = {name: value for name, value in defaults.items() if name not in url.query}
    if "options" not in url.query:
        arguments["options"] = (
            f"-c lock_timeout={_milliseconds(lock_wait)}"
            f" -c statement_timeout={_milliseconds(max(_STATEMENT_TIME, lock_wait))}"
            f" -c idle_in_transaction_session_timeout={_milliseconds(_IDLE_TIME)}"
        )
    try:
        return create_engine(
            url,
            hide_parameters=True,
            connect_args=arguments,
            pool_size=_POOL_SIZE,
            max_overflow=_POOL_OVERFLOW,
            pool_timeout=lock_wait.total_seconds(),
            pool_pre_ping=True,
        )
    except ImportError as error:
        message = (
            "PostgreSQL needs the library psycopg, which is not installed. Install it with: pip install 'certworker[postgres]'"
        )
        raise SetupError(message) from error


def _milliseconds(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)
