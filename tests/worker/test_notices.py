"""The rounds of notices: each thing told once to each, whatever is killed, away, late or too much at once."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from certworker.errors import BadParameter, Conflict, NotFound
from certworker.vault.issuance import IssuanceRequest, Rejected, Step
from certworker.vault.notification.deliveries import BACK_OFF, after
from certworker.vault.notification.ledger import Notice, NoticeStatus
from certworker.vault.notification.message import Delivery, Severity, Topic
from certworker.vault.operations import Progress
from certworker.vault.policy import ActionType, LifetimeAction
from certworker.vault.progression import LEASE
from certworker.vault.store import Store
from certworker.vault.vaults import Contact
from certworker.worker.rounds import Rounds
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for
from tests.support.everything import VERSION, a_notice
from tests.support.fate import Fate, KilledError, MortalStore
from tests.support.recording import WEBHOOK, Recorder, an_audience

DAY = timedelta(days=1)
HOLD = timedelta(minutes=5)
ADA, BOB = "ada@example.test", "bob@example.test"
MAIL_ONLY = LifetimeAction(ActionType.EMAIL_CONTACTS, days_before_expiry=10)


@pytest.fixture
def mail() -> Recorder:
    """Give a relay."""
    return Recorder()


@pytest.fixture
def webhook() -> Recorder:
    """Give an endpoint."""
    return Recorder()


@contextmanager
def told(
    folder: Path, clock: FakeClock, *channels: Recorder, wrap: Callable[[Store], Store] = lambda store: store
) -> Iterator[Deployment]:
    """Open a deployment with one contact, or go on with it."""
    with open_deployment(folder, clock, audience=an_audience(*channels), wrap=wrap) as deployment:
        yield deployment


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock, mail: Recorder, webhook: Recorder) -> Iterator[Deployment]:
    """Set a deployment up that has a contact and a webhook."""
    with told(tmp_path, clock, mail, webhook) as opened:
        add_contacts(opened, ADA)
        yield opened


def add_contacts(deployment: Deployment, *emails: str) -> None:
    """Set the contacts of the vault."""
    contacts = tuple(Contact(email, None, None) for email in emails)
    deployment.house.contacts.set(deployment.administrator, deployment.vault, contacts)


def ledger(deployment: Deployment, *statuses: NoticeStatus) -> tuple[Notice, ...]:
    """List the ledger, the oldest first."""
    with deployment.house.store.reading() as reader:
        found = reader.notices(deployment.vault.id, None, None, 10_000)[::-1]
    return tuple(notice for notice in found if notice.status in (statuses or tuple(NoticeStatus)))


def run_until(deployment: Deployment, clock: FakeClock, end: datetime) -> None:
    """Let the worker do what is due, from one time at which something is due to the next."""
    while True:
        due = deployment.work()
        if due is None or due > end:
            break
        clock.set(max(due, clock()))
    clock.set(end)


def refuse(request: IssuanceRequest, _progress: Progress | None, _at: datetime) -> Step:
    """Refuse for a mistake in the set-up."""
    return Rejected("caa", f"CAA of {request.names[0]} forbids it.", configuration=True)


def plant(deployment: Deployment, *notices: Notice) -> None:
    """Put entries into the ledger."""
    with deployment.house.store.writing() as writer:
        for notice in notices:
            assert writer.add_notice(replace(notice, vault_id=deployment.vault.id))


def waiting(number: int, **changes: object) -> Notice:
    """Make an entry that waits to be mailed."""
    return a_notice("", START, id=f"{number:032}", threshold=str(number), address=ADA, **changes)


def test_a_renewal_is_told_before_and_after(
    deployment: Deployment, clock: FakeClock, mail: Recorder, webhook: Recorder
) -> None:
    """By mail as a renewal; to programs as the new versions that Event Grid tells of, and as what is near."""
    deployment.create("web", policy_for("web.test"))
    run_until(deployment, clock, START + 65 * DAY)
    assert mail.topics == ["renewal_starts", "renewed"]
    before, renewed = mail.messages
    assert (before.to, before.vault, before.name, before.severity) == (ADA, "contoso", "web", Severity.INFO)
    planned = datetime.fromisoformat(before.facts["renewal_at"])
    assert START + 60 * DAY <= planned <= START + 62 * DAY
    assert before.at == planned - DAY
    assert (renewed.version, renewed.facts["reason"]) == (deployment.get("web").version.version, "default")
    assert set(webhook.topics) == {"new_version", "renewal_starts", "near_expiry"}
    assert webhook.topics.count("new_version") == 6
    assert not webhook.doubled


def test_a_manual_certificate_is_told_as_its_policy_says(deployment: Deployment, clock: FakeClock, mail: Recorder) -> None:
    """One mail at the trigger of EmailContacts, one on the last day, one when it has expired; and nothing after."""
    policy = policy_for("web.test", "Self", lifetime_actions=(MAIL_ONLY,), lifetime_actions_set=True)
    deployment.create("web", policy)
    end = deployment.get("web").version.attributes.expires
    assert end
    run_until(deployment, clock, end + 10 * DAY)
    told_at = [(message.topic, message.facts.get("threshold"), message.at) for message in mail.messages]
    assert told_at == [
        (Topic.NEAR_EXPIRY, "contacts", end - 10 * DAY),
        (Topic.NEAR_EXPIRY, "1d", end - DAY),
        (Topic.EXPIRED, None, end),
    ]
    assert [message.severity.value for message in mail.messages] == ["warning", "critical", "critical"]


def test_a_renewal_that_fails_is_told_once_and_then_that_it_is_overdue(
    deployment: Deployment, clock: FakeClock, mail: Recorder
) -> None:
    """A failure that takes a person is told once for its cause, however often it comes; then time tells."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    deployment.authority.script.extend([refuse] * 1000)
    run_until(deployment, clock, START + 89 * DAY + timedelta(hours=1))
    clock.advance(DAY)  # in its last hours it is tried ever more often
    deployment.work()
    assert mail.topics == [
        "renewal_starts",
        "renewal_failed",
        "renewal_overdue",
        "near_expiry",
        "renewal_overdue",
        "near_expiry",
        "near_expiry",
        "expired",
    ]
    failed, overdue = mail.messages[1], mail.messages[2]
    assert failed.facts["error"] == "CAA of web.test forbids it."
    assert (overdue.severity, overdue.facts["threshold"]) == (Severity.WARNING, "30%")
    assert (mail.messages[4].severity, mail.messages[4].facts["threshold"]) == (Severity.CRITICAL, "70%")
    assert overdue.facts["error"] == "CAA of web.test forbids it."


