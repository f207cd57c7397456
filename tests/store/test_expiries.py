"""Expiries on both databases: found when they are due, and moved on by one of all who try."""

from dataclasses import replace
from datetime import timedelta

from certworker.vault.expiries import Expiries
from certworker.vault.objects import ObjectKind
from certworker.vault.store import Store
from tests.store.workers import Pair, tell_notices
from tests.support.clock import START
from tests.support.records import VAULT_ID, a_head, a_key, a_secret

SECOND = timedelta(seconds=1)


def fill(store: Store, count: int) -> None:
    """Add keys and secrets whose notice is due."""
    with store.writing() as writer:
        for number in range(count):
            name = f"object-{number}"
            writer.put_head(a_head(ObjectKind.KEY, name))
            writer.add_key(a_key(name, notice_at=START))
            writer.put_head(a_head(ObjectKind.SECRET, name))
            writer.add_secret(a_secret(name, notice_at=START - SECOND))


def test_notices_are_found_and_moved_on(store: Store) -> None:
    """Those that wait the longest come first; one that was moved on, or planned anew, is nobody's."""
    fill(store, 1)
    with store.writing() as writer:
        secret, key = writer.due_notices(START, 10)
        assert (secret.kind, secret.notice_at, key.kind) == (ObjectKind.SECRET, START - SECOND, ObjectKind.KEY)
        assert writer.due_notices(START, 1) == (secret,)
        assert writer.move_notice(key, START + SECOND)
        assert not writer.move_notice(key, START + SECOND)
        assert not writer.move_notice(replace(key, notice_at=START + SECOND, version="0" * 32), None)
        later = replace(secret.attributes, expires=START + SECOND)
        writer.set_attributes(VAULT_ID, secret.kind, secret.name, secret.version, later, {})
        assert not writer.move_notice(secret, None)
        assert writer.move_notice(replace(secret, attributes=later), None)
        assert writer.due_notices(START, 10) == ()
        (found,) = writer.due_notices(START + SECOND, 10)
        assert found == replace(key, notice_at=START + SECOND)


def test_two_processes_tell_every_notice_once(store: Store, database_url: str, pair: Pair) -> None:
    """However they meet."""
    fill(store, 20)
    one, two = pair.run(tell_notices, database_url)
    assert one + two == 40
    with store.reading() as reader:
        events = reader.events(0, 100)
    assert len({(event.kind, event.name) for event in events}) == len(events) == 40
    assert Expiries(store).tell_due(START) == 0
