"""When a certificate is renewed, and when a failed attempt is made again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.vault.lifetime import (
    BACK_DATE,
    BACKSTOP,
    SHORTEST_PAUSE,
    SPREAD,
    add_months,
    first_plan,
    next_attempt,
    renewal_point,
    self_signed_validity,
)
from certworker.vault.operations import OperationReason, Renewal
from certworker.vault.policy import ActionType, LifetimeAction, Policy, complete
from tests.support.clock import START
from tests.support.deployment import policy_for

DAY = timedelta(days=1)
RENEW, MAIL = ActionType.AUTO_RENEW, ActionType.EMAIL_CONTACTS
DEFAULT, CHOSEN, LAST = OperationReason.DEFAULT, OperationReason.LIFETIME_ACTION, OperationReason.BACKSTOP


def with_action(action: ActionType = RENEW, issuer: str = "test-ca", **trigger: int) -> Policy:
    """Make a policy whose owner chose a lifetime action."""
    policy = policy_for("web.example.test", issuer)
    return replace(policy, lifetime_actions=(LifetimeAction(action, **trigger),), lifetime_actions_set=True)


def with_default(issuer: str = "test-ca") -> Policy:
    """Make a policy whose owner chose none."""
    return complete(policy_for("web.example.test", issuer))


@pytest.mark.parametrize(
    ("policy", "days", "after", "reason"),
    [
        (with_default(), 90, 60, DEFAULT),
        (with_default(), 10, 10 * 2 / 3, DEFAULT),
        (with_default(), 6, 3, DEFAULT),
        (with_default("Self"), 100, 80, CHOSEN),
        (with_action(lifetime_percentage=50), 90, 45, CHOSEN),
        (with_action(lifetime_percentage=80), 90, 72, CHOSEN),
        (with_action(days_before_expiry=30), 90, 60, CHOSEN),
        (with_action(days_before_expiry=100), 90, 60, DEFAULT),
        (with_action(days_before_expiry=90), 90, 60, DEFAULT),
        (with_action(lifetime_percentage=99), 100, 95, LAST),
        (with_action(days_before_expiry=1), 100, 95, LAST),
        (with_action(lifetime_percentage=50, issuer="Self"), 100, 50, CHOSEN),
    ],
)
def test_the_point_is_where_the_rules_say(policy: Policy, days: int, after: float, reason: OperationReason) -> None:
    """The owner's choice, else two thirds (half where short); and never later than a twentieth before the end."""
    point = renewal_point(policy, START, START + days * DAY, 0.0)
    assert point is not None
    assert abs(point.at - (START + after * DAY)) <= timedelta(seconds=1)
    assert point.reason is reason


@pytest.mark.parametrize(
    "policy", [with_action(MAIL, lifetime_percentage=80), with_default("Unknown"), policy_for("web.example.test", "Unknown")]
)
def test_some_are_never_renewed_by_themselves(policy: Policy) -> None:
    """Where mail is all that was asked for, or nobody could sign."""
    assert renewal_point(policy, START, START + 90 * DAY, 0.0) is None


def test_the_earliest_of_several_actions_counts() -> None:
    """Two triggers for renewal, and one for mail that does not move them."""
    actions = (LifetimeAction(MAIL, 10), LifetimeAction(RENEW, 70), LifetimeAction(RENEW, days_before_expiry=40))
    policy = replace(with_default(), lifetime_actions=actions, lifetime_actions_set=True)
    point = renewal_point(policy, START, START + 100 * DAY, 0.0)
    assert point is not None
    assert point.at == START + 60 * DAY


JITTER = st.floats(0, 1, exclude_max=True)
LIFETIMES = st.timedeltas(timedelta(minutes=1), timedelta(days=4000))
POLICIES = st.one_of(
    st.just(with_default()),
    st.integers(1, 99).map(lambda percentage: with_action(lifetime_percentage=percentage)),
    st.integers(1, 300).map(lambda days: with_action(days_before_expiry=days)),
)


@given(POLICIES, LIFETIMES, JITTER)
def test_renewal_falls_within_the_lifetime(policy: Policy, lifetime: timedelta, jitter: float) -> None:
    """After the beginning, never in the last twentieth, and put off by a fiftieth at the most."""
    not_after = START + lifetime
    point, undelayed = renewal_point(policy, START, not_after, jitter), renewal_point(policy, START, not_after, 0.0)
    assert point is not None
    assert undelayed is not None
    assert START <= point.at <= not_after - lifetime / BACKSTOP
    assert undelayed.at <= point.at <= undelayed.at + lifetime / SPREAD + timedelta(seconds=1)
    assert point.at.microsecond == 0


