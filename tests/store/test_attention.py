"""Who needs somebody and what lies ahead, as each database tells it."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from certworker.vault.revocation.standing import Standing
from certworker.vault.store import Store
from certworker.vault.summary.records import Member, Place, State
from tests.support.clock import START
from tests.support.records import VAULT_ID, a_vault

AT = START.replace(hour=12, minute=0, second=0, microsecond=0)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
WELL = Member(
    Place(VAULT_ID, "web"),
    a_vault().name,
    "web",
    "ca",
    State.VALID,
    version="1",
    not_before=AT - 60 * DAY,
    not_after=AT + 30 * DAY,
    due_at=AT + 3 * DAY,
    revocation=Standing.GOOD,
    checked=AT,
)


def put(store: Store, *members: Member) -> None:
    """Put members into the summary as catching up does; each gets a place of its own."""
    placed = [replace(member, place=Place(VAULT_ID, str(number))) for number, member in enumerate(members)]
    with store.writing() as writer:
        writer.put_members(placed)
        writer.add_counts(sum((member.counts() for member in placed), Counter()))


def test_what_expired_today_is_not_ahead(store: Store) -> None:
    """Days are whole in the summary; what is over of this one is taken off, and what was due before counts for it."""
    ends = (AT - DAY, AT - SECOND, AT, AT + SECOND, AT + DAY / 2 - SECOND, AT + DAY / 2, AT + 2 * DAY)
    late = replace(WELL, due_at=AT - 3 * DAY)
    put(store, *(replace(late if number < 2 else WELL, not_after=end) for number, end in enumerate(ends)))
    with store.reading() as reader:
        expiries, renewals = reader.expiries_ahead(a_vault(), AT, 2), reader.renewals_ahead(a_vault(), AT, 90)
    assert {day: number for day, number in expiries.items() if number} == {0: 2, 1: 1}
    assert renewals == {0: 2, 3: 5}


def test_who_needs_somebody_is_found_by_the_time(store: Store) -> None:
    """Critical ones stand first; each group tells how many it has, and how many of them need somebody."""
    paused, ends = replace(WELL, state=State.PAUSED, paused_since=AT), replace(WELL, due_at=None)
    expired = replace(WELL, not_after=AT + SECOND)
    put(store, WELL, paused, expired, ends, replace(ends, issuer="other", not_before=AT - 59 * DAY))
    for at, names, groups in (
        (AT, ["1", "3"], {("ca", State.PAUSED): (1, 0, 1), ("ca", State.VALID): (3, 0, 1), ("other", State.VALID): (1, 0, 0)}),
        (AT + SECOND, ["2", "1", "3"], {("ca", State.PAUSED): (1, 0, 1), ("ca", State.VALID): (3, 1, 2)}),
        (AT + DAY, ["2", "1", "3", "4"], {("other", State.VALID): (1, 0, 1)}),
    ):
        with store.reading() as reader:
            found, counted = reader.needy(VAULT_ID, at, 10), reader.standing_groups(a_vault(), at)
            assert reader.needy("another", at, 10) == ()
        assert [member.place.folded for member in found] == names
        told = {(group.issuer, group.state): (group.number, group.expired, group.needy) for group in counted}
        assert told | groups == told


def test_what_is_read_of_all_vaults(store: Store) -> None:
    """What expired within the hour and is enabled, since when the oldest operation goes on, and who comes first."""
    late, pending = replace(WELL, not_after=AT), replace(WELL, pending_since=AT - DAY)
    put(store, late, replace(late, enabled=False), pending, replace(pending, pending_since=AT - 2 * DAY))
    with store.reading() as reader:
        assert reader.expired_in_hour(AT, AT) == {"ca": 1}
        assert [(one.number, one.oldest) for one in reader.pending_operations()] == [(2, AT - 2 * DAY)]
        assert [member.place.folded for member in reader.members(10)] == ["0", "3", "2", "1"]
