"""All tables out of one database and into another, of either kind and of earlier revisions."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from certworker.errors import Conflict, SetupError, Unavailable
from certworker.store.dump import SqlTables
from certworker.store.engine import open_engine, open_store
from certworker.store.migrate import HEAD, REVISIONS, migrate, upgrade
from certworker.store.tables import METADATA
from certworker.store.tables.summary import DERIVED
from certworker.vault.deployment_tables import Batch, Cells, Shape
from certworker.vault.store import Store
from certworker.vault.vaults import SYSTEM_VAULT
from tests.support.clock import FakeClock
from tests.support.deployment import open_deployment
from tests.support.everything import fill
from tests.support.postgresql import Server
from tests.support.records import a_vault, a_wrapped_key, an_event

CHANGED = {"lease_owner", "lease_until", "generation"}
"""What is not as it was after a restore."""


def take(database_url: str) -> list[Batch]:
    """Take every table out, a few rows at a time."""
    with SqlTables(database_url).snapshot() as snapshot:
        return [Batch(shape, rows) for shape in snapshot.shapes() for rows in in_parts(tuple(snapshot.rows(shape)))]


def in_parts(rows: tuple[Cells, ...]) -> Iterator[tuple[Cells, ...]]:
    """Split rows; no rows are one part."""
    for begin in range(0, max(len(rows), 1), 3):
        yield rows[begin : begin + 3]


def rows_of(batches: Iterable[Batch]) -> dict[str, set[tuple[tuple[str, Any], ...]]]:
    """Gather the rows by table, by name of their columns, without what changes."""
    found: dict[str, set[tuple[tuple[str, Any], ...]]] = {}
    for batch in batches:
        rows = found.setdefault(batch.shape.name, set())
        for row in batch.rows:
            cells = sorted(zip(batch.shape.columns, row, strict=True))
            rows.add(tuple(cell for cell in cells if cell[0] not in CHANGED))
    return found


def ask(database_url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement and give the rows, if it has any."""
    engine = open_engine(database_url)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, postgresql: Server) -> dict[str, str]:
    """Fill a deployment on SQLite and one on PostgreSQL, with something in every table."""
    urls = {"sqlite": f"sqlite:///{tmp_path_factory.mktemp('source')}/source.db", "postgresql": postgresql.create()}
    for url in urls.values():
        with open_deployment(tmp_path_factory.mktemp("home"), FakeClock(), url) as deployment:
            fill(deployment)
    return urls


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
@pytest.mark.parametrize("migrated", [False, True], ids=["empty", "migrated"])
def test_every_row_arrives(sources: dict[str, str], source: str, empty_url: str, *, migrated: bool) -> None:
    """Each table of the schema is taken out with something in it, and is the same where it goes in; leases are not."""
    batches = take(sources[source])
    assert {batch.shape.name for batch in batches if batch.rows} == set(METADATA.tables) - DERIVED
    if migrated:
        migrate(empty_url)
    SqlTables(empty_url).load(HEAD, batches)
    arrived = take(empty_url)
    assert rows_of(arrived) == rows_of(batches)
    assert {batch.shape.columns for batch in arrived} == {batch.shape.columns for batch in batches}
    assert ask(empty_url, "SELECT count(*) FROM key_rotation WHERE lease_owner IS NOT NULL OR lease_until IS NOT NULL") == [
        (0,)
    ]
    before, after = (ask(url, "SELECT generation FROM registry") for url in (sources[source], empty_url))
    assert after > before
    migrate(empty_url)


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
def test_new_rows_get_fresh_numbers(sources: dict[str, str], source: str, empty_url: str, clock: FakeClock) -> None:
    """What is counted goes on behind the last number, even where the rows that had it are gone."""
    batches = take(sources[source])
    last = max(int(str(row[0])) for batch in batches if batch.shape.name == "event" for row in batch.rows)
    shortened = [
        Batch(batch.shape, tuple(row for row in batch.rows if row[0] != last)) if batch.shape.name == "event" else batch
        for batch in batches
    ]
    SqlTables(empty_url).load(HEAD, shortened)
    store = open_store(empty_url, clock)
    with store.writing() as writer:
        writer.add_event(an_event())
    with store.reading() as reader:
        assert reader.last_event() > last
    store.close()


def test_a_snapshot_stands_still(store: Store, database_url: str) -> None:
    """What is written while the tables are read is not among them, in none of them."""
    with store.writing() as writer:
        writer.add_vault(a_vault("system", SYSTEM_VAULT))
        writer.add_wrapped_key(a_wrapped_key(vault_id="system"))
    with SqlTables(database_url).snapshot() as snapshot:
        shapes = {shape.name: shape for shape in snapshot.shapes()}
        assert snapshot.count(shapes["vault"]) == 2
        with store.writing() as writer:
            writer.add_vault(a_vault("vault-2", "Fabrikam"))
            writer.add_event(an_event())
        assert [snapshot.count(shapes[name]) for name in ("vault", "event")] == [2, 0]
        assert len(list(snapshot.rows(shapes["vault"]))) == 2
        assert (snapshot.revision, snapshot.deployment_id, snapshot.master_key_id) == (HEAD, "system", "master-1")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Batch]]:
    """Give what a release of a revision saved; made when it is first asked for."""

    @cache
    def save(revision: str) -> list[Batch]:
        old = f"sqlite:///{tmp_path_factory.mktemp('old')}/old.db"
        engine = open_engine(old)
        with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
            upgrade(connection, revision)
        engine.dispose()
        ask(
            old,
            "INSERT INTO vault "
            "(id, folded, name, tenant_id, subscription_id, resource_group, location, created, retention_days) "
            "VALUES ('v', 'CERTWORKER-SYSTEM', 'certworker-system', 't', 's', 'g', 'l', 1767225600, 90)",
        )
        ask(old, "INSERT INTO vault_key VALUES ('v', 1, x'00ff', 'm', 0)")
        ask(old, "INSERT INTO head (vault_id, kind, folded, name, created, managed) VALUES ('v', 'key', 'A', 'a', 0, TRUE)")
        return take(old)

    return save