def test_after_a_month_of_downtime_only_the_latest_is_told(deployment: Deployment, clock: FakeClock, mail: Recorder) -> None:
    """Three thresholds and the end were passed while nobody looked: it has expired, and that is all."""
    deployment.create("web", policy_for("web.test", lifetime_actions=(MAIL_ONLY,), lifetime_actions_set=True))
    deployment.work()
    clock.set(START + 89 * DAY + timedelta(hours=1))
    deployment.work()
    clock.advance(HOLD)
    deployment.work()
    assert [message.facts["threshold"] for message in mail.messages] == ["1d"]
    clock.advance(30 * DAY)
    deployment.work()
    deployment.work()
    assert mail.topics == ["near_expiry", "expired"]


def test_a_clock_that_goes_back_tells_nothing_twice(
    deployment: Deployment, clock: FakeClock, mail: Recorder, webhook: Recorder
) -> None:
    """Nor does it keep what happens meanwhile from being told."""
    deployment.create("web", policy_for("web.test", lifetime_actions=(MAIL_ONLY,), lifetime_actions_set=True))
    run_until(deployment, clock, START + 85 * DAY)
    assert mail.topics == ["near_expiry"]
    clock.advance(-20 * DAY)
    run_until(deployment, clock, START + 66 * DAY)
    deployment.create("other", policy_for("other.test"))
    run_until(deployment, clock, START + 85 * DAY)
    assert mail.topics == ["near_expiry"]
    assert {message.name for message in webhook.messages} == {"web", "other"}
    assert not webhook.doubled


