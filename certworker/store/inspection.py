"""Looking into a database without changing anything of it: for whoever has to find out what is wrong.

A SQLite file is opened to read only, and is never made. Where nobody has it open it is read as a file that does not change: not
even the files beside it come into being, which could belong to another user than the service's.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from certworker.clock import Clock
from certworker.errors import SetupError, Unavailable
from certworker.store.migrate import HEAD, revision_of
from certworker.store.transactions import SqlReader
from certworker.vault.store import Reader

PROGRESS_STEPS: Final = 100_000
"""So many steps of SQLite's machine lie between two looks at the time: some milliseconds."""
_BUSY_SECONDS: Final = 1.0
_VERSION_AT, _WRITE_AHEAD = 18, b"\x02"
_PROTECTED: Final = "(hidden)"
_DRIVERS: Final = ("sqlite", "postgresql", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Server:
    """What a PostgreSQL server says of itself. `offset` is how far this machine's clock is ahead of its clock."""

    version: str
    encoding: str
    is_standby: bool
    may_create: bool
    latency: timedelta
    offset: timedelta


class Inspection:
    """A database that is looked into. Its methods raise Unavailable, with the driver's own words."""

    def __init__(self, connection: Connection, clock: Clock, password: str) -> None:
        self._connection = connection
        self._clock = clock
        self._password = password

    def revision(self) -> str | None:
        """Tell the revision of the schema; none where there is none yet. Raises SetupError for one of a newer release."""
        with _told(self._password):
            return revision_of(self._connection)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Read records, in a schema that is of today."""
        with _told(self._password):
            yield SqlReader(self._connection, self._clock)

    def damages(self, seconds: float) -> tuple[str, ...] | None:
        """Look through all pages of a SQLite database; none where the time does not suffice for that."""
        deadline = monotonic() + seconds
        driver: Any = self._connection.connection.driver_connection
        driver.set_progress_handler(lambda: int(monotonic() > deadline), PROGRESS_STEPS)
        try:
            found = [str(row[0]) for row in self._connection.exec_driver_sql("PRAGMA quick_check(5)")]
        except SQLAlchemyError as error:
            if monotonic() > deadline:
                return None
            return (reason_of(error, self._password),)
        finally:
            driver.set_progress_handler(None, 0)
        return () if found == ["ok"] else tuple(found)

    def server(self) -> Server:
        """Ask a PostgreSQL server about itself."""
        with _told(self._password):
            self._connection.exec_driver_sql("SELECT 1")
            asked, begun = self._clock(), monotonic()
            told = self._connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one()
            latency = timedelta(seconds=monotonic() - begun)
            said = self._connection.exec_driver_sql(
                "SELECT current_setting('server_version'), current_setting('server_encoding'), pg_is_in_recovery(), "
                "has_schema_privilege(current_schema(), 'CREATE')"
            ).one()
        offset = asked + latency / 2 - datetime.fromtimestamp(float(told), UTC)
        return Server(str(said[0]), str(said[1]), bool(said[2]), bool(said[3]), latency, offset)


@contextmanager
def inspecting(database_url: str, clock: Clock, seconds: float) -> Iterator[Inspection]:
    """Open a database to look into it. Raises SetupError for a wrong URL, Unavailable where it cannot be opened."""
    url = _read(database_url)
    password = str(url.password or url.query.get("password") or "")
    engine = _of_file(url) if url.get_backend_name() == "sqlite" else _of_server(url, seconds)
    try:
        with _told(password):
            connection = engine.connect()
        try:
            yield Inspection(connection, clock, password)
        finally:
            connection.close()
    finally:
        engine.dispose()


def file_of(database_url: str) -> Path | None:
    """Give the file of a SQLite database; none of another one. Raises SetupError for a wrong URL."""
    url = _read(database_url)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def is_write_ahead(path: Path) -> bool:
    """Tell by a SQLite file's header whether it has a write-ahead log (file format section 1.3.3). Raises OSError."""
    with path.open("rb") as file:
        return file.read(_VERSION_AT + 1)[_VERSION_AT:] == _WRITE_AHEAD


def place_of(database_url: str) -> str:
    """Say where a database is, without user and password. Raises SetupError."""
    url = _read(database_url)
    if url.get_backend_name() == "sqlite":
        return f"{url.database}"
    host = url.host or url.query.get("host") or "the local socket"
    return f"PostgreSQL at {host}{f':{url.port}' if url.port else ''}, database {url.database}"


def is_current(revision: str | None) -> bool:
    """Whether a revision is the one of this release."""
    return revision == HEAD


def reason_of(error: SQLAlchemyError, password: str = "") -> str:
    """Give the driver's own words for a failure, on one line and without the password."""
    origin = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(origin).splitlines() if line.strip()]
    text = lines[0] if lines else type(origin).__name__
    return text.replace(password, _PROTECTED) if password else text


def _read(database_url: str) -> URL:
    try:
        url = make_url(database_url)
        known = url.drivername in _DRIVERS and (url.drivername != "sqlite" or bool(url.database))
    except (ArgumentError, ValueError):  # of a port that is none: its words hold what may be the password
        known = False
    if not known:
        raise SetupError(
            "database_url is neither sqlite:///PATH (four slashes for an absolute path) nor postgresql://USER@HOST/NAME."
        )
    return url


def _of_file(url: URL) -> Engine:
    path = Path(url.database or "")
    # whoever has it open has this file; while nobody has, it does not change
    options = "mode=ro" if Path(f"{path}-wal").exists() else "mode=ro&immutable=1"

    def open_file() -> sqlite3.Connection:
        place = f"file:{quote(str(path.absolute()))}?{options}"
        return sqlite3.connect(place, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)

    return create_engine("sqlite://", creator=open_file, poolclass=NullPool, hide_parameters=True)


def _of_server(url: URL, seconds: float) -> Engine:
    arguments: dict[str, object] = {"connect_timeout": max(2, round(seconds)), "application_name": "certworker doctor"}
    if "options" not in url.query:
        arguments["options"] = f"-c lock_timeout=1000 -c statement_timeout={round(seconds * 1000)}"
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"), connect_args=arguments, poolclass=NullPool, hide_parameters=True
        )
    except ImportError:
        raise SetupError(
            "PostgreSQL needs the library psycopg: install it with `pip install 'certworker[postgres]'`."
        ) from None
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


@contextmanager
def _told(password: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise Unavailable(reason_of(error, password)) from error