@pytest.mark.parametrize(
    "revision", [REVISIONS[0], *(pytest.param(name, marks=pytest.mark.long) for name in REVISIONS[1:-2]), *REVISIONS[-2:]]
)
@pytest.mark.parametrize("migrated", [False, True], ids=["empty", "migrated"])
def test_an_earlier_revision_is_migrated(
    saved: Callable[[str], list[Batch]], empty_url: str, clock: FakeClock, revision: str, *, migrated: bool
) -> None:
    """What an earlier release saved goes into its own schema, which is then brought to this one's."""
    if migrated:
        migrate(empty_url)
    SqlTables(empty_url).load(revision, saved(revision))
    store = open_store(empty_url, clock)
    with store.reading() as reader:
        (vault,) = reader.vaults()
    store.close()
    assert (vault.name, vault.sku, vault.purge_protection) == ("certworker-system", "standard", False)
    assert ask(empty_url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_a_failure_in_the_middle_leaves_nothing(sources: dict[str, str], empty_url: str) -> None:
    """The rows, the schema and everything else are gone; the same database takes a backup afterwards."""
    batches = take(sources["sqlite"])

    def torn() -> Iterator[Batch]:
        yield from batches[: len(batches) // 2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SqlTables(empty_url).load(HEAD, torn())
    SqlTables(empty_url).check_vacant()
    with pytest.raises(SetupError, match="nothing to back up"), SqlTables(empty_url).snapshot():
        pass
    SqlTables(empty_url).load(HEAD, batches)


def test_a_row_without_its_owner_is_refused(empty_url: str, sources: dict[str, str]) -> None:
    """The database's own rules are kept: a head whose vault is missing does not go in."""
    batches = [batch if batch.shape.name != "vault" else Batch(batch.shape, ()) for batch in take(sources["sqlite"])]
    with pytest.raises(Conflict):
        SqlTables(empty_url).load(HEAD, batches)
    SqlTables(empty_url).check_vacant()


def test_a_database_in_use_is_left_alone(store: Store, database_url: str, sources: dict[str, str]) -> None:
    """Where there is one row, nothing is put in."""
    tables = SqlTables(database_url)
    with pytest.raises(Conflict, match="rows in vault"):
        tables.check_vacant()
    with pytest.raises(Conflict, match="not empty"):
        tables.load(HEAD, take(sources["sqlite"]))
    with store.reading() as reader:
        assert [vault.name for vault in reader.vaults()] == ["Contoso"]


def test_tables_of_something_else_are_left_alone(empty_url: str, sources: dict[str, str]) -> None:
    """A database that another program uses is not ours to fill."""
    ask(empty_url, "CREATE TABLE ledger (id INTEGER)")
    with pytest.raises(Conflict, match="ledger"):
        SqlTables(empty_url).load(HEAD, take(sources["sqlite"]))
    assert ask(empty_url, "SELECT count(*) FROM ledger") == [(0,)]


def test_a_database_without_tables_is_not_ready(empty_url: str, clock: FakeClock) -> None:
    """Whoever looks into one before it was migrated is told so, on either database."""
    store = open_store(empty_url, clock)
    with pytest.raises(Unavailable), store.reading() as reader:
        reader.master_key_id()
    store.close()


def test_what_the_schema_does_not_know_is_refused(empty_url: str) -> None:
    """A revision, a table or a column of a later release is refused by its name."""
    tables = SqlTables(empty_url)
    with pytest.raises(SetupError, match="9999"):
        tables.load("9999", [])
    for shape in (Shape("lately", ("id",), frozenset()), Shape("vault", ("id", "lately"), frozenset())):
        with pytest.raises(SetupError, match=shape.name):
            tables.load(HEAD, [Batch(shape, ())])
    tables.check_vacant()


KILLED = """
import os, pickle, signal, sys
from certworker.store.dump import SqlTables
from certworker.store.migrate import HEAD

def dying(batches):
    yield from batches
    os.kill(os.getpid(), signal.SIGKILL)

with open(sys.argv[2], "rb") as file:
    SqlTables(sys.argv[1]).load(HEAD, dying(pickle.load(file)))
"""


def test_a_killed_restore_leaves_nothing(sources: dict[str, str], empty_url: str, tmp_path: Path) -> None:
    """A process that is killed when all rows are in, and before they count, leaves an empty database; the next one fills it."""
    batches = take(sources["sqlite"])
    (tmp_path / "batches").write_bytes(pickle.dumps(batches))
    died = subprocess.run([sys.executable, "-c", KILLED, empty_url, str(tmp_path / "batches")], check=False)
    assert died.returncode == -9
    SqlTables(empty_url).check_vacant()
    SqlTables(empty_url).load(HEAD, batches)
    assert rows_of(take(empty_url)) == rows_of(batches)
