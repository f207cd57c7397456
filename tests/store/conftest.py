"""Databases for the tests: SQLite in a file, and a real PostgreSQL server, one for a whole run; fresh for each test."""

import shutil
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import pytest

from certworker.store.engine import open_store
from certworker.store.migrate import migrate
from certworker.vault.store import Store
from tests.store.workers import Pair
from tests.support.clock import FakeClock
from tests.support.postgresql import Server, database_name
from tests.support.records import a_vault

DATABASES = ("sqlite", "postgresql")


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
