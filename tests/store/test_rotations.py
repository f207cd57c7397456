"""Rotations on both databases: kept, claimed by one, and recorded by whoever still holds the claim."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from certworker.errors import LeaseLost
from certworker.vault.objects import Deletion, KeyReleasePolicy, ObjectKind
from certworker.vault.rotation_policy import KeyRotation, RotationPolicy
from certworker.vault.store import Store, Writer
from tests.store.workers import Pair, claim_rotations
from tests.support.clock import START
from tests.support.records import VAULT_ID, VERSION, a_head, a_key

LEASE = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
POLICY = RotationPolicy("P3M", None, "P30D", "P1Y")


def a_rotation(name: str = "Web", due_at: datetime | None = START, **changes: Any) -> KeyRotation:  # noqa: ANN401
    """Make a rotation that is due."""
    return replace(KeyRotation(VAULT_ID, name, POLICY, START - LEASE, START - SECOND, due_at), **changes)


def add(writer: Writer, rotation: KeyRotation) -> None:
    """Add a live key with a rotation."""
    writer.put_head(a_head(ObjectKind.KEY, rotation.name))
    writer.add_key(replace(a_key(rotation.name), managed=False))
    writer.put_rotation(rotation)


def test_a_rotation_comes_back_whole(store: Store) -> None:
    """Every field, by a name of any case; a new policy takes its place and keeps its creation."""
    rotation = a_rotation(failures=3, last_error="The token was away.")
    with store.writing() as writer:
        assert writer.rotation(VAULT_ID, "web") is None
        add(writer, rotation)
        assert writer.rotation(VAULT_ID, "WEB") == replace(rotation, fence=1)
        other = replace(rotation, policy=RotationPolicy(), created=START, due_at=None)
        writer.put_rotation(other)
        assert writer.rotation(VAULT_ID, "web") == replace(other, created=rotation.created, fence=2)
        assert writer.next_rotation() is None
        writer.purge(VAULT_ID, ObjectKind.KEY, "web")
        assert writer.rotation(VAULT_ID, "web") is None


def test_what_has_been_due_the_longest_is_claimed_first(store: Store) -> None:
    """And neither what is due later, nor what is deleted."""
    due = {"c": START, "b": START - SECOND, "later": START + SECOND, "never": None, "gone": START - LEASE}
    with store.writing() as writer:
        for name, at in due.items():
            add(writer, a_rotation(name, at))
        writer.set_deletion(VAULT_ID, ObjectKind.KEY, "gone", Deletion(START, START + LEASE))
        assert writer.next_rotation() == START - SECOND
        claims = [writer.claim_rotation("worker", START, LEASE) for _ in range(3)]
        assert [claim.name if claim else None for claim in claims] == ["b", "c", None]
        assert writer.lease_owners() == ("worker",)
        writer.release_leases("worker")
        again = writer.claim_rotation("worker", START, LEASE)
        assert again == a_rotation("b", START - SECOND, fence=3)


def test_only_the_last_claim_is_recorded(store: Store) -> None:
    """A plan under a fence that has moved on is refused, and changes nothing."""
    with store.writing() as writer:
        add(writer, a_rotation())
        first = writer.claim_rotation("first", START, timedelta(0))
        second = writer.claim_rotation("second", START, LEASE)
    assert first is not None
    assert second is not None
    with pytest.raises(LeaseLost), store.writing() as writer:
        writer.set_rotation(replace(first, due_at=None))
    with store.writing() as writer:
        writer.set_rotation(replace(second, due_at=START + LEASE, failures=1, last_error="Not today."))
        assert writer.lease_owners() == ()
        planned = a_rotation(due_at=START + LEASE, failures=1, last_error="Not today.", fence=second.fence)
        assert writer.rotation(VAULT_ID, "web") == planned


def test_two_processes_claim_every_rotation_once(store: Store, database_url: str, pair: Pair) -> None:
    """However they meet."""
    with store.writing() as writer:
        for number in range(20):
            add(writer, a_rotation(f"key-{number}"))
    one, two = pair.run(claim_rotations, database_url)
    assert Counter(one + two) == Counter(f"key-{number}" for number in range(20))


def test_what_a_key_may_do_is_changed_alone(store: Store) -> None:
    """With its release policy; the key, its attributes and its tags stay."""
    policy = KeyReleasePolicy("application/json", '{"ü": 1}', immutable=True)
    with store.writing() as writer:
        add(writer, a_rotation())
        before = writer.key(VAULT_ID, "web", None)
        assert before is not None
        writer.set_key_properties(VAULT_ID, "web", VERSION, ("sign",), policy)
        assert writer.key(VAULT_ID, "web", None) == replace(before, key_ops=("sign",), release_policy=policy)
        writer.set_key_properties(VAULT_ID, "web", VERSION, (), None)
        assert writer.key(VAULT_ID, "web", None) == replace(before, key_ops=(), release_policy=None)
