"""The marks in a version's time: when its end is near, its renewal comes, or is overdue. Pure functions."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from certworker.clock import whole_second
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.policy import ActionType, Policy
from certworker.vault.renewal.situation import Situation

OVERDUE: Final = ((30, Severity.WARNING), (70, Severity.CRITICAL))
"""So much in a hundred of the time between the renewal's point and the end has gone by."""
LAST: Final = timedelta(days=1)
"""What is told of the end when this is left, or a twentieth of a lifetime that is shorter, is critical."""
_UNITS: Final = {"d": timedelta(days=1), "h": timedelta(hours=1)}
_THRESHOLD: Final = re.compile(r"([0-9]+)([dh%])")
_CONTACTS: Final = "contacts"
"""The threshold of what the policy's own lifetime action says."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """What is left of a lifetime: a time, or a part of it in a hundred."""

    text: str
    left: timedelta | None = None
    percent: int | None = None

    def before_end(self, lifetime: timedelta) -> timedelta:
        """Tell how long before the end it is."""
        return self.left if self.left is not None else lifetime * (self.percent or 0) / 100


def read_threshold(text: str) -> Threshold:
    """Read `30d`, `12h` or `10%`. Raises ValueError."""
    match = _THRESHOLD.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:20]!r} is no threshold")
    if match[2] == "%":
        return Threshold(text, percent=int(match[1]))
    return Threshold(text, left=int(match[1]) * _UNITS[match[2]])


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment at which something is told. `to_contacts` says whether people are told as well, and not programs alone."""

    at: datetime
    topic: Topic
    threshold: str
    severity: Severity
    to_contacts: bool = True

    @property
    def key(self) -> str:
        """What tells it from the other marks of a version."""
        return f"{self.topic.value}:{self.threshold}"


def marks(
    situation: Situation, renewal_at: datetime | None, thresholds: Iterable[Threshold], before_renewal: timedelta
) -> tuple[Mark, ...]:
    """List the marks of a version in their order. `renewal_at` is when it should be renewed; none is never by itself."""
    found = [*_near_expiry(situation, renewal_at, thresholds), *_of_renewal(situation, renewal_at, before_renewal)]
    found.append(Mark(situation.not_after, Topic.EXPIRED, "", Severity.CRITICAL))
    return tuple(sorted(found, key=lambda mark: (mark.at, mark.key)))


def due_marks(found: Iterable[Mark], told: Iterable[str], at: datetime) -> tuple[Mark, ...]:
    """List what is to be told at `at`: of several marks of one kind that were passed, only the latest.

    What has expired is told to have expired, and nothing else.
    """
    known, found = set(told), tuple(found)
    ended = tuple(mark for mark in found if mark.topic is Topic.EXPIRED and mark.at <= at)
    if ended:
        return tuple(mark for mark in ended if mark.key not in known)
    latest: dict[Topic, Mark] = {}
    for mark in found:
        if mark.at <= at and mark.key not in known:
            before = latest.get(mark.topic)
            # what people should have heard before they hear with the latest
            latest[mark.topic] = replace(mark, to_contacts=True) if before and before.to_contacts else mark
    if Topic.RENEWAL_OVERDUE in latest:
        latest.pop(Topic.RENEWAL_STARTS, None)
    return tuple(latest.values())


def overdue(found: Iterable[Mark], at: datetime) -> Severity | None:
    """Tell how overdue the renewal is at `at`, if it is."""
    passed = [mark.severity for mark in found if mark.topic is Topic.RENEWAL_OVERDUE and mark.at <= at]
    return passed[-1] if passed else None


def _near_expiry(situation: Situation, renewal_at: datetime | None, thresholds: Iterable[Threshold]) -> Iterable[Mark]:
    end, lifetime, policy = situation.not_after, situation.lifetime, situation.policy
    trigger = _contacts_trigger(policy, situation)
    if trigger is not None:
        yield Mark(trigger, Topic.NEAR_EXPIRY, _CONTACTS, _severity(end - trigger, lifetime))
    last = min(LAST, lifetime / 20)
    moments: dict[datetime, str] = {}
    for threshold in thresholds:
        left = threshold.before_end(lifetime)
        if left <= lifetime / 2:
            moments.setdefault(whole_second(end - left), threshold.text)
    for at, text in moments.items():
        # what is about to be renewed by itself is no news for people; if that fails, it is overdue, and soon it is news
        expected = renewal_at is not None and at < renewal_at + (end - renewal_at) * OVERDUE[0][0] / 100
        silent = expected or (policy.lifetime_actions_set and trigger is not None and end - at > last)
        yield Mark(at, Topic.NEAR_EXPIRY, text, _severity(end - at, lifetime), to_contacts=not silent)


def _severity(left: timedelta, lifetime: timedelta) -> Severity:
    return Severity.CRITICAL if left <= min(LAST, lifetime / 20) else Severity.WARNING


def _of_renewal(situation: Situation, renewal_at: datetime | None, before_renewal: timedelta) -> Iterable[Mark]:
    end = situation.not_after
    if renewal_at is None or renewal_at >= end:
        return
    if before_renewal:
        before = min(before_renewal, situation.lifetime / 20)
        yield Mark(whole_second(renewal_at - before), Topic.RENEWAL_STARTS, "", Severity.INFO)
    for percent, severity in OVERDUE:
        at = whole_second(renewal_at + (end - renewal_at) * percent / 100)
        yield Mark(at, Topic.RENEWAL_OVERDUE, f"{percent}%", severity)


def _contacts_trigger(policy: Policy, situation: Situation) -> datetime | None:
    """Tell when the policy wants its contacts to be told: its EmailContacts action, the earliest if there are several."""
    points = []
    for action in policy.lifetime_actions:
        if action.action is not ActionType.EMAIL_CONTACTS:
            continue
        if action.days_before_expiry is not None:
            points.append(situation.not_after - timedelta(days=action.days_before_expiry))
        elif action.lifetime_percentage is not None:
            points.append(situation.not_before + situation.lifetime * action.lifetime_percentage / 100)
    points = [whole_second(point) for point in points if point > situation.not_before]
    return min(points, default=None)