def test_what_was_disabled_or_deleted_is_told_to_nobody(deployment: Deployment, clock: FakeClock, mail: Recorder) -> None:
    """It is still watched: what is recovered late is told as it is then."""
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    deployment.create("web", policy_for("web.test", lifetime_actions=(MAIL_ONLY,), lifetime_actions_set=True))
    deployment.work()
    house.certificates.delete(caller, vault, "web")
    run_until(deployment, clock, START + 85 * DAY)
    assert mail.messages == []
    house.certificates.recover(caller, vault, "web")
    run_until(deployment, clock, START + 86 * DAY)
    assert mail.topics == ["near_expiry"]


def test_many_at_once_become_one_digest(deployment: Deployment, clock: FakeClock, mail: Recorder) -> None:
    """What is critical goes at once; the parts stay in the ledger, and know when they were told."""
    plant(deployment, *(waiting(number, due_at=START + HOLD) for number in range(8)))
    plant(deployment, waiting(9, severity=Severity.CRITICAL))
    deployment.work()
    assert [message.severity for message in mail.messages] == [Severity.CRITICAL]
    clock.advance(HOLD)
    deployment.work()
    digest = mail.messages[-1]
    assert (len(mail.messages), digest.topic, len(digest.parts), digest.severity) == (2, Topic.DIGEST, 8, Severity.WARNING)
    assert {part.name for part in digest.parts} == {"web"}
    parts = ledger(deployment, NoticeStatus.IN_DIGEST)
    assert {(part.digest_id, part.sent_at) for part in parts} == {(digest.id, clock())}
    assert len(parts) == 8


def test_a_few_are_told_each_by_itself(deployment: Deployment, clock: FakeClock, mail: Recorder) -> None:
    """Five are not too many."""
    plant(deployment, *(waiting(number, due_at=START + HOLD) for number in range(5)))
    clock.advance(HOLD)
    deployment.work()
    assert mail.topics == ["near_expiry"] * 5


def test_a_delivery_is_tried_again_and_given_up_after_a_day(deployment: Deployment, clock: FakeClock, mail: Recorder) -> None:
    """Then it is a dead letter, which can be replayed under its own id; what was sent cannot."""
    plant(deployment, waiting(1))
    mail.is_away = True
    run_until(deployment, clock, START + 2 * DAY)
    (dead,) = ledger(deployment, NoticeStatus.DEAD)
    assert (dead.attempts, dead.last_error) == (len(BACK_OFF) + 1, "The relay does not answer.")
    mail.is_away = False
    run_until(deployment, clock, START + 3 * DAY)
    assert mail.messages == []
    desk, who = deployment.house.lifecycle.notification.desk, (deployment.administrator, deployment.vault)
    assert [notice.id for notice in desk.replay_dead(*who)] == [dead.id]
    deployment.work()
    assert [message.id for message in mail.messages] == [dead.id]
    with pytest.raises(Conflict, match="has gone out"):
        desk.replay(*who, dead.id)


def test_what_a_channel_says_of_the_next_attempt_counts() -> None:
    """Nothing is tried before Retry-After, but nobody puts a notice off for longer than a day; what is final is dead."""
    notice = a_notice("vault", START)
    for retry_at, due in (
        (None, BACK_OFF[0]),
        (START + 2 * HOLD, 2 * HOLD),
        (START - DAY, BACK_OFF[0]),
        (START + 9 * DAY, DAY),
    ):
        tried = after(notice, Delivery(done=False, message="Later.", retry_at=retry_at), START)
        assert (tried.status, tried.due_at) == (NoticeStatus.RETRYING, START + due)
    final = after(notice, Delivery(done=False, message="No such user.", final=True), START)
    assert (final.status, final.due_at, final.last_error) == (NoticeStatus.DEAD, None, "No such user.")


