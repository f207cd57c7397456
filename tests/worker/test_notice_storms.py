"""Too much at once, and those who hang, lie or are asked not to: what is told to others goes on."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import connect

import pytest

from certworker.vault.events import Event, EventType
from certworker.vault.notification.audience import MAIL, Audience, Subscription
from certworker.vault.notification.deliveries import BACK_OFF, after
from certworker.vault.notification.ledger import Notice, NoticeStatus
from certworker.vault.notification.message import Delivery, Message, Severity, Topic
from certworker.vault.objects import ObjectKind
from certworker.vault.policy import ActionType, LifetimeAction
from certworker.vault.updates import Update
from certworker.vault.vaults import Contact
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for
from tests.support.everything import a_notice
from tests.support.recording import WEBHOOK, Recorder

ADA = "ada@example.test"
HOLD = timedelta(minutes=5)


class Endpoints:
    """Two endpoints of one channel: `hung` takes the clock's time and never answers, the other takes all."""

    def __init__(self, clock: FakeClock) -> None:
        """Remember what arrives."""
        self.clock = clock
        self.attempts = 0
        self.arrived: list[Message] = []

    def deliver(self, message: Message, _at: datetime) -> Delivery:
        """Take a message, or wait for nothing."""
        if message.to == "hung":
            self.attempts += 1
            self.clock.advance(timedelta(seconds=15))
            return Delivery(done=False, message="It did not answer in time.")
        self.arrived.append(message)
        return Delivery(done=True)


@pytest.fixture
def mail() -> Recorder:
    """Give a relay."""
    return Recorder()


@pytest.fixture
def endpoints(clock: FakeClock) -> Endpoints:
    """Give two endpoints."""
    return Endpoints(clock)


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock, mail: Recorder, endpoints: Endpoints) -> Iterator[Deployment]:
    """Set a deployment up that has a contact and two endpoints."""
    listening = tuple(Subscription(WEBHOOK, name) for name in ("hung", "well"))
    with open_deployment(tmp_path, clock, audience=Audience({MAIL: mail, WEBHOOK: endpoints}, listening)) as opened:
        opened.house.contacts.set(opened.administrator, opened.vault, (Contact(ADA, None, None),))
        yield opened


def plant(deployment: Deployment, *notices: Notice) -> None:
    """Put entries into the ledger."""
    with deployment.house.store.writing() as writer:
        for notice in notices:
            assert writer.add_notice(replace(notice, vault_id=deployment.vault.id))


def waiting(number: int, **changes: object) -> Notice:
    """Make an entry that waits."""
    return a_notice("", START, **{"id": f"{number:032}", "threshold": str(number), "address": ADA, **changes})


def happen(deployment: Deployment, *events: Event) -> None:
    """Let events happen."""
    with deployment.house.store.writing() as writer:
        for event in events:
            writer.add_event(replace(event, vault_id=deployment.vault.id))


def revoked(name: str, **detail: str) -> Event:
    """Make an event that is told at once."""
    return Event(EventType.CERTIFICATE_FOUND_REVOKED, START, "", ObjectKind.CERTIFICATE, name, "1", detail)


def ledger(deployment: Deployment) -> tuple[Notice, ...]:
    """List the ledger, the oldest first."""
    with deployment.house.store.reading() as reader:
        return reader.notices(deployment.vault.id, None, None, 10_000)[::-1]


def test_an_endpoint_that_hangs_holds_up_no_other(deployment: Deployment, endpoints: Endpoints) -> None:
    """Though hundreds wait for it that are as urgent, and came first: the other is told in the same round."""
    plant(deployment, *(waiting(number, channel=WEBHOOK, address="hung") for number in range(300)))
    plant(deployment, *(waiting(number, channel=WEBHOOK, address="well") for number in range(300, 310)))
    deployment.work()
    assert len(endpoints.arrived) == 10
    assert endpoints.attempts <= 3


def test_a_storm_of_two_severities_is_told_in_digests(deployment: Deployment, clock: FakeClock, mail: Recorder) -> None:
    """However many of those that are less severe came first."""
    mild = (waiting(number, severity=Severity.INFO, due_at=START + HOLD) for number in range(250))
    plant(deployment, *mild, *(waiting(number, due_at=START + HOLD) for number in range(250, 500)))
    clock.advance(HOLD)
    while any(notice.due_at for notice in ledger(deployment)):
        deployment.work()
    assert {message.topic for message in mail.messages} == {Topic.DIGEST}
    assert len(mail.messages) <= 4
    assert sum(len(message.parts) for message in mail.messages) == 500


def test_a_storm_of_what_is_critical_is_told_in_digests_at_once(deployment: Deployment, mail: Recorder) -> None:
    """A relay that is handed a thousand mails for one address in a minute refuses the most of them."""
    plant(deployment, *(waiting(number, severity=Severity.CRITICAL) for number in range(300)))
    plant(deployment, waiting(300, due_at=START + HOLD))
    deployment.work()
    told = [(message.topic, message.severity, len(message.parts)) for message in mail.messages]
    assert told == [(Topic.DIGEST, Severity.CRITICAL, 200), (Topic.DIGEST, Severity.CRITICAL, 100)]


