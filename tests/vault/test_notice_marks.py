"""The marks in a version's time, and what is told of an event."""

from datetime import datetime, timedelta

import pytest

from certworker.settings.notices import Notices
from certworker.vault.events import Event, EventType
from certworker.vault.notification.marks import Mark, Threshold, due_marks, marks, overdue, read_threshold
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.notification.topics import words_of
from certworker.vault.objects import ObjectKind
from certworker.vault.policy import ActionType, LifetimeAction, Policy
from certworker.vault.renewal.situation import Situation
from tests.support.clock import START
from tests.support.deployment import policy_for

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
THRESHOLDS = tuple(map(read_threshold, Notices().thresholds))
TELLS = LifetimeAction(ActionType.EMAIL_CONTACTS, lifetime_percentage=80)


def a_situation(lifetime: timedelta, policy: Policy | None = None) -> Situation:
    """Make the situation of a version that begins at the start of all."""
    return Situation(policy or policy_for("web.test"), START, START + lifetime, 0.0, START, START)


def left(found: tuple[Mark, ...], topic: Topic, end: datetime) -> list[tuple[timedelta, bool]]:
    """Tell how long before the end the marks of a topic are, and whether people hear."""
    return [(end - mark.at, mark.to_contacts) for mark in found if mark.topic is topic]


@pytest.mark.parametrize(
    ("lifetime", "expected"),
    [
        (timedelta(hours=160), [DAY, 16 * HOUR]),
        (47 * DAY, [7 * DAY, 4 * DAY + 16 * HOUR + timedelta(minutes=48), DAY]),
        (90 * DAY, [30 * DAY, 9 * DAY, 7 * DAY, DAY]),
        (200 * DAY, [30 * DAY, 20 * DAY, 7 * DAY, DAY]),
        (70 * DAY, [30 * DAY, 7 * DAY, DAY]),
        (4 * HOUR, [timedelta(minutes=24)]),
    ],
)
def test_thresholds_suit_every_lifetime(lifetime: timedelta, expected: list[timedelta]) -> None:
    """Days that are more than half of the lifetime do not count, and two that fall together are one."""
    found = marks(a_situation(lifetime), None, THRESHOLDS, DAY)
    assert left(found, Topic.NEAR_EXPIRY, START + lifetime) == [(before, True) for before in expected]
    assert found[-1] == Mark(START + lifetime, Topic.EXPIRED, "", Severity.CRITICAL)


def test_a_renewal_that_is_to_come_is_no_news_for_people() -> None:
    """Until it is overdue: at 30 percent of its time that is a warning, at 70 it is critical."""
    end = START + 90 * DAY
    found = marks(a_situation(90 * DAY), START + 60 * DAY, THRESHOLDS, DAY)
    assert left(found, Topic.NEAR_EXPIRY, end) == [(30 * DAY, False), (9 * DAY, True), (7 * DAY, True), (DAY, True)]
    assert left(found, Topic.RENEWAL_STARTS, end) == [(31 * DAY, True)]
    assert left(found, Topic.RENEWAL_OVERDUE, end) == [(21 * DAY, True), (9 * DAY, True)]
    for days, severity in ((60, None), (69, Severity.WARNING), (80, Severity.WARNING), (81, Severity.CRITICAL)):
        assert overdue(found, START + days * DAY) is severity


def test_before_a_short_renewal_people_hear_shortly_before() -> None:
    """A twentieth of the lifetime at the most; and never where nobody wants to hear."""
    situation = a_situation(timedelta(hours=160))
    renewal_at = START + timedelta(hours=80)
    (before,) = [mark for mark in marks(situation, renewal_at, (), DAY) if mark.topic is Topic.RENEWAL_STARTS]
    assert before.at == renewal_at - timedelta(hours=8)
    assert not [mark for mark in marks(situation, renewal_at, (), timedelta(0)) if mark.topic is Topic.RENEWAL_STARTS]


@pytest.mark.parametrize(("is_set", "hear"), [(True, [80, 99]), (False, [70, 80, 90, 93, 99])])
def test_contacts_hear_once_when_the_owner_said_when(is_set: bool, hear: list[int]) -> None:  # noqa: FBT001
    """And on the last day; the trigger that Key Vault fills in by default is one threshold among others."""
    policy = policy_for("web.test", "Unknown", lifetime_actions=(TELLS,), lifetime_actions_set=is_set)
    found = marks(a_situation(100 * DAY, policy), None, THRESHOLDS, DAY)
    near = [mark for mark in found if mark.topic is Topic.NEAR_EXPIRY and mark.to_contacts]
    assert [(mark.at - START).days for mark in near] == hear