def test_a_channel_that_is_away_holds_up_no_other(deployment: Deployment, mail: Recorder, webhook: Recorder) -> None:
    """Nor does one that breaks in a way that nobody foresaw; what that said is not told."""
    mail.is_away = True
    plant(deployment, *(waiting(number, severity=Severity.CRITICAL) for number in range(5)))
    webhook.script.append(RuntimeError("a password perhaps"))
    plant(deployment, *(waiting(number, channel=WEBHOOK) for number in range(10, 14)))
    deployment.work()
    assert len(webhook.messages) == 3
    tried = ledger(deployment, NoticeStatus.RETRYING)
    assert len(tried) == 4
    assert not any("password" in (notice.last_error or "") for notice in tried)


def test_acknowledged_is_not_told_again_unless_it_gets_worse(deployment: Deployment, clock: FakeClock) -> None:
    """A warning that somebody has seen is followed by the critical one, and by nothing else of its kind."""
    add_contacts(deployment, ADA, BOB)
    deployment.create("web", policy_for("web.test", "Self", lifetime_actions=(MAIL_ONLY,)))
    desk, who = deployment.house.lifecycle.notification.desk, (deployment.administrator, deployment.vault)
    run_until(deployment, clock, START + 330 * DAY)
    (seen, _) = [notice for notice in ledger(deployment) if notice.topic is Topic.NEAR_EXPIRY and notice.channel == "mail"]
    known = desk.acknowledge(*who, seen.id)
    assert (known.acknowledged_at, known.acknowledged_by) == (clock(), deployment.administrator.object_id)
    run_until(deployment, clock, START + 365 * DAY)
    near = [notice for notice in ledger(deployment) if notice.topic is Topic.NEAR_EXPIRY and notice.channel == "mail"]
    assert [(notice.threshold, notice.status.value) for notice in near if notice.address == BOB] == [
        ("10%", "sent"),
        ("30d", "silenced"),
        ("contacts", "silenced"),
        ("7d", "silenced"),
        ("1d", "sent"),
    ]


def test_silence_holds_for_names_and_topics_until_its_time(deployment: Deployment, clock: FakeClock, mail: Recorder) -> None:
    """What waits already is silenced as well; a replay tells it after all."""
    desk, who = deployment.house.lifecycle.notification.desk, (deployment.administrator, deployment.vault)
    plant(deployment, waiting(1, name="test-1", due_at=START + HOLD), waiting(2, name="prod", due_at=START + HOLD))
    made = desk.silence(*who, "TEST-*", Topic.NEAR_EXPIRY, START + 85 * DAY, "a drill")
    assert desk.silences(*who) == (made,)
    policy = policy_for("test.test", lifetime_actions=(MAIL_ONLY,), lifetime_actions_set=True)
    deployment.create("test-2", policy)
    run_until(deployment, clock, START + 90 * DAY)
    assert [(message.name, message.topic.value) for message in mail.messages] == [
        ("prod", "near_expiry"),
        ("test-2", "near_expiry"),
        ("test-2", "expired"),
    ]
    assert desk.silences(*who) == ()
    desk.replay(*who, f"{1:032}")
    deployment.work()
    assert mail.messages[-1].name == "test-1"


def test_the_desk_refuses_what_cannot_work(deployment: Deployment) -> None:
    """And says what would be right."""
    desk, who = deployment.house.lifecycle.notification.desk, (deployment.administrator, deployment.vault)
    with pytest.raises(BadParameter, match="past"):
        desk.silence(*who, "*", None, START, "why")
    with pytest.raises(BadParameter, match="why has 1 to"):
        desk.silence(*who, "*", None, START + DAY, "")
    with pytest.raises(BadParameter, match="there are: mail, webhook"):
        desk.test(*who, "pigeon")
    for change in (desk.get, desk.replay, desk.acknowledge, desk.unsilence):
        with pytest.raises(NotFound):
            change(*who, "0" * 32)
    deployment.house.contacts.delete(*who)
    with pytest.raises(BadParameter, match="Nobody listens"):
        desk.test(*who, "mail")


