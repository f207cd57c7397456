"""The audit log's tables: what waits, in its order; who drains it; heads, cuts and keys."""

from datetime import timedelta

from certworker.store.transactions import SqlStore
from certworker.vault.audit.port import AuditKey, ChainCut, ChainHead
from tests.support.clock import FakeClock


def test_what_waits_comes_in_its_order(store: SqlStore) -> None:
    """The oldest first, until it is deleted; a transaction that fails leaves nothing."""
    for text in ("one", "two", "three"):
        with store.writing() as writer:
            writer.add_pending_record(text)
    with store.reading() as reader:
        first, *_ = found = reader.pending_records(2)
    assert [record.text for record in found] == ["one", "two"]
    with store.writing() as writer:
        writer.delete_pending_records((first.number,))
    with store.reading() as reader:
        assert [record.text for record in reader.pending_records(9)] == ["two", "three"]


def test_one_drains_at_a_time(store: SqlStore, clock: FakeClock) -> None:
    """A lease can be kept by its owner and taken by nobody else."""
    lease = timedelta(minutes=5)
    with store.writing() as writer:
        assert writer.claim_audit_drain("one", clock(), lease)
        assert writer.claim_audit_drain("one", clock(), lease)
    with store.writing() as writer:
        assert not writer.claim_audit_drain("two", clock(), lease)


def test_heads_and_cuts_are_replaced(store: SqlStore, clock: FakeClock) -> None:
    """There is one of each for a chain, and the last one counts."""
    at = clock()
    for sequence in (1, 1 << 40):
        with store.writing() as writer:
            writer.put_chain_head(ChainHead("chain", "host", "key", at, at, sequence, "hash", b"signature", closed=False))
            writer.put_chain_cut(ChainCut("chain", "key", at, sequence, "hash", b"signature"))
    with store.reading() as reader:
        (head,), (cut,) = reader.chain_heads(), reader.chain_cuts()
    assert head == ChainHead("chain", "host", "key", at, at, 1 << 40, "hash", b"signature", closed=False)
    assert cut == ChainCut("chain", "key", at, 1 << 40, "hash", b"signature")


def test_the_newest_key_stands_last(store: SqlStore, clock: FakeClock) -> None:
    """Older ones stay; neither shows its private half."""
    keys = [AuditKey(name, b"public", b"sealed", clock()) for name in ("b", "a")]
    for key in keys:
        with store.writing() as writer:
            writer.add_audit_key(key)
    with store.reading() as reader:
        assert list(reader.audit_keys()) == keys
    assert "sealed" not in repr(keys)