def test_of_what_was_passed_only_the_latest_is_told() -> None:
    """People hear with it what they should have heard before; the end is told alone."""
    found = marks(a_situation(90 * DAY), START + 60 * DAY, THRESHOLDS, DAY)

    def told(days: float, *known: str) -> list[str]:
        return [mark.key for mark in due_marks(found, known, START + days * DAY)]

    assert told(58) == []
    assert sorted(told(60)) == ["near_expiry:30d", "renewal_starts:"]
    assert sorted(told(85)) == ["near_expiry:7d", "renewal_overdue:70%"]
    assert told(85, "near_expiry:7d", "near_expiry:10%", "near_expiry:30d") == ["renewal_overdue:70%"]
    assert told(90) == ["expired:"]
    assert told(90, "expired:") == []
    quiet = Mark(START, Topic.NEAR_EXPIRY, "a", Severity.WARNING)
    latest = Mark(START + DAY, Topic.NEAR_EXPIRY, "b", Severity.WARNING, to_contacts=False)
    assert [mark.to_contacts for mark in due_marks((quiet, latest), (), START + DAY)] == [True]


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "1w", "0x1d", "1d "])
def test_what_is_no_threshold_is_refused(text: str) -> None:
    """By the settings as well."""
    with pytest.raises(ValueError, match="threshold"):
        read_threshold(text)
    with pytest.raises(ValueError, match="threshold"):
        Notices(thresholds=(text,))


@pytest.mark.parametrize("text", ["0d", "100%", "0%"])
def test_a_threshold_that_is_never_or_always_is_refused(text: str) -> None:
    """Nothing and everything are no parts."""
    with pytest.raises(ValueError, match="threshold"):
        Notices(thresholds=(text,))


def test_thresholds_are_read_as_written() -> None:
    """Days, hours and parts."""
    assert read_threshold("12h") == Threshold("12h", left=12 * HOUR)
    assert read_threshold("10%").before_end(10 * DAY) == DAY


def an_event(event_type: EventType, **detail: str) -> Event:
    """Make an event of a certificate."""
    return Event(event_type, START, "vault", ObjectKind.CERTIFICATE, "web", "version", detail, sequence=7)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (an_event(EventType.CERTIFICATE_NEW_VERSION, reason="create"), [(Topic.NEW_VERSION, "")]),
        (an_event(EventType.CERTIFICATE_NEW_VERSION, reason="advised"), [(Topic.NEW_VERSION, ""), (Topic.RENEWED, "")]),
        (an_event(EventType.OPERATION_FAILED, code="caa"), [(Topic.RENEWAL_FAILED, "caa")]),
        (an_event(EventType.SECRET_NEAR_EXPIRY, exp="1790000000"), [(Topic.NEAR_EXPIRY, "1790000000")]),
        (an_event(EventType.CERTIFICATE_FOUND_REVOKED), [(Topic.REVOKED, "")]),
        (an_event(EventType.CERTIFICATE_FOUND_REVOKED, about="CN=Intermediate"), [(Topic.REVOKED, "CN=Intermediate")]),
        (an_event(EventType.ISSUER_DOWN, issuer="ca"), [(Topic.ISSUER_DOWN, "7")]),
        (an_event(EventType.OPERATION_STEP, step="ordered"), []),
    ],
)
def test_what_is_told_of_an_event(event: Event, expected: list[tuple[Topic, str]]) -> None:
    """Topic, and what tells one from another of the same version."""
    assert [(word.topic, word.threshold) for word in words_of(event)] == expected


def test_facts_are_what_the_event_knows() -> None:
    """Without the vault, which the message names, and what is for the ledger alone; empty ones are left out."""
    detail = {"vault": "contoso", "issuer": "ca", "to": "other", "severity": "critical", "contacts": "no", "error": ""}
    (word,) = words_of(an_event(EventType.ISSUER_FAILED_OVER, **detail))
    assert dict(word.facts) == {"issuer": "ca", "from": "ca", "to": "other"}
    assert (word.severity, word.to_contacts) == (Severity.CRITICAL, False)