def test_two_workers_tell_each_thing_once(deployment: Deployment, clock: FakeClock, mail: Recorder, webhook: Recorder) -> None:
    """Six certificates and two workers at the same moments."""
    for number in range(6):
        deployment.create(f"web-{number}", policy_for(f"web-{number}.test"))
    workers = [Rounds(deployment.house, owner) for owner in ("one", "two")]
    for days in (0, 58, 59, 60, 61, 62, 63):
        clock.set(START + days * DAY)
        threads = [Thread(target=worker.run_due, args=(clock(),)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    clock.advance(HOLD)
    deployment.work()
    assert not mail.doubled
    assert not webhook.doubled
    assert webhook.topics.count("new_version") == 36
    renewed = [part for message in mail.messages for part in (message.parts or (message,)) if part.topic is Topic.RENEWED]
    assert len({part.id for part in renewed}) == len(renewed) == 6


@pytest.mark.long
def test_killed_anywhere_nothing_is_lost_and_nothing_has_two_ids(tmp_path: Path, clock: FakeClock) -> None:
    """A threshold, a digest and a retry: the worker is killed before and after each write, and another goes on."""
    before = prepare(tmp_path / "before", clock)
    fate, deaths = Fate(0), 0
    while fate.is_dead:
        deaths += 1
        folder = tmp_path / str(deaths)
        shutil.copytree(tmp_path / "before", folder)
        clock.set(START + 350 * DAY)
        mail, webhook, fate = Recorder(), Recorder(), Fate(deaths)
        webhook.script.append(Delivery(done=False, message="Not now."))
        live_and_die(folder, clock, fate, mail, webhook)
        with told(folder, clock, mail, webhook) as second:
            run_until(second, clock, clock() + 3 * LEASE + 2 * HOLD)
            check(second, before, mail, webhook)
    assert deaths > 30


def prepare(folder: Path, clock: FakeClock) -> set[str]:
    """Set up what is told soon; give the ids of what was told already."""
    folder.mkdir()
    with told(folder, clock, Recorder(), Recorder()) as deployment:
        add_contacts(deployment, ADA)
        deployment.create("web", policy_for("web.test", "Self", lifetime_actions=(MAIL_ONLY,), lifetime_actions_set=True))
        run_until(deployment, clock, START + 350 * DAY)
        before = {notice.id for notice in ledger(deployment)}
        at = START + 355 * DAY
        plant(deployment, *(waiting(number, due_at=at + timedelta(minutes=1)) for number in range(5)))
        clock.set(at)
    return before


def live_and_die(folder: Path, clock: FakeClock, fate: Fate, *channels: Recorder) -> None:
    """Live through it, up to the kill."""
    with suppress(KilledError), told(folder, clock, *channels, wrap=lambda store: MortalStore(store, fate)) as first:
        for at in (355 * DAY, 355 * DAY + HOLD):
            clock.set(START + at)
            first.work()


def check(deployment: Deployment, before: set[str], mail: Recorder, webhook: Recorder) -> None:
    """See that everything was told, and nothing under two ids."""
    entries = [entry for entry in ledger(deployment) if entry.id not in before]
    assert {entry.status for entry in entries} <= {NoticeStatus.SENT, NoticeStatus.IN_DIGEST}
    arrived = {part.id for message in mail.messages for part in (message, *message.parts)}
    arrived |= {message.id for message in webhook.messages}
    assert {entry.id for entry in entries} == arrived
    about = sorted((entry.channel, entry.threshold) for entry in entries if entry.name == "web" and entry.version != VERSION)
    assert about == [("mail", "contacts"), (WEBHOOK, "contacts")]
    # the same id again only for what was under way when the process was killed
    assert len(mail.doubled) + len(webhook.doubled) <= 1
