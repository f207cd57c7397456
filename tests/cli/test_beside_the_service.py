"""Commands on the machine that work beside a service: its database is the service's to make and to bring up to date."""

import sqlite3
from pathlib import Path

import pytest

from certworker.cli.exits import ExitCode
from certworker.store.migrate import HEAD, REVISIONS
from tests.cli.test_vault_commands import run

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ca-bundle",),
    ("vault", "show", "main"),
    ("vault", "update", "main", "--retention-days", "30"),
    ("seal", "rotate-master"),
    ("seal", "rotate-vault-keys"),
    ("audit", "verify"),
    ("audit", "heads"),
    ("audit", "rotate-key"),
    ("identity", "user", "list"),
    ("identity", "signing-key", "rotate"),
)
READ_ANY_RELEASE: tuple[tuple[str, ...], ...] = (("seal", "status"), ("backup", "create", "FILE"), ("doctor",))
"""What is needed before an update: a sealed service does it when it is unsealed, and a backup is made ahead of it."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write settings."""
    file = tmp_path / "certworker.toml"
    file.write_text(f'database_url = "sqlite:///{tmp_path}/certworker.db"\n[seal]\nmaster_key_file = "{tmp_path}/master.key"\n')
    return file


def revision(config: Path, becomes: str = "") -> str:
    """Read the schema's revision; set it before, if another one is given."""
    database = sqlite3.connect(config.parent / "certworker.db", isolation_level=None)
    if becomes:
        database.execute("UPDATE alembic_version SET version_num = ?", (becomes,))
    (found,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    database.close()
    return str(found)


@pytest.mark.parametrize("words", [*COMMANDS, *READ_ANY_RELEASE, ("seal", "unseal"), ("drill", "recovery")], ids=" ".join)
def test_where_nothing_is_set_up_nothing_is_made(config: Path, words: tuple[str, ...]) -> None:
    """No database comes into being, and neither does what else would be made in it or beside it."""
    given = [str(config.parent / "backup") if word == "FILE" else word for word in words]
    said = run(*given, "-c", str(config))
    assert list(config.parent.iterdir()) == [config], said.output
    if words != ("seal", "unseal"):  # without a seal there is nothing to do
        assert said.exit_code == ExitCode.ERROR
        assert "certworker init" in said.output or "nothing to back up" in said.output


def test_an_earlier_release_s_schema_is_left_to_the_service(config: Path) -> None:
    """It is said what brings it up to date; what is needed before that can be read."""
    assert run("init", "-c", str(config)).exit_code == ExitCode.OK
    earlier = revision(config, REVISIONS[-2])
    for words in (*COMMANDS, ("init",)):
        said = run(*words, "-c", str(config))
        assert said.exit_code == ExitCode.ERROR, words
        assert f"its schema is {earlier}, this release works on {HEAD}" in " ".join(said.output.split()), words
        assert "`certworker run` brings it up to date" in " ".join(said.output.split()), words
    for words in READ_ANY_RELEASE:
        given = [str(config.parent / "backup") if word == "FILE" else word for word in words]
        assert run(*given, "-c", str(config)).exit_code == ExitCode.OK, words
    assert revision(config) == earlier


def test_a_seal_whose_database_is_too_old_is_told_as_that(config: Path) -> None:
    """And not as a database that does not answer."""
    assert run("init", "-c", str(config)).exit_code == ExitCode.OK
    revision(config, REVISIONS[2])
    database = sqlite3.connect(config.parent / "certworker.db")
    database.execute("DROP TABLE master_key")  # a later revision made it
    database.close()
    said = run("seal", "status", "-c", str(config))
    assert said.exit_code == ExitCode.ERROR
    assert f"its schema is {REVISIONS[2]}" in " ".join(said.output.split())
