"""Events, cursors, counts, heartbeats and the fleet in the store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.errors import Unavailable
from certworker.store.engine import open_store
from certworker.vault.objects import Deletion, ObjectKind
from certworker.vault.operations import OperationStatus
from certworker.vault.store import Store
from certworker.vault.summary.records import FleetEntry
from tests.store.workers import Pair, append_events
from tests.support.clock import START, FakeClock
from tests.support.records import (
    LATER,
    VAULT_ID,
    VERSION,
    a_certificate,
    a_heartbeat,
    a_vault,
    add_certificate,
    add_head,
    an_event,
    an_operation,
)


def test_events_come_back_whole_and_in_order(store: Store) -> None:
    """Events are numbered as they are written, from one, and read on from any of them."""
    with store.writing() as writer:
        assert (writer.events(0, 10), writer.last_event()) == ((), 0)
        for name in ("a", "b", "c"):
            writer.add_event(an_event(name))
    with store.reading() as reader:
        a, b, c = (an_event(name, sequence=number) for number, name in enumerate("abc", 1))
        assert reader.events(0, 10) == (a, b, c)
        assert reader.events(1, 1) == (b,)
        assert reader.last_event() == 3


def test_a_transaction_sees_its_own_events(store: Store) -> None:
    """What was appended can be read before the commit, and is written once."""
    with store.writing() as writer:
        writer.add_event(an_event("a", version=None, detail={}))
        assert writer.last_event() == 1
        writer.add_event(an_event("b"))
        assert [event.name for event in writer.events(0, 10)] == ["a", "b"]
    with store.reading() as reader:
        assert [event.name for event in reader.events(0, 10)] == ["a", "b"]


def test_a_rolled_back_transaction_leaves_nothing(store: Store) -> None:
    """Neither its events nor its changes are there, whatever broke it off."""

    def change_and_break_off() -> None:
        with store.writing() as writer:
            add_certificate(writer)
            writer.add_event(an_event())
            assert writer.last_event() == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change_and_break_off()
    with store.reading() as reader:
        assert reader.last_event() == 0
        assert reader.head(VAULT_ID, ObjectKind.CERTIFICATE, "Web") is None


def test_events_become_visible_in_the_order_of_their_numbers(store: Store, database_url: str, clock: FakeClock) -> None:
    """While one transaction has drawn a number, no other can draw the next one and commit before it."""
    impatient = open_store(database_url, clock, lock_wait=timedelta(milliseconds=50))
    with store.writing() as first:
        first.add_event(an_event("first"))
        assert first.last_event() == 1
        with pytest.raises(Unavailable), impatient.writing() as second:
            second.add_event(an_event("second"))
    with impatient.writing() as second:
        second.add_event(an_event("second"))
    with impatient.reading() as reader:
        assert [event.name for event in reader.events(0, 10)] == ["first", "second"]
    impatient.close()


def test_a_cursor_misses_nothing_of_two_writers(store: Store, database_url: str, pair: Pair) -> None:
    """Two processes append 200 events each and read along: both see all, in order, each one's in its own order."""
    one, two = pair.run(append_events, database_url)
    with store.reading() as reader:
        events = reader.events(0, 1000)
    sequences = [event.sequence for event in events]
    assert sequences == sorted(set(sequences))
    for name in ("one", "two"):
        assert [event.name for event in events if event.name.startswith(name)] == [f"{name}-{n}" for n in range(200)]
    for seen in (one, two):
        assert seen == sequences[: len(seen)]
    assert max(len(one), len(two)) == 400


def test_a_cursor_is_kept_by_name(store: Store) -> None:
    """A listener that is new begins at 0; others go on where they were."""
    with store.writing() as writer:
        assert writer.cursor("mail") == 0
        writer.set_cursor("mail", 5)
        writer.set_cursor("mail", 2**40)
        writer.set_cursor("metrics", 7)
    with store.reading() as reader:
        assert (reader.cursor("mail"), reader.cursor("metrics"), reader.cursor("other")) == (2**40, 7, 0)


def test_attempts_are_counted(store: Store) -> None:
    """Attempts are counted by vault, issuer in any case, and result."""
    with store.writing() as writer:
        writer.add_vault(a_vault("vault-2", "adatum"))
        for vault_id, issuer, result in (
            (VAULT_ID, "MyCA", "issued"),
            (VAULT_ID, "MYCA", "issued"),
            (VAULT_ID, "MyCA", "failed"),
            ("vault-2", "Self", "issued"),
        ):
            writer.count_attempt(vault_id, issuer, result)
    with store.reading() as reader:
        assert reader.tallies() == {
            ("Contoso", "MyCA", "issued"): 2,
            ("Contoso", "MyCA", "failed"): 1,
            ("adatum", "Self", "issued"): 1,
        }


def test_the_last_heartbeat_of_each_job_is_kept(store: Store) -> None:
    """A job's next run replaces the one before."""
    with store.writing() as writer:
        writer.beat(a_heartbeat("rounds"))
        writer.beat(a_heartbeat("mail"))
        writer.beat(a_heartbeat("rounds", seconds=0.1 + 0.2, failed=True))
    with store.reading() as reader:
        assert reader.heartbeats() == (a_heartbeat("mail"), a_heartbeat("rounds", seconds=0.1 + 0.2, failed=True))


def test_the_fleet_is_every_live_certificate(store: Store) -> None:
    """Live certificates are listed by vault and name with their latest operation; deleted ones are not."""
    with store.writing() as writer:
        for name in ("web", "deleted", "Issuing"):
            add_certificate(writer, name)
        writer.set_deletion(VAULT_ID, ObjectKind.CERTIFICATE, "deleted", Deletion(START, START))
        add_head(writer, "first")
        writer.put_certificate(a_certificate("first", None))
        writer.add_operation(an_operation("first", "a", enabled=False))
        writer.add_operation(an_operation("issuing", "b", status=OperationStatus.FAILED, created=START - timedelta(days=1)))
        writer.add_operation(an_operation("issuing", "c"))
    renewal = a_certificate().renewal
    web = FleetEntry("Contoso", "web", "MyCA", VERSION, True, START, LATER, renewal, None, None, None)  # noqa: FBT003
    in_progress = replace(web, operation_status=OperationStatus.IN_PROGRESS, operation_created=START, operation_due_at=START)
    issuing = replace(in_progress, name="Issuing")
    nothing_yet = replace(in_progress, name="first", version=None, enabled=False, not_before=None, not_after=None)
    with store.reading() as reader:
        assert reader.fleet() == (replace(nothing_yet, renewal=replace(renewal, due_at=None)), issuing, web)
