"""SQL that is compiled once for all tests: each opens a database of its own, and compiling is slower than running."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

_MOST_STATEMENTS: Final = 5000


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Let all stores of this process have one cache of compiled statements.

    A statement is found there by its structure and its dialect. Each engine has a dialect of its own, and those of one class
    are alike here, since there is one release of each database.
    """
    cache: LRUCache[Any, Any] = LRUCache(_MOST_STATEMENTS)
    with pytest.MonkeyPatch.context() as patch:
        make = partial(create_engine, execution_options={"compiled_cache": cache})
        patch.setattr("certworker.store.engine.create_engine", make)
        for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
            patch.setattr(dialect, "__eq__", lambda self, other: type(self) is type(other))
            patch.setattr(dialect, "__hash__", lambda self: hash(type(self)))
        yield
