"""The summary of the fleet: it is at all times what a count anew would be, on both databases."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Event

import pytest

from certworker.vault.objects import Deletion, ObjectKind, fold_name
from certworker.vault.operations import OperationReason, OperationStatus, Pause, Renewal
from certworker.vault.revocation.standing import Standing, Status, write_status
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.summary.keeping import MOST_AT_ONCE, Summary
from certworker.vault.summary.members import member_of
from certworker.vault.summary.records import CountKey, Measure, Member, Place, State, hour_of
from certworker.vault.watches import Watch, WatchKind
from tests.audit.test_log import no_room
from tests.support.clock import START
from tests.support.records import (
    LATER,
    VAULT_ID,
    VERSION,
    a_certificate,
    a_vault,
    add_certificate,
    an_operation,
    some_attributes,
)

Change = Callable[[Writer, str], object]
WORDS = (Measure.STATE, Measure.REVOCATION, Measure.OVERDUE, Measure.SOURCE)


def a_renewal(**changes: object) -> Renewal:
    """Make a renewal that the owner's policy asks for."""
    return replace(Renewal(START, OperationReason.LIFETIME_ACTION, 0.5), **changes)  # type: ignore[arg-type]


def a_watch(kind: WatchKind, name: str, state: dict[str, str]) -> Watch:
    """Make a watch over the current version."""
    return Watch(kind, VAULT_ID, name, VERSION, None, state)


def put(renewal: Renewal, issuer: str = "MyCA") -> Change:
    """Plan a renewal."""
    policy = a_certificate().policy
    policy = replace(policy, issuer=replace(policy.issuer, name=issuer))
    return lambda writer, name: writer.put_certificate(a_certificate(name, renewal=renewal, policy=policy))


def revoked(writer: Writer, name: str) -> None:
    """Find a certificate revoked."""
    status = Status(Standing.REVOKED, START, source="crl", looked_at=START)
    writer.put_watch(a_watch(WatchKind.REVOCATION, name, write_status(status)))


def set_enabled(enabled: bool) -> Change:  # noqa: FBT001
    """Enable or disable a version."""
    attributes = some_attributes(enabled=enabled, expires=LATER)
    return lambda writer, name: writer.set_attributes(VAULT_ID, ObjectKind.CERTIFICATE, name, VERSION, attributes, {})


def operate(writer: Writer, name: str) -> None:
    """Begin an operation, unless one goes on; then end it."""
    found = writer.operation(VAULT_ID, name)
    if found and found.status is OperationStatus.IN_PROGRESS:
        writer.update_operation(replace(found, status=OperationStatus.FAILED))
    else:
        writer.add_operation(an_operation(name, f"{name}-{Random(name).random()}-{found.id if found else ''}"))


CHANGES: dict[str, Change] = {
    "renewal": put(a_renewal()),
    "failures": put(a_renewal(failures=2, last_error="no")),
    "pause": put(a_renewal(pause=Pause(START, "Ada", "a freeze"))),
    "issuer": put(a_renewal(), "Other"),
    "nothing planned": put(Renewal(None, None, 0.5)),
    "revoked": revoked,
    "overdue": lambda writer, name: writer.put_watch(a_watch(WatchKind.EXPIRY, name, {"overdue": "critical"})),
    "no watch": lambda writer, name: writer.delete_watch(WatchKind.REVOCATION, VAULT_ID, name),
    "disabled": set_enabled(False),
    "enabled": set_enabled(True),
    "operation": operate,
    "deleted": lambda writer, name: writer.set_deletion(VAULT_ID, ObjectKind.CERTIFICATE, name, Deletion(START, LATER)),
    "recovered": lambda writer, name: writer.set_deletion(VAULT_ID, ObjectKind.CERTIFICATE, name, None),
}


def counted_anew(reader: Reader) -> tuple[dict[Place, Member], Counter[CountKey]]:
    """Count from the tables themselves."""
    vaults = {vault.name: vault.id for vault in reader.vaults()}
    watches: dict[Place, dict[WatchKind, Watch]] = {}
    for kind in WatchKind:
        for watch in reader.watches(kind):
            watches.setdefault(Place(watch.vault_id, fold_name(watch.name)), {})[kind] = watch
    members = {}
    for entry in reader.fleet():
        place = Place(vaults[entry.vault], fold_name(entry.name))
        members[place] = member_of(place, entry, watches.get(place, {}))
    return members, sum((member.counts() for member in members.values()), Counter())


