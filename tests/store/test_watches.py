"""Watches: kept, claimed by one worker at a time, and only over what there is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.errors import LeaseLost
from certworker.vault.objects import Deletion, ObjectKind
from certworker.vault.store import Store
from certworker.vault.watches import Watch, WatchKind
from tests.support.clock import START
from tests.support.records import VAULT_ID, VERSION, add_certificate

LEASE = timedelta(minutes=3)
WATCH = Watch(WatchKind.ADVICE, VAULT_ID, "Web", VERSION, START, {"seen": "nothing yet"})


def test_a_watch_comes_back_whole(store: Store) -> None:
    """By its kind and its certificate's name, in any case; a second one takes the place of the first."""
    with store.writing() as writer:
        add_certificate(writer)
        writer.put_watch(WATCH)
        assert writer.watch(WatchKind.ADVICE, VAULT_ID, "wEB") == WATCH
        assert writer.watch(WatchKind.REVOCATION, VAULT_ID, "Web") is None
        other = replace(WATCH, due_at=None, state={})
        writer.put_watch(other)
        assert writer.watches(WatchKind.ADVICE) == (replace(other, fence=1),)
        writer.delete_watch(WatchKind.ADVICE, VAULT_ID, "web")
        assert writer.watches(WatchKind.ADVICE) == ()


def test_a_watch_is_claimed_by_one_and_recorded_under_its_fence(store: Store) -> None:
    """Whoever holds the lease records what was seen; whoever held an earlier one does not."""
    with store.writing() as writer:
        add_certificate(writer)
        writer.put_watch(WATCH)
        assert writer.next_watch(WatchKind.ADVICE) == START
        claimed = writer.claim_watch(WatchKind.ADVICE, "one", START, LEASE)
        assert claimed == replace(WATCH, fence=1)
        assert writer.claim_watch(WatchKind.ADVICE, "two", START, LEASE) is None
        assert writer.claim_watch(WatchKind.REVOCATION, "two", START, LEASE) is None
        writer.set_watch(replace(claimed, due_at=START + LEASE, state={"seen": "all"}))
        with pytest.raises(LeaseLost):
            writer.set_watch(claimed)
        assert writer.next_watch(WatchKind.ADVICE) == START + LEASE


def test_a_watch_that_is_put_anew_is_not_overwritten_by_who_looked_at_the_old_version(store: Store) -> None:
    """A new version came while somebody asked about the one before."""
    with store.writing() as writer:
        add_certificate(writer)
        writer.put_watch(WATCH)
        claimed = writer.claim_watch(WatchKind.ADVICE, "one", START, LEASE)
        assert claimed is not None
        writer.put_watch(replace(WATCH, state={"seen": "of the new version"}))
        with pytest.raises(LeaseLost):
            writer.set_watch(claimed)


@pytest.mark.parametrize("hidden", ["deleted", "another version", "nothing due"])
def test_what_need_not_be_looked_at_is_not_claimed(store: Store, hidden: str) -> None:
    """Deleted certificates, versions that are not the current one, and what is over."""
    with store.writing() as writer:
        add_certificate(writer)
        writer.put_watch(replace(WATCH, version="other") if hidden == "another version" else WATCH)
        if hidden == "deleted":
            writer.set_deletion(VAULT_ID, ObjectKind.CERTIFICATE, "Web", Deletion(START, START + LEASE))
        if hidden == "nothing due":
            writer.put_watch(replace(WATCH, due_at=None))
        assert writer.claim_watch(WatchKind.ADVICE, "one", START + LEASE, LEASE) is None
        assert writer.next_watch(WatchKind.ADVICE) is None


def test_watches_are_hastened(store: Store) -> None:
    """One by its certificate's name, or all of a vault."""
    with store.writing() as writer:
        for name in ("Web", "Mail"):
            add_certificate(writer, name)
            writer.put_watch(replace(WATCH, name=name, due_at=START + LEASE))
        assert writer.hasten_watches(WatchKind.ADVICE, VAULT_ID, "web") == 1
        assert writer.next_watch(WatchKind.ADVICE) == START
        assert writer.hasten_watches(WatchKind.ADVICE, VAULT_ID, None) == 2
        assert writer.hasten_watches(WatchKind.EXPIRY, VAULT_ID, None) == 0


def test_a_watch_goes_with_its_certificate(store: Store) -> None:
    """A purge leaves nothing to look at."""
    with store.writing() as writer:
        add_certificate(writer)
        writer.put_watch(WATCH)
        writer.purge(VAULT_ID, ObjectKind.CERTIFICATE, "Web")
    with store.reading() as reader:
        assert reader.watches(WatchKind.ADVICE) == ()
