"""Used attestations: each counts once, on either database, whoever comes at the same moment."""

import threading
from datetime import timedelta

import pytest

from certworker.vault.store import Store
from tests.support.clock import START


def use(store: Store, digest: str = "digest") -> bool:
    """Use one up, in a transaction of its own."""
    with store.writing() as writer:
        return writer.use_assertion(digest, START + timedelta(hours=1))


def test_the_first_one_counts(store: Store) -> None:
    """Not the second; another one does."""
    assert use(store)
    assert not use(store)
    assert use(store, "another")


def test_what_was_rolled_back_was_not_used(store: Store) -> None:
    """A release that died before its commit can be asked for again."""

    def die() -> None:
        with store.writing() as writer:
            assert writer.use_assertion("digest", START)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    assert use(store)


def test_of_many_at_once_one_counts(store: Store) -> None:
    """The database decides."""
    counted: list[bool] = []
    gate = threading.Barrier(4)

    def try_() -> None:
        gate.wait()
        counted.append(use(store))

    threads = [threading.Thread(target=try_) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counted) == [False, False, False, True]


def test_what_has_expired_is_forgotten(store: Store) -> None:
    """At its time, and no sooner."""
    use(store)
    with store.writing() as writer:
        assert writer.delete_expired_assertions(START + timedelta(minutes=59)) == 0
        assert writer.delete_expired_assertions(START + timedelta(hours=1)) == 1
    assert use(store)
