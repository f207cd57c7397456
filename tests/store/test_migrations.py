"""Migrations: what they make, that they can be run by many at once, and what they refuse."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from certworker.errors import SetupError
from certworker.store.engine import open_engine, open_store
from certworker.store.migrate import HEAD, MIGRATIONS, REVISIONS, migrate, require_current, upgrade
from certworker.store.tables import METADATA
from tests.store.workers import Pair, migrate_here
from tests.support.clock import FakeClock
from tests.support.records import a_vault


def ask(database_url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement and give the rows, if it has any."""
    engine = open_engine(database_url)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def test_the_migrated_schema_is_that_of_the_tables(database_url: str) -> None:
    """Alembic finds no difference between what the migrations made and what the code's tables say."""
    engine = open_engine(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_server_default": True}), METADATA) == []
    engine.dispose()


def parts(sql: str) -> list[str]:
    """Split a statement at its outermost commas: a column that was added later stands behind the constraints."""
    found, depth, part = [], 0, ""
    for letter in " ".join(sql.split()):
        depth += (letter == "(") - (letter == ")")
        if letter in "(," and depth == 1:
            found.append(part.strip())
            part = ""
        else:
            part += letter
    return sorted([*found, part.strip().removesuffix(")").strip()])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_migrated_schema_reads_as_the_tables_do(database_url: str, tmp_path: Path) -> None:
    """On SQLite the very words are compared: partial indexes, foreign keys, autoincrement."""
    created_url = f"sqlite:///{tmp_path / 'created.db'}"
    engine = open_engine(created_url)
    METADATA.create_all(engine)
    engine.dispose()
    wanted = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'trigger' AND name <> 'alembic_version'"
    made, said = ({name: parts(sql) for name, sql in ask(url, wanted)} for url in (database_url, created_url))
    assert len(made) > 20
    assert made == said


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_names_and_versions_are_ordered_by_bytes(database_url: str) -> None:
    """What lists are paged by has the collation C, whatever language the PostgreSQL database was made for."""
    wanted = """
        SELECT a.attname, c.collname FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
        JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace n ON n.oid = t.relnamespace
        WHERE n.nspname = 'public' AND t.relkind = 'r'
        AND (a.attname = 'folded' OR a.attname = 'version' AND t.relname LIKE '%_version')
    """
    assert set(ask(database_url, wanted)) == {("folded", "C"), ("version", "C")}


def test_the_known_revisions_are_those_of_the_scripts() -> None:
    """The constant that a warm start compares with is the head of the scripts."""
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == REVISIONS
    assert scripts.get_current_head() == HEAD


def test_a_second_migration_changes_nothing(empty_url: str, clock: FakeClock) -> None:
    """What is stored stays, and the revision is that of this release."""
    migrate(empty_url)
    store = open_store(empty_url, clock)
    with store.writing() as writer:
        writer.add_vault(a_vault())
    migrate(empty_url)
    with store.reading() as reader:
        assert reader.vaults() == (a_vault(),)
    store.close()
    assert ask(empty_url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_two_processes_can_migrate_at_once(empty_url: str, pair: Pair) -> None:
    """One of them does the work, the other waits for it, and both go on."""
    assert pair.run(migrate_here, empty_url) == ("done", "done")
    assert ask(empty_url, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_a_newer_schema_is_refused_and_left_alone(database_url: str) -> None:
    """An older release says that the database is newer, and touches nothing."""
    ask(database_url, "UPDATE alembic_version SET version_num = '9999'")
    for opens in (migrate, require_current):
        with pytest.raises(SetupError, match=r"newer release.*9999.*Start the newer release"):
            opens(database_url)
    assert ask(database_url, "SELECT version_num FROM alembic_version") == [("9999",)]
    assert ask(database_url, "SELECT count(*) FROM vault") == [(0,)]


def test_who_works_beside_a_service_leaves_an_older_schema_alone(database_url: str) -> None:
    """The schema of this release is let through; of one before it is said what brings it up to date."""
    require_current(database_url)
    ask(database_url, "UPDATE alembic_version SET version_num = '0011'")
    with pytest.raises(SetupError, match=rf"earlier release.*0011.*{HEAD}.*Back it up.*`certworker run`"):
        require_current(database_url)
    assert ask(database_url, "SELECT version_num FROM alembic_version") == [("0011",)]


def test_where_there_is_no_schema_none_is_made(empty_url: str, tmp_path: Path) -> None:
    """Not even an empty file, which somebody could take for a database."""
    with pytest.raises(SetupError, match=r"not been set up: run `certworker init`"):
        require_current(empty_url)
    assert not list(tmp_path.iterdir())
    engine = open_engine(empty_url)
    with engine.connect() as connection:
        assert not inspect(connection).get_table_names()
    engine.dispose()
    with pytest.raises(SetupError, match=r"not been set up: run `certworker init`"):
        require_current(empty_url)


def test_a_warm_start_does_not_load_alembic(database_url: str) -> None:
    """Alembic takes a second to load; a database that is current does not need it."""
    program = "import sys; from certworker.store.migrate import migrate; migrate(sys.argv[1]); print('alembic' in sys.modules)"
    command = [sys.executable, "-c", program, database_url]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_each_step_of_an_update_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What it does and how long it took; a new database has nothing that takes long, and nothing is told."""
    caplog.set_level("INFO", "certworker")
    url = f"sqlite:///{tmp_path}/earlier.db"
    engine = open_engine(url)
    with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
        upgrade(connection, "0009")
    engine.dispose()
    assert not caplog.messages
    migrate(url)
    first, *steps = caplog.messages
    assert first.startswith(f"The database's schema 0009 becomes {HEAD}.")
    told = [re.sub(r"\d+\.\d", "0.0", step) for step in steps]
    assert told[0].startswith(f"The database's schema is 0010 of {HEAD} now, after 0.0 seconds: The summary of the fleet: its")
    assert len(told) == len(REVISIONS) - REVISIONS.index("0010")
