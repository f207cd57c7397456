"""A laptop that slept, and clocks that are put forward, back and forward again: what was missed is caught up with, once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.vault.events import EventType
from certworker.vault.issuance import Pending, Rejected, Trouble
from certworker.vault.notification.audience import Audience, Subscription
from certworker.vault.notification.message import Delivery, Message, Topic
from certworker.vault.vaults import Contact
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, ScriptedAuthority, check_whole, open_deployment, policy_for

FLEET = tuple(f"web-{number}" for number in range(20))
DAY = timedelta(days=1)
MOST_TURNS = 60


class Mailbox:
    """Keeps what it is told, with the time."""

    def __init__(self) -> None:
        self.came: list[tuple[datetime, Message]] = []

    def deliver(self, message: Message, at: datetime) -> Delivery:
        """Keep a message."""
        self.came.append((at, message))
        return Delivery(done=True)

    def topics(self) -> Counter[Topic]:
        """Count what came, parts of digests one by one."""
        return Counter(part.topic for _, message in self.came for part in message.parts or (message,))


@contextmanager
def fleet(folder: Path, clock: FakeClock) -> Iterator[tuple[Deployment, ScriptedAuthority, Mailbox]]:
    """Give twenty certificates of 90 days, and somebody who hears of them."""
    authority, mailbox = ScriptedAuthority(), Mailbox()
    audience = Audience({"mail": mailbox}, (Subscription("mail", "nobody", frozenset({Topic.ISSUER_DOWN})),))
    with open_deployment(folder, clock, authority=authority, audience=audience) as deployment:
        with deployment.house.store.writing() as writer:
            writer.set_contacts(deployment.vault.id, (Contact("ada@example.test"),))
        for name in FLEET:
            deployment.create(name, policy_for(f"{name}.test"))
        settle(deployment, clock)
        yield deployment, authority, mailbox


def settle(deployment: Deployment, clock: FakeClock, within: timedelta = timedelta(hours=1)) -> None:
    """Let the worker do what there is to do, for an hour."""
    until = clock() + within
    for _ in range(MOST_TURNS):
        due = deployment.work()
        if due is None or due > until:
            return
        clock.set(max(due, clock() + timedelta(seconds=1)))
    raise AssertionError("it does not come to rest: that is a storm")


def renewals(deployment: Deployment) -> int:
    """Count the renewals that were begun."""
    return [event.type for event in deployment.events()].count(EventType.RENEWAL_STARTED)


def test_a_laptop_that_slept_for_two_months_catches_up_once(tmp_path: Path, clock: FakeClock) -> None:
    """On waking each certificate is renewed once, and each contact hears once of each; then all is quiet."""
    with fleet(tmp_path, clock) as (deployment, authority, mailbox):
        clock.advance(62 * DAY)
        settle(deployment, clock)
        assert renewals(deployment) == len(FLEET)
        assert authority.issued == 2 * len(FLEET)
        assert mailbox.topics()[Topic.RENEWED] == len(FLEET)
        assert len(mailbox.came) < len(FLEET), "many at once come as a digest"
        before = len(mailbox.came)
        settle(deployment, clock)
        assert (renewals(deployment), len(mailbox.came)) == (len(FLEET), before)


def test_a_laptop_that_slept_past_the_end_renews_all_the_same(tmp_path: Path, clock: FakeClock) -> None:
    """What expired meanwhile is told to have expired, and not that it is near its end, and is renewed at once."""
    with fleet(tmp_path, clock) as (deployment, _, mailbox):
        clock.advance(120 * DAY)
        settle(deployment, clock)
        assert all(check_whole(deployment, name) for name in FLEET)
        assert all((deployment.get(name).version.attributes.expires or clock()) > clock() for name in FLEET)
        assert renewals(deployment) == len(FLEET)
        assert mailbox.topics()[Topic.NEAR_EXPIRY] == 0


@pytest.mark.parametrize("back", [timedelta(hours=1), DAY, 40 * DAY], ids=["an hour", "a day", "forty days"])
def test_a_clock_that_goes_back_repeats_nothing(tmp_path: Path, clock: FakeClock, back: timedelta) -> None:
    """What was done stays done, what is to come keeps its time, and no lease of the future holds anything up."""
    with fleet(tmp_path, clock) as (deployment, authority, mailbox):
        clock.advance(61 * DAY)
        settle(deployment, clock)
        done, heard = renewals(deployment), mailbox.topics()[Topic.RENEWED]
        plans = {name: deployment.renewal(name).due_at for name in FLEET}
        clock.advance(-back)
        settle(deployment, clock)
        assert (renewals(deployment), mailbox.topics()[Topic.RENEWED]) == (done, heard)
        assert {name: deployment.renewal(name).due_at for name in FLEET} == plans
        deployment.create("late", policy_for("late.test"))
        settle(deployment, clock)
        assert deployment.versions("late")
        clock.advance(back + 62 * DAY)
        settle(deployment, clock)
        assert authority.issued <= 3 * len(FLEET) + 2
        assert all((deployment.get(name).version.attributes.expires or clock()) > clock() + 20 * DAY for name in FLEET)


def test_a_clock_that_went_a_year_ahead_and_came_back_does_no_harm(tmp_path: Path, clock: FakeClock) -> None:
    """A wrong time for a minute: all is renewed by it once, and goes on by the right time afterwards."""
    with fleet(tmp_path, clock) as (deployment, authority, _):
        clock.advance(365 * DAY)
        deployment.work()
        clock.advance(-365 * DAY)
        for _ in range(200):
            settle(deployment, clock, DAY)
            clock.advance(DAY)
            if authority.issued > 2 * len(FLEET):
                break
        assert authority.issued <= 3 * len(FLEET)
        assert all(check_whole(deployment, name) for name in FLEET)


@pytest.mark.parametrize("trouble", [Trouble.OUTAGE, None], ids=["its CA does not answer", "its CA refuses"])
def test_what_failed_by_a_wrong_clock_is_not_put_off_by_it(tmp_path: Path, clock: FakeClock, trouble: Trouble | None) -> None:
    """Back-offs, gates and orders that a clock led a year astray do not wait for that year once it is right again."""
    pending = Pending({}, None, "Not now.", trouble=trouble)
    fails = pending if trouble else Rejected("Certificate issuer error", "The clock is wrong.")
    with fleet(tmp_path, clock) as (deployment, authority, _):
        clock.advance(365 * DAY)
        authority.script.extend([lambda *_: fails] * 1000)
        settle(deployment, clock)
        authority.script.clear()
        clock.set(START + DAY)
        settle(deployment, clock)
        clock.set(START + 70 * DAY)
        settle(deployment, clock, 2 * DAY)
        assert all((deployment.get(name).version.attributes.expires or clock()) > clock() + 20 * DAY for name in FLEET)


def test_a_leap_of_seconds_is_nothing(tmp_path: Path, clock: FakeClock) -> None:
    """A second more, a second less, again and again: nothing comes of it."""
    with fleet(tmp_path, clock) as (deployment, authority, mailbox):
        before = len(mailbox.came)
        for step in (1, -1, 1, 1, -2, 0):
            clock.advance(timedelta(seconds=step))
            deployment.work()
        assert (authority.issued, len(mailbox.came)) == (len(FLEET), before)