@given(POLICIES, LIFETIMES, st.lists(JITTER, min_size=2, max_size=10).map(sorted))
def test_more_jitter_is_never_earlier(policy: Policy, lifetime: timedelta, jitters: list[float]) -> None:
    """The order of a fleet is the order of what was drawn."""
    points = [renewal_point(policy, START, START + lifetime, jitter) for jitter in jitters]
    times = [point.at for point in points if point]
    assert times == sorted(times)


@pytest.mark.parametrize(("failures", "minutes"), [(1, 1), (2, 10), (3, 100), (4, 1440), (5, 1440), (1000, 1440)])
def test_attempts_back_off(failures: int, minutes: int) -> None:
    """One, ten, a hundred minutes, then a day; forever, if it must be."""
    for not_after in (None, START + 1000 * DAY, START - DAY):
        assert next_attempt(failures, START, not_after) == START + timedelta(minutes=minutes)


def test_a_mistake_in_the_set_up_waits_a_day_at_once() -> None:
    """Trying again soon would change nothing."""
    assert next_attempt(1, START, START + 90 * DAY, configuration=True) == START + DAY


def test_no_wait_is_longer_than_what_is_left_allows() -> None:
    """A tenth of the time left is the most, and ten seconds the least."""
    assert next_attempt(9, START, START + DAY) == START + DAY / 10
    assert next_attempt(9, START, START + DAY, configuration=True) == START + DAY / 10
    assert next_attempt(9, START, START + timedelta(seconds=30)) == START + timedelta(seconds=10)


@given(st.integers(1, 50), st.timedeltas(timedelta(seconds=1), timedelta(days=400)), st.booleans())
def test_a_next_attempt_is_always_in_the_future(failures: int, left: timedelta, configuration: bool) -> None:  # noqa: FBT001
    """At least ten seconds away, at most a day, and never shorter after more failures."""
    at = next_attempt(failures, START, START + left, configuration=configuration)
    assert timedelta(seconds=10) <= at - START <= DAY
    assert next_attempt(failures + 1, START, START + left, configuration=configuration) >= at


@pytest.mark.parametrize(
    ("begin", "months", "end"),
    [
        ((2026, 1, 31), 1, (2026, 2, 28)),
        ((2028, 1, 31), 1, (2028, 2, 29)),
        ((2024, 2, 29), 12, (2025, 2, 28)),
        ((2026, 12, 31), 2, (2027, 2, 28)),
        ((2026, 10, 31), 1, (2026, 11, 30)),
        ((2026, 12, 15), 1, (2027, 1, 15)),
        ((2026, 1, 15), 1200, (2126, 1, 15)),
    ],
)
def test_months_are_those_of_the_calendar(begin: tuple[int, int, int], months: int, end: tuple[int, int, int]) -> None:
    """A day that the month does not have becomes its last; the time of day stays."""
    at = datetime(*begin, 12, 30, tzinfo=UTC)
    assert add_months(at, months) == datetime(*end, 12, 30, tzinfo=UTC)


def test_a_self_signed_certificate_begins_a_little_before() -> None:
    """Ten minutes, for clocks that lag; fractions of a second are cut off."""
    not_before, not_after = self_signed_validity(START + timedelta(microseconds=5), 12)
    assert (not_before, not_after) == (START - BACK_DATE, START.replace(year=2027))
    assert timedelta(seconds=600) == BACK_DATE


@pytest.mark.parametrize(
    ("back_dated", "lives", "pause"),
    [
        (timedelta(hours=1), timedelta(hours=2), timedelta(minutes=6)),
        (timedelta(0), timedelta(seconds=8), SHORTEST_PAUSE),
        (timedelta(0), 90 * DAY, 60 * DAY),
    ],
)
def test_a_ca_is_not_asked_without_a_pause(back_dated: timedelta, lives: timedelta, pause: timedelta) -> None:
    """One that dates back by hours, or whose certificates live for seconds, gets a pause; others are not kept waiting."""
    not_before = START - back_dated
    plan = first_plan(with_default(), not_before, not_before + lives, 0.0, START)
    assert plan == Renewal(START + pause, DEFAULT, 0.0)
