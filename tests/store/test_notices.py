"""The ledger on both databases: one entry for each thing, claimed by one, never changed behind somebody's back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.errors import LeaseLost
from certworker.vault.notification.ledger import Notice, NoticeStatus, Silence
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.objects import ObjectKind
from certworker.vault.store import Store
from tests.store.workers import Pair, claim_deliveries
from tests.support.clock import START
from tests.support.everything import a_notice
from tests.support.records import VAULT_ID

LEASE = timedelta(minutes=3)
NOTICE = a_notice(VAULT_ID, START)


def put(store: Store, *notices: Notice) -> list[bool]:
    """Add entries; say which were new."""
    with store.writing() as writer:
        return [writer.add_notice(notice) for notice in notices]


def test_there_is_one_entry_for_each_subject_topic_threshold_channel_and_address(store: Store) -> None:
    """Another id makes no other entry; the name is the same in any case."""
    different = [
        {"topic": Topic.EXPIRED},
        {"threshold": "1d"},
        {"channel": "hook"},
        {"address": "bob@example.test"},
        {"version": "f" * 32},
        {"kind": ObjectKind.SECRET},
        {"name": "other"},
    ]
    others = [replace(NOTICE, id=str(number), **changes) for number, changes in enumerate(different)]  # type: ignore[arg-type]
    assert put(store, NOTICE, *others) == [True] * 8
    assert put(store, NOTICE, replace(NOTICE, id="x" * 32), replace(NOTICE, id="y" * 32, name="WEB")) == [False] * 3
    with store.reading() as reader:
        assert reader.notice(NOTICE.id) == NOTICE
        assert [notice.id for notice in reader.notices(VAULT_ID, None, None, 3)] == ["6", "5", "4"]
        before = reader.notice_number("5")
        assert [notice.id for notice in reader.notices(VAULT_ID, NoticeStatus.WAITING, before, 2)] == ["4", "3"]
        assert reader.notices(VAULT_ID, NoticeStatus.DEAD, None, 3) == ()
        assert reader.notice_counts() == {("mail", NoticeStatus.WAITING): 7, ("hook", NoticeStatus.WAITING): 1}


def test_the_most_severe_goes_first_and_under_a_lease(store: Store) -> None:
    """What came of it is recorded under the fence that it was claimed with, and under no other."""
    critical = replace(NOTICE, id="c", threshold="1d", severity=Severity.CRITICAL)
    later = replace(NOTICE, id="l", threshold="10%", due_at=START + LEASE)
    put(store, NOTICE, critical, later, replace(NOTICE, id="h", channel="hook"))
    with store.writing() as writer:
        assert writer.next_delivery(["mail"]) == START
        assert writer.next_delivery([]) is None
        first = writer.claim_delivery("mail", "one", START, LEASE)
        second = writer.claim_delivery("mail", "two", START, LEASE)
        assert (first, second) == (replace(critical, fence=1), replace(NOTICE, fence=1))
        assert writer.claim_delivery("mail", "three", START, LEASE) is None
        assert first is not None
        writer.record_delivery(replace(first, status=NoticeStatus.SENT, due_at=None, sent_at=START))
        with pytest.raises(LeaseLost):
            writer.record_delivery(first)
        assert set(writer.lease_owners()) == {"two"}
        writer.release_leases("two")
        again = writer.claim_delivery("mail", "three", START, LEASE)
        assert again == replace(NOTICE, fence=2)
        with pytest.raises(LeaseLost):
            writer.record_delivery(replace(NOTICE, fence=1))


def test_two_processes_claim_each_notice_once(store: Store, database_url: str, pair: Pair) -> None:
    """However they meet."""
    put(store, *(replace(NOTICE, id=str(number), threshold=str(number)) for number in range(10)))
    one, two = pair.run(claim_deliveries, database_url)
    assert sorted(one + two) == sorted(map(str, range(10)))


def test_what_waits_becomes_parts_of_a_digest(store: Store) -> None:
    """Not what another holds, what was tried before, what is critical, and what is for somebody else."""
    waiting = [replace(NOTICE, id=str(number), threshold=str(number)) for number in range(4)]
    others = [
        replace(NOTICE, id="critical", threshold="a", severity=Severity.CRITICAL),
        replace(NOTICE, id="retrying", threshold="b", status=NoticeStatus.RETRYING),
        replace(NOTICE, id="bob", address="bob@example.test"),
    ]
    put(store, *waiting)
    with store.writing() as writer:
        held = writer.claim_delivery("mail", "another", START, LEASE)
        mine = writer.claim_delivery("mail", "me", START, LEASE)
    put(store, *others)
    assert held
    assert mine
    digest = replace(NOTICE, id="d", topic=Topic.DIGEST, name="", version="", threshold="d")
    with store.writing() as writer:
        parts = writer.gather_parts(mine, (Severity.INFO, Severity.WARNING), 10)
        assert [part.id for part in parts] == ["1", "2", "3"]
        assert writer.add_notice(digest)
        assert writer.put_in_digest("d", parts) == 3
        assert [part.id for part in writer.digest_parts("d")] == ["1", "2", "3"]
        with pytest.raises(LeaseLost):
            writer.record_delivery(mine)
        writer.close_digest(replace(digest, sent_at=START))
        assert {(part.status, part.sent_at) for part in writer.digest_parts("d")} == {(NoticeStatus.IN_DIGEST, START)}


def test_what_is_overtaken_or_silenced_does_not_go_out(store: Store) -> None:
    """What is being sent at this moment stays as it is."""
    put(store, NOTICE, *(replace(NOTICE, id=word, threshold=word) for word in ("a", "b")))
    with store.writing() as writer:
        held = writer.claim_delivery("mail", "one", START, LEASE)
        assert held
        subject = (VAULT_ID, ObjectKind.CERTIFICATE, "Web")
        assert writer.supersede(*subject, NOTICE.version, [Topic.NEAR_EXPIRY]) == 0
        assert writer.supersede(*subject, "f" * 32, [Topic.EXPIRED]) == 0
        assert writer.silence_open([replace(NOTICE, id="a"), held]) == 1
        assert writer.supersede(*subject, "f" * 32, [Topic.NEAR_EXPIRY]) == 1
        states = {notice.id: notice.status for notice in writer.notices(VAULT_ID, None, None, 9)}
    assert states == {NOTICE.id: NoticeStatus.WAITING, "a": NoticeStatus.SILENCED, "b": NoticeStatus.SUPERSEDED}


def test_silences_hold_until_their_time(store: Store) -> None:
    """And can be ended before."""
    silence = Silence("s", VAULT_ID, "web-*", Topic.NEAR_EXPIRY, START + LEASE, "ada", "a drill", START)
    with store.writing() as writer:
        writer.add_silence(silence)
        assert writer.silences(VAULT_ID, START) == (silence,)
        assert writer.silences(VAULT_ID, START + LEASE) == ()
        assert writer.silences("another", START) == ()
        assert not writer.delete_silence("another", "s")
        assert writer.delete_silence(VAULT_ID, "s")
        assert writer.silences(VAULT_ID, START) == ()


def test_only_what_has_ended_is_forgotten(store: Store) -> None:
    """What waits is kept however old it is, and what was acknowledged is found."""
    known = replace(NOTICE, id="k", threshold="k", acknowledged_at=START, acknowledged_by="ada")
    put(store, NOTICE, replace(known, status=NoticeStatus.SENT, due_at=None))
    subject = (VAULT_ID, ObjectKind.CERTIFICATE, "WEB", NOTICE.version, Topic.NEAR_EXPIRY)
    with store.writing() as writer:
        assert [notice.id for notice in writer.acknowledged(*subject)] == ["k"]
        assert writer.oldest_notice() == START
        assert writer.forget_notices(START, 10) == 0
        assert writer.forget_notices(START + LEASE, 10) == 1
        assert [notice.id for notice in writer.notices(VAULT_ID, None, None, 9)] == [NOTICE.id]


def test_what_waits_or_is_held_for_too_long_is_hastened(store: Store) -> None:
    """What is planned soon stays as it is, and what has ended."""
    late = START + 400 * LEASE
    held = replace(NOTICE, id="held", threshold="a", severity=Severity.CRITICAL)
    ended = replace(NOTICE, id="ended", threshold="b", status=NoticeStatus.SENT, due_at=late)
    put(store, NOTICE, held, ended)
    with store.writing() as writer:
        assert not writer.has_notices_after(START + LEASE)
        writer.claim_delivery("mail", "one", START, LEASE)
    put(store, replace(NOTICE, id="late", threshold="c", due_at=late))
    with store.writing() as writer:
        assert writer.has_notices_after(START + LEASE)
        assert writer.hasten_notices(START + LEASE, START) >= 1
        late_now = writer.notice("late")
        assert late_now
        assert late_now.due_at == START
        assert not writer.has_notices_after(START + 300 * LEASE)


def test_parts_of_a_digest_that_is_still_to_go_out_are_kept(store: Store) -> None:
    """What was caught up with late can be old already; once the digest has gone out, it is forgotten like all else."""
    digest = replace(NOTICE, id="d", topic=Topic.DIGEST, name="", version="", threshold="d", at=START + LEASE)
    put(store, NOTICE, digest)
    with store.writing() as writer:
        writer.put_in_digest("d", [NOTICE])
        assert writer.forget_notices(START + LEASE, 10) == 0
        writer.set_notice_state(replace(digest, status=NoticeStatus.SENT, due_at=None))
        assert writer.forget_notices(START + LEASE, 10) == 1


def test_thousands_are_silenced_at_once(store: Store) -> None:
    """More than a statement can name."""
    put(store, NOTICE)
    with store.writing() as writer:
        assert writer.silence_open([replace(NOTICE, id=str(number)) for number in range(40_000)] + [NOTICE]) == 1


def test_a_cursor_is_held_by_one(store: Store) -> None:
    """It begins at nothing, and stays where it was put."""
    with store.writing() as writer:
        assert writer.hold_cursor("notices") == 0
        writer.set_cursor("notices", 7)
    with store.writing() as writer:
        assert writer.hold_cursor("notices") == 7