def assert_up_to_date(store: Store) -> None:
    """Let the summary catch up, and compare it with a count anew."""
    while Summary(store).catch_up():
        pass
    with store.reading() as reader:
        members, counts = counted_anew(reader)
        assert {member.place: member for member in reader.members(1000)} == members
        assert reader.counts(*WORDS) == {key: number for key, number in counts.items() if key.measure in WORDS}
        for measure in (Measure.EXPIRES, Measure.RENEWS):
            by_day = reader.counts_by_day(measure, hour_of(START))
            assert sum(by_day.values()) == sum(number for key, number in counts.items() if key.measure is measure)
    assert Summary(store).check()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_reaches_the_summary(store: Store, change: Change) -> None:
    """Whatever of it is told: it is noted by whoever changes it, and taken in once."""
    with store.writing() as writer:
        add_certificate(writer, "web")
        revoked(writer, "web")
    assert_up_to_date(store)
    with store.writing() as writer:
        change(writer, "web")
    assert_up_to_date(store)
    assert Summary(store).catch_up() == 0


def test_what_is_deleted_is_no_member(store: Store) -> None:
    """Nor is it counted, until it is recovered."""
    with store.writing() as writer:
        add_certificate(writer, "web")
    for change, members in (("deleted", 0), ("recovered", 1)):
        with store.writing() as writer:
            CHANGES[change](writer, "web")
        assert_up_to_date(store)
        with store.reading() as reader:
            assert (reader.count_members(), sum(reader.counts(Measure.STATE).values())) == (members, members)


def test_the_summary_is_what_a_count_anew_is(store: Store) -> None:
    """After any changes in any order, taken in whenever it suits; vaults come and go as well."""
    random, names = Random(8), [f"web-{number}" for number in range(6)]
    with store.writing() as writer:
        for name in names:
            add_certificate(writer, name)
        writer.add_vault(a_vault("vault-2", "adatum"))
    for turn in range(40):
        with store.writing() as writer:
            for _ in range(random.randrange(1, 4)):
                random.choice(list(CHANGES.values()))(writer, random.choice(names))
            vault = writer.hold_vault(VAULT_ID)
            if vault and turn % 10 == 9:
                writer.replace_vault(replace(vault, deleted=None if vault.deleted else START, purge_at=LATER))
        if random.random() < 0.3:
            Summary(store).catch_up(limit=random.randrange(1, 5))
        if turn % 10 == 9:
            assert_up_to_date(store)
    with store.writing() as writer:
        writer.purge(VAULT_ID, ObjectKind.CERTIFICATE, names[0])
    assert_up_to_date(store)
    with store.writing() as writer:
        writer.begin_anew()
    assert_up_to_date(store)


@pytest.mark.parametrize("too_many", [7, -1])
def test_counts_that_do_not_add_up_are_made_anew(store: Store, too_many: int) -> None:
    """Whatever it was that spoilt them, the daily look finds it."""
    with store.writing() as writer:
        add_certificate(writer, "web")
    assert_up_to_date(store)
    with store.writing() as writer:
        writer.add_counts({CountKey(Measure.STATE, "Contoso", "MyCA", "valid", 0): too_many})
    assert not Summary(store).check()
    assert_up_to_date(store)


def test_what_was_not_committed_is_taken_in_again(store: Store) -> None:
    """Who dies in the middle of it has taken nothing away."""
    with store.writing() as writer:
        add_certificate(writer, "web")

    def die(writer: Writer) -> None:
        assert writer.take_changes(10)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), store.writing() as writer:
        die(writer)
    assert_up_to_date(store)


def test_a_change_that_is_committed_late_is_not_lost(store: Store) -> None:
    """Others that came after it may be taken in before."""
    with store.writing() as writer:
        add_certificate(writer, "web")
        add_certificate(writer, "late")
    assert_up_to_date(store)
    changed, go_on = Event(), Event()

    def change_slowly() -> None:
        with store.writing() as writer:
            put(a_renewal(failures=3))(writer, "late")
            changed.set()
            go_on.wait(5)

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(change_slowly)
        assert changed.wait(5)
        try:
            if not store.inline_reads:  # on SQLite nobody else writes meanwhile
                with store.writing() as writer:
                    put(a_renewal(failures=1))(writer, "web")
                Summary(store).catch_up()
        finally:
            go_on.set()
        slow.result()
    assert_up_to_date(store)