def test_who_asks_to_be_tried_again_at_once_is_tried_for_a_day_all_the_same() -> None:
    """An outage of some seconds with a Retry-After of one second makes no dead letters."""
    notice, at = a_notice("vault", START), START
    for _ in BACK_OFF:
        notice = after(notice, Delivery(done=False, message="Busy.", retry_at=at + timedelta(seconds=1)), at)
        assert notice.due_at is not None
        at = notice.due_at
    assert notice.status is NoticeStatus.RETRYING
    assert at - START >= timedelta(days=1)


def test_a_silence_of_one_certificate_swallows_no_issuer(deployment: Deployment, mail: Recorder, clock: FakeClock) -> None:
    """Whichever certificate met it, an issuer is down for all."""
    desk, who = deployment.house.lifecycle.notification.desk, (deployment.administrator, deployment.vault)
    desk.silence(*who, "web", None, START + timedelta(days=1), "a drill")
    down = Event(EventType.ISSUER_DOWN, START, "", ObjectKind.CERTIFICATE, "web", detail={"issuer": "ca"})
    happen(deployment, down)
    deployment.work()
    clock.advance(HOLD)
    deployment.work()
    assert mail.topics == ["issuer_down"]


def test_acknowledging_silences_reminders_of_the_same_thing_alone(
    deployment: Deployment, mail: Recorder, clock: FakeClock
) -> None:
    """Neither another digest, nor another issuer that is down, nor what else was revoked."""
    desk, who = deployment.house.lifecycle.notification.desk, (deployment.administrator, deployment.vault)
    later = {"due_at": START + HOLD, "version": ""}
    plant(
        deployment,
        *(waiting(number, name="", topic=Topic.DIGEST, **later) for number in (1, 2)),
        *(waiting(number, name="", topic=Topic.ISSUER_DOWN, **later) for number in (3, 4)),
        *(waiting(number, topic=Topic.REVOKED, **later) for number in (5, 6)),
    )
    for number in (1, 3, 5):
        desk.acknowledge(*who, f"{number:032}")
    clock.advance(HOLD)
    deployment.work()
    assert len(mail.messages) == 6


def test_what_a_clock_that_was_ahead_put_off_goes_out(deployment: Deployment, mail: Recorder, clock: FakeClock) -> None:
    """Within the hour after it came back: nothing ever waits for more than a day."""
    clock.advance(timedelta(days=400))
    happen(deployment, Event(EventType.ISSUER_DOWN, clock(), "", ObjectKind.CERTIFICATE, "web", detail={"issuer": "ca"}))
    deployment.work()
    clock.set(START)
    deployment.work()
    assert mail.topics == ["issuer_down"]


def test_what_was_passed_while_it_was_disabled_is_told_once_it_is_enabled(
    deployment: Deployment, mail: Recorder, clock: FakeClock
) -> None:
    """Of several thresholds the last one, within a day."""
    contacts = LifetimeAction(ActionType.EMAIL_CONTACTS, days_before_expiry=10)
    deployment.create("web", policy_for("web.test", lifetime_actions=(contacts,), lifetime_actions_set=True))
    deployment.work()
    updates, who = deployment.house.updates, (deployment.administrator, deployment.vault)
    updates.update(*who, "web", None, Update(enabled=False))
    for days in (81, 82, 83):
        clock.set(START + timedelta(days=days))
        deployment.work()
    assert mail.topics == []
    updates.update(*who, "web", None, Update(enabled=True))
    clock.set(START + timedelta(days=84))
    deployment.work()
    clock.advance(HOLD)
    deployment.work()
    assert [message.facts["threshold"] for message in mail.messages] == ["7d"]


def test_who_is_no_contact_any_more_hears_of_nothing(deployment: Deployment, mail: Recorder, clock: FakeClock) -> None:
    """Not of what waited already; who came instead hears of what comes."""
    plant(deployment, *(waiting(number, due_at=START + HOLD) for number in range(10)))
    contact = Contact("bob@example.test", None, None)
    deployment.house.contacts.set(deployment.administrator, deployment.vault, (contact,))
    clock.advance(HOLD)
    deployment.work()
    assert mail.messages == []
    assert {(notice.status, notice.last_error) for notice in ledger(deployment)} == {
        (NoticeStatus.SILENCED, f"{ADA} is no contact of the vault any more.")
    }


def test_more_is_forgotten_than_is_told(deployment: Deployment, clock: FakeClock) -> None:
    """Of a large fleet thousands of entries end in a day."""
    plant(deployment, *(waiting(number, status=NoticeStatus.SENT, due_at=None) for number in range(250)))
    clock.advance(timedelta(days=401))
    deployment.work()
    assert ledger(deployment) == ()


def test_one_event_that_cannot_be_told_keeps_no_other_from_being_told(
    tmp_path: Path, deployment: Deployment, mail: Recorder
) -> None:
    """It is logged, and passed over. What a CA wrote may hold what no database takes."""
    happen(deployment, revoked("one"))
    deployment.create("broken", policy_for("broken.test"))
    deployment.rounds.run("operations", START)
    with connect(tmp_path / "certworker.db") as database:
        database.execute("UPDATE certificate SET policy = '{'")
    database.close()
    happen(deployment, revoked("two", about="a\ud800b\0c"))
    with suppress(ValueError):  # other rounds stumble over it as well
        deployment.work()
    deployment.rounds.run("tellings", START)
    deployment.rounds.run("deliveries", START)
    assert [message.name for message in mail.messages] == ["one", "two"]
