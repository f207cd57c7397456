"""The check of the database, on real ones of both kinds."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from certworker.clock import utc_now
from certworker.doctor import Verdict
from certworker.doctor.clocks import look_at_database_clock
from certworker.doctor.database import look_at_database, network_filesystem, read_database, room_for
from certworker.doctor.finding import Finding, Reporter
from certworker.errors import SetupError, Unavailable
from certworker.store.engine import open_store
from certworker.store.inspection import Inspection, inspecting
from certworker.store.migrate import HEAD, migrate
from certworker.store.transactions import SqlReader
from tests.doctor.patient import Patient, only, worst
from tests.support.clock import FakeClock
from tests.support.templates import put_database


def read(patient: Patient) -> tuple[str, Finding]:
    """Read the records; give why there are none, and what was found."""
    _, why, found = read_database(patient.subject())
    return why, only(found)


def alter(patient: Patient, statement: str) -> None:
    """Change the database behind everybody's back."""
    with closing(sqlite3.connect(patient.folder / "certworker.db")) as connection, connection:
        connection.execute(statement)


def test_a_database_of_this_release_is_fine_and_stays_as_it_is(patient: Patient) -> None:
    """Not a byte of it is changed, and no file comes into being beside it."""
    path = patient.folder / "certworker.db"
    _ = patient.config
    before = hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns, sorted(patient.folder.iterdir())
    why, found = read(patient)
    assert (why, found.verdict) == ("", Verdict.FINE)
    assert HEAD in found.text
    assert not worst(look_at_database(patient.subject()))
    assert before == (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns, sorted(patient.folder.iterdir()))


def test_one_that_a_service_has_open_is_read_beside_it(patient: Patient) -> None:
    """What was committed last is seen."""
    with patient.store() as store:
        with store.writing() as writer:
            writer.put_challenge("token", "response", patient.clock())
        assert (patient.folder / "certworker.db-wal").exists()
        assert read(patient)[1].verdict is Verdict.FINE
        assert not worst(look_at_database(patient.subject()))


def test_one_that_is_missing_is_not_made(patient: Patient) -> None:
    """It is said how to make it."""
    path = patient.folder / "certworker.db"
    path.unlink()
    why, found = read(patient)
    assert (why, found.verdict) == ("there is no database yet", Verdict.WRONG)
    assert f"certworker init -c {patient.config}" in found.to_do
    assert not path.exists()


@pytest.mark.parametrize(
    ("revision", "verdict", "said"),
    [("0009", Verdict.NOTE, "older release"), ("9999", Verdict.WRONG, "newer release")],
)
def test_the_schema_of_another_release_is_told(patient: Patient, revision: str, verdict: Verdict, said: str) -> None:
    """An older one is brought up to date by the next start, and not here; a newer one is refused."""
    alter(patient, f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608
    why, found = read(patient)
    assert why
    assert found.verdict is verdict
    assert said in found.text
    alter(patient, "DROP TABLE alembic_version")
    assert read(patient)[0] == "the database is empty"


def test_a_schema_without_a_deployment_is_told(patient: Patient) -> None:
    """With the command that sets it up."""
    (patient.folder / "certworker.db").unlink()
    put_database(patient.folder / "certworker.db")
    why, found = read(patient)
    assert (why, found.verdict) == ("", Verdict.WRONG)
    assert "the schema of this release, and no deployment in it" in found.text
    assert found.to_do == f"Set the deployment up: certworker init -c {patient.config}"


def test_one_that_is_none_is_told_once(patient: Patient) -> None:
    """In the driver's own words."""
    (patient.folder / "certworker.db").write_bytes(b"no database at all, and long enough to be read as one" * 20)
    why, found = read(patient)
    assert (why, found.verdict) == ("the database cannot be read", Verdict.WRONG)
    assert "file is not a database" in found.text
    assert not worst(look_at_database(patient.subject()))


@pytest.mark.parametrize("url", ["postgresql://host:hunter2secret/db", "postgresql+asyncpg://a:hunter2secret@h/d", "sqlite://"])
def test_a_url_that_no_service_takes_is_told_without_its_parts(patient: Patient, url: str) -> None:
    """What stands in the place of a port may be the password."""
    patient.database_url = url
    found = [one for one in patient.examined() if one.check == "database"]
    assert only(found).text.startswith("database_url is neither")
    assert "hunter2secret" not in repr(patient.examined())
    with pytest.raises(SetupError, match="The database URL") as raised:
        open_store(url, patient.clock)
    assert "hunter2secret" not in str(raised.value)


def test_damaged_pages_are_found(patient: Patient) -> None:
    """Where they are of a table that nobody reads today, too."""
    path = patient.folder / "certworker.db"
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tally'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    assert read(patient)[1].verdict is Verdict.FINE
    found = only(worst(look_at_database(patient.subject())))
    assert found.text.startswith("The database is damaged: ")
    assert "backup restore" in found.to_do


def test_a_network_filesystem_is_known_by_its_mount(tmp_path: Path) -> None:
    """The mount that is nearest counts, and of two in one place the later."""
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/sda1 / ext4 rw 0 0\nserver:/a {tmp_path}/with\\040space nfs4 rw 0 0\n"
        f"x {tmp_path}/twice cifs rw 0 0\nx {tmp_path}/twice xfs rw 0 0\n"
    )
    assert network_filesystem(tmp_path / "with space" / "data", mounts) == "nfs4"
    assert network_filesystem(tmp_path / "twice", mounts) == ""
    assert network_filesystem(tmp_path, mounts) == ""
    assert network_filesystem(tmp_path, tmp_path / "nowhere") == ""