def test_many_can_change_and_catch_up_at_once(store: Store) -> None:
    """Of several that take changes in, one is at it at a time, and no count is doubled or lost."""
    names = [f"web-{number}" for number in range(4)]
    with store.writing() as writer:
        for name in names:
            add_certificate(writer, name)

    def change(name: str) -> None:
        random = Random(name)
        for _ in range(8):
            with store.writing() as writer:
                random.choice([CHANGES["failures"], CHANGES["pause"], CHANGES["issuer"], CHANGES["revoked"]])(writer, name)

    def catch_up(_: int) -> None:
        for _ in range(12):
            Summary(store).catch_up(limit=3)

    with ThreadPoolExecutor(6) as threads:
        for result in [*(threads.submit(change, name) for name in names), *(threads.submit(catch_up, n) for n in range(2))]:
            result.result()
    assert_up_to_date(store)


def test_the_most_urgent_are_told_first(store: Store) -> None:
    """First what is not well, then what is under way and what ends soonest, and last what is disabled."""
    with store.writing() as writer:
        for name in ("well", "paused", "under-way", "off"):
            add_certificate(writer, name)
            put(a_renewal())(writer, name)
        CHANGES["pause"](writer, "paused")
        CHANGES["disabled"](writer, "off")
        operate(writer, "under-way")
    assert_up_to_date(store)
    with store.reading() as reader:
        assert [member.name for member in reader.members(10)] == ["paused", "under-way", "well", "off"]
        assert [member.name for member in reader.members(1, VAULT_ID)] == ["paused"]
        assert reader.members(10, "vault-2") == ()
        (pending,) = reader.pending_operations()
    assert (pending.vault, pending.issuer, pending.number) == ("Contoso", "MyCA", 1)


def test_days_begin_with_the_hour(store: Store) -> None:
    """What expires is counted by days ahead; what has expired within the hour is found by itself."""
    with store.writing() as writer:
        add_certificate(writer, "web")
    assert_up_to_date(store)
    hour, at = hour_of(LATER), LATER + timedelta(minutes=5)
    begin = at.replace(minute=0, second=0, microsecond=0)
    with store.reading() as reader:
        found = {hours: reader.counts_by_day(Measure.EXPIRES, hour - hours) for hours in (-1, 0, 23, 24, 48)}
        expired = reader.expired_in_hour(begin, at), reader.expired_in_hour(begin, LATER - timedelta(seconds=1))
        (member,) = reader.members(1)
    days = {hours: day for hours, days in found.items() for (_, day) in days}
    assert days == {-1: -1, 0: 0, 23: 0, 24: 1, 48: 2}
    assert expired == ({"MyCA": 1}, {})
    assert member.state is State.RENEWAL_FAILED


def test_whoever_looks_sees_what_is_so_now(store: Store) -> None:
    """However many turns it takes; without patience it is one, and the rest is the worker's."""
    summary = Summary(store)
    with store.writing() as writer:
        for number in range(MOST_AT_ONCE + 1):
            add_certificate(writer, f"web-{number}")
    summary.hurry(0)
    with summary._hurrying, store.reading() as reader:
        assert reader.count_changes() > 0
    assert summary.catch_up(1) == 1
    for name in ("web-1", "web-2"):
        with store.writing() as writer:
            CHANGES["pause"](writer, name)
        summary.hurry(30)
        with store.reading() as reader:
            assert reader.count_changes() == 0
    assert_up_to_date(store)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whoever_looks_is_not_kept_from_it_by_a_full_disk(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """What waits is told as waiting; the log says why."""
    with store.writing() as writer:
        add_certificate(writer, "web")
    with no_room(Path("/dev/null"), 0):
        Summary(store).hurry(30)
    assert [record.message[:33] for record in caplog.records] == ["The summary of the fleet is behin"]
    assert_up_to_date(store)


def test_whoever_looks_is_not_kept_from_it_by_who_holds_the_database(store: Store) -> None:
    """What waits is told as waiting; it is taken in when the database is free again."""
    with store.writing() as writer:
        add_certificate(writer, "web")
    held, go_on = Event(), Event()

    def hold() -> None:
        with suppress(ZeroDivisionError), store.writing() as writer:
            assert writer.take_changes(10)
            held.set()
            go_on.wait(5)
            raise ZeroDivisionError

    summary = Summary(store)
    with ThreadPoolExecutor(1) as threads:
        holding = threads.submit(hold)
        assert held.wait(5)
        try:
            for _ in range(2):
                summary.hurry(0.05)
                with store.reading() as reader:
                    assert reader.count_changes() > 0
        finally:
            go_on.set()
        holding.result()
    assert_up_to_date(store)
