"""What tests begin with: a migrated database, or a deployment that is set up. Each takes tenths of a second to make."""

import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from certworker.bootstrap import build, make_master_key
from certworker.clock import Clock
from certworker.settings import Seal, Settings
from certworker.store.engine import open_store
from certworker.store.migrate import migrate
from certworker.vault.founding import Founded
from tests.support.clock import START, FakeClock

VAULT, ADMINISTRATOR = "contoso", "administrator"


@cache
def migrated() -> bytes:
    """Give the content of an empty SQLite database with the schema of this release; made once in each process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        migrate(f"sqlite:///{path}")
        return path.read_bytes()


def put_database(path: Path) -> None:
    """Put a migrated database at `path`, unless there is one."""
    if not path.exists():
        _write(path, migrated())


@dataclass(frozen=True, slots=True, repr=False)
class SetUp:
    """A deployment that was set up at START: the content of its two files, and what the set-up gave."""

    database: bytes
    master_key: bytes
    founded: Founded


@cache
def set_up() -> SetUp:
    """Set a deployment up, once in each process."""
    with tempfile.TemporaryDirectory() as folder:
        path, key = Path(folder) / "template.db", Path(folder) / "master.key"
        settings = Settings(database_url=f"sqlite:///{path}", seal=Seal(master_key_file=key))
        make_master_key(key)
        put_database(path)
        clock = FakeClock(START)
        with closing(open_store(settings.database_url, clock)) as store:
            founded = build(settings, clock, store, Random(1)).founding.found(VAULT, ADMINISTRATOR)
        return SetUp(path.read_bytes(), key.read_bytes(), founded)


def put_deployment(folder: Path, clock: Clock, template: Callable[[], SetUp] = set_up) -> Founded | None:
    """Put a deployment that is set up into an empty folder, if it is START; tell what the set-up gave.

    All deployments of a process that begin so have the same master key and ids, as copies of one: where a test needs two that
    know nothing of each other, one of them is set up anew.
    """
    path, key = folder / "certworker.db", folder / "master.key"
    if path.exists() or key.exists() or clock() != START:
        return None
    made = template()
    _write(key, made.master_key)
    _write(path, made.database)
    return made.founded


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
