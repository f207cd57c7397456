"""The database itself: how it stands, and what time it has."""

from datetime import timedelta

from certworker.clock import utc_now
from certworker.store.migrate import HEAD
from certworker.vault.spare_keys import SpareKey
from certworker.vault.store import Store
from tests.support.clock import START


def test_it_tells_how_it_stands(store: Store) -> None:
    """Its size, its schema, and what lies there ready or waits."""
    with store.reading() as reader:
        before = reader.database_state()
    with store.writing() as writer:
        for number, kind in enumerate(("RSA-2048", "RSA-2048", "RSA-4096")):
            writer.add_spare_key(SpareKey(f"key-{number}", kind, b"sealed", START))
        writer.add_pending_record("{}")
    with store.reading() as reader:
        after = reader.database_state()
    assert before.size_bytes > 100_000
    assert after.size_bytes >= before.size_bytes
    assert (before.schema, before.spare_keys) == (HEAD, {})
    assert (after.schema, after.spare_keys) == (HEAD, {"RSA-2048": 2, "RSA-4096": 1})
    assert after.pending_records == before.pending_records + 1


def test_only_a_server_has_a_clock(store: Store) -> None:
    """PostgreSQL tells its time to a fraction of a second; SQLite has ours."""
    with store.reading() as reader:
        first, second = reader.database_clock(), reader.database_clock()
    if store.inline_reads:
        assert first is None
        return
    assert first is not None
    assert second is not None
    assert first < second
    assert first.microsecond or second.microsecond
    assert abs(utc_now() - first) < timedelta(minutes=1)
