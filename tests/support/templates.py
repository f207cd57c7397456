"""A migrated database to begin with: a migration takes a tenth of a second, and there are thousands of tests."""

import os
import tempfile
from functools import cache
from pathlib import Path

from certworker.store.migrate import migrate


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
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(migrated())