def test_a_postgresql_server_that_answers_is_fine(patient: Patient, postgresql_url: str) -> None:
    """Its version and how quickly it answers; a deployment that is missing there is told."""
    patient.database_url, patient.clock = postgresql_url, utc_now
    assert read(patient)[0] == "the database is empty"
    migrate(postgresql_url)
    why, found = read(patient)
    assert (why, found.verdict) == ("", Verdict.WRONG)
    assert "no deployment in it" in found.text
    assert any("PostgreSQL" in one.text and "ms" in one.text for one in look_at_database(patient.subject()))
    assert not list(look_at_database_clock(patient.subject()))


@pytest.mark.parametrize(("seconds", "verdict"), [(30, Verdict.WARNING), (-300, Verdict.WRONG)])
def test_a_clock_that_differs_from_the_servers_is_told(
    patient: Patient, postgresql_url: str, seconds: int, verdict: Verdict
) -> None:
    """Leases end by that clock."""
    migrate(postgresql_url)
    patient.database_url, patient.clock = postgresql_url, FakeClock(utc_now() + timedelta(seconds=seconds))
    found = only(look_at_database_clock(patient.subject()))
    assert found.verdict is verdict
    assert ("ahead" if seconds > 0 else "behind") in found.text


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_can_be_written_by_looking(patient: Patient, request: pytest.FixtureRequest, kind: str) -> None:
    """What is opened here is read-only to the database as well."""
    url = f"sqlite:///{patient.folder}/certworker.db"
    if kind == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        migrate(url)
    with inspecting(url, patient.clock, 5.0) as inspection, pytest.raises(Unavailable, match=r"read.?only"):
        _delete_revision(inspection)


def _delete_revision(inspection: Inspection) -> None:
    with inspection.reading() as reader:
        assert isinstance(reader, SqlReader)
        reader._connection.exec_driver_sql("DELETE FROM alembic_version")


def test_a_server_that_does_not_answer_is_told_without_the_password(patient: Patient, postgresql_url: str) -> None:
    """A closed port, a database that is missing, and a password in the URL's query."""
    patient.database_url = "postgresql://bob:hunter2@127.0.0.1:1/db?password=hunter2"
    why, found = read(patient)
    assert why == "the database cannot be read"
    assert "refused" in found.text
    assert "hunter2" not in repr(found)
    patient.database_url = postgresql_url.replace("/test", "/nowhere")
    assert "does not exist" in read(patient)[1].text


def test_tables_may_be_made_or_it_is_told(patient: Patient, postgresql_url: str) -> None:
    """An update needs it."""
    migrate(postgresql_url)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        name = f"reader{id(patient)}"
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute(b"REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.execute(f"GRANT USAGE ON SCHEMA public TO {name}".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}".encode())
    patient.database_url = postgresql_url.replace("postgres:@", f"{name}:@")
    assert patient.database_url != postgresql_url
    patient.clock = utc_now
    assert "may not make tables" in only(worst(look_at_database(patient.subject()))).text


def test_a_store_can_be_opened_after_it_was_looked_into(patient: Patient) -> None:
    """Nothing is left locked."""
    patient.subject()
    with closing(open_store(f"sqlite:///{patient.folder}/certworker.db", patient.clock)) as store, store.writing() as writer:
        writer.put_challenge("token", "response", patient.clock())


@pytest.mark.parametrize(
    ("free", "verdict"),
    [
        ((64 << 20) - 1, Verdict.WRONG),
        (64 << 20, Verdict.WARNING),
        ((1 << 30) - 1, Verdict.WARNING),
        (1 << 30, None),
    ],
)
def test_little_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: Verdict | None) -> None:
    """A disk with less than 64 MiB is full, and with less than 1 GiB nearly so."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = [one.verdict for one in room_for("The database", tmp_path, Reporter("database"))]
    assert found == ([verdict] if verdict else [])
