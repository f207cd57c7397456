"""A trial: whether a database takes what is written, found out without a trace."""

import pytest
from sqlalchemy import text

from certworker.errors import Unavailable
from certworker.store.engine import open_engine
from certworker.vault.store import Store


def try_out(store: Store) -> None:
    """Try a write."""
    with store.writing() as writer:
        writer.try_out()


def test_a_trial_leaves_nothing(store: Store) -> None:
    """Not even while somebody else tries at the same time."""
    try_out(store)
    with store.reading() as reader:
        try_out(store)
        assert reader.heartbeats() == ()
    with store.reading() as reader:
        assert reader.heartbeats() == ()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_takes_no_writes_is_found_out(database_url: str, store: Store) -> None:
    """As one is set whose disk is nearly full: it can be read, and every change is refused."""
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text(f'ALTER DATABASE "{engine.url.database}" SET default_transaction_read_only = on'))
    engine.dispose()
    store.close()  # what connects from now on may only read
    with pytest.raises(Unavailable, match="read only"):
        try_out(store)
    with store.reading() as reader:
        assert reader.heartbeats() == ()
