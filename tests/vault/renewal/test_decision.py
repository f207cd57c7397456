"""When a certificate is renewed, and why: each rule by itself, and their order."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.vault.operations import OperationReason as Why
from certworker.vault.policy import ActionType, IssuerParameters, LifetimeAction, Policy, complete
from certworker.vault.renewal.decision import BACKSTOP, SPREAD, backstop_of, decide
from certworker.vault.renewal.situation import Decision, Situation, Window
from tests.support.clock import START
from tests.support.deployment import policy_for

DAY = timedelta(days=1)
RENEW, MAIL = ActionType.AUTO_RENEW, ActionType.EMAIL_CONTACTS


def with_action(action: ActionType = RENEW, issuer: str = "test-ca", **trigger: int) -> Policy:
    """Make a policy whose owner chose a lifetime action."""
    policy = policy_for("web.example.test", issuer)
    return replace(policy, lifetime_actions=(LifetimeAction(action, **trigger),), lifetime_actions_set=True)


def with_default(issuer: str = "test-ca") -> Policy:
    """Make a policy whose owner chose none."""
    return complete(policy_for("web.example.test", issuer))


def a_situation(policy: Policy | None = None, days: float = 100, at: float = 0, **known: object) -> Situation:
    """Have a version that is valid for some days from the start, and look at it some days later."""
    policy = policy or with_default()
    known = {"jitter": 0.0, "since": START, **known}
    return Situation(policy, START, START + days * DAY, at=START + at * DAY, **known)  # type: ignore[arg-type]


def a_window(begin: float, end: float, point: float) -> Window:
    """Have a CA's advice, in days from the start."""
    return Window(START + begin * DAY, START + end * DAY, START + point * DAY)


def decided(situation: Situation) -> Decision:
    """Decide what must be decided."""
    decision = decide(situation)
    assert decision is not None
    return decision


def days_until(at: datetime) -> float:
    """Count days from the start, to a hundredth."""
    return round((at - START) / DAY, 2)


@pytest.mark.parametrize(
    ("policy", "days", "after", "reason"),
    [
        (with_default(), 90, 60, Why.DEFAULT),
        (with_default(), 10, 6.67, Why.DEFAULT),
        (with_default(), 6, 3, Why.DEFAULT),
        (with_default("Self"), 100, 80, Why.LIFETIME_ACTION),
        (with_action(lifetime_percentage=50), 90, 45, Why.LIFETIME_ACTION),
        (with_action(lifetime_percentage=80), 90, 72, Why.LIFETIME_ACTION),
        (with_action(days_before_expiry=30), 90, 60, Why.LIFETIME_ACTION),
        (with_action(days_before_expiry=100), 90, 60, Why.DEFAULT),
        (with_action(days_before_expiry=90), 90, 60, Why.DEFAULT),
        (with_action(lifetime_percentage=99), 100, 95, Why.BACKSTOP),
        (with_action(days_before_expiry=1), 100, 95, Why.BACKSTOP),
        (with_action(lifetime_percentage=50, issuer="Self"), 100, 50, Why.LIFETIME_ACTION),
    ],
)
def test_the_point_is_where_the_rules_say(policy: Policy, days: int, after: float, reason: Why) -> None:
    """The owner's choice, else two thirds (half where short); and never later than a twentieth before the end."""
    decision = decided(a_situation(policy, days))
    assert (days_until(decision.at), decision.reason) == (after, reason)


def test_the_earliest_of_several_actions_counts() -> None:
    """Two triggers for renewal, and one for mail that does not move them."""
    actions = (LifetimeAction(MAIL, 10), LifetimeAction(RENEW, 70), LifetimeAction(RENEW, days_before_expiry=40))
    policy = replace(with_default(), lifetime_actions=actions, lifetime_actions_set=True)
    assert days_until(decided(a_situation(policy)).at) == 60


@pytest.mark.parametrize(
    ("policy", "window", "after", "reason"),
    [
        (with_default(), (40, 44, 43), 43, Why.ADVISED),
        (with_default(), (80, 90, 81), 81, Why.ADVISED),
        (with_default(), (0, 1, 0.5), 0.5, Why.ADVISED),
        (with_default(), (90, 99, 98), 95, Why.BACKSTOP),
        (with_action(lifetime_percentage=30), (40, 60, 55), 40, Why.LIFETIME_ACTION),
        (with_action(lifetime_percentage=50), (40, 60, 55), 50, Why.LIFETIME_ACTION),
        (with_action(lifetime_percentage=58), (40, 60, 55), 55, Why.ADVISED),
        (with_action(lifetime_percentage=99), (40, 60, 55), 55, Why.ADVISED),
        (with_action(lifetime_percentage=30), (96, 98, 97), 95, Why.BACKSTOP),
    ],
)
def test_a_cas_advice_and_the_owners_action(
    policy: Policy, window: tuple[float, float, float], after: float, reason: Why
) -> None:
    """The earlier of both, but not before the CA's window opens; the default waits for nobody; the backstop overrides all."""
    decision = decided(a_situation(policy, window=a_window(*window)))
    assert (days_until(decision.at), decision.reason) == (after, reason)


@pytest.mark.parametrize(
    ("known", "after", "reason", "urgent"),
    [
        ({"revoked_at": START + 2 * DAY}, 2, Why.REVOKED, True),
        ({"compromised_at": START + 2 * DAY}, 2, Why.KEY_COMPROMISED, True),
        ({"requested_at": START + 2 * DAY}, 2, Why.REQUESTED, True),
        ({"revoked_at": START + 2 * DAY, "compromised_at": START + DAY, "requested_at": START}, 2, Why.REVOKED, True),
        ({"compromised_at": START + 2 * DAY, "requested_at": START}, 2, Why.KEY_COMPROMISED, True),
        ({"revoked_at": START + 2 * DAY, "window": a_window(1, 9, 5)}, 2, Why.REVOKED, True),
        ({"at": 61}, 66.67, Why.DEFAULT, False),
        ({"at": 95}, 95, Why.BACKSTOP, True),
        ({"at": 99, "window": a_window(40, 60, 50)}, 95, Why.BACKSTOP, True),
        ({"at": 100}, 100, Why.OVERDUE, True),
        ({"at": 500}, 100, Why.OVERDUE, True),
        ({"at": 500, "revoked_at": START}, 0, Why.REVOKED, True),
    ],
)
def test_the_first_reason_whose_time_has_come_decides(
    known: dict[str, object],
    after: float,
    reason: Why,
    urgent: bool,  # noqa: FBT001
) -> None:
    """What is revoked goes before what is asked for, that before what is planned; and the end has its own reasons."""
    decision = decided(a_situation(**{"at": 5, **known}))  # type: ignore[arg-type]
    assert (days_until(decision.at), decision.reason, decision.urgent) == (after, reason, urgent)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, Why.DEFAULT),
        ({"issuer": IssuerParameters("Other-CA")}, Why.ISSUER_CHANGED),
        ({"issuer": IssuerParameters("TEST-ca")}, Why.DEFAULT),
        ({"x509": replace(with_default().x509, validity_months=2)}, Why.POLICY_CHANGED),
        ({"key": replace(with_default().key, curve="P-384")}, Why.POLICY_CHANGED),
        ({"content_type": "application/x-pem-file"}, Why.DEFAULT),
    ],
)
def test_a_changed_policy_is_a_reason_where_it_is_wanted(change: dict[str, object], reason: Why) -> None:
    """Since it was changed; but not what only shapes the secret, and not where the next version is soon enough."""
    issued = with_default()
    policy = replace(issued, **change)  # type: ignore[arg-type]
    changed = a_situation(policy, at=7, issued_by=issued, changed_at=START + 5 * DAY)
    decision = decided(changed)
    assert decision.reason is reason
    assert decision.reason is Why.DEFAULT or decision.at == changed.changed_at
    for kept in (replace(changed, changed_at=None), replace(changed, issued_by=None)):
        assert decided(kept).reason is Why.DEFAULT


@pytest.mark.parametrize(
    ("situation", "words"),
    [
        (a_situation(with_action(MAIL, lifetime_percentage=80)), "no lifetime action AutoRenew"),
        (a_situation(with_default("Unknown")), "a person"),
        (a_situation(policy_for("web.example.test", "Unknown")), "a person"),
        (a_situation(since=START + 100 * DAY, at=101), "expired before"),
        (a_situation(with_action(lifetime_percentage=80, issuer="Self"), is_foreign=True), "self-signed"),
    ],
)
def test_some_are_never_renewed_by_themselves(situation: Situation, words: str) -> None:
    """Whatever comes up; why is told. What somebody asks for is done, unless nobody could sign it."""
    assert words in (situation.stays or "")
    known = replace(situation, revoked_at=START, compromised_at=START, window=a_window(1, 2, 1))
    assert decide(situation) is None
    assert decide(known) is None
    asked = decide(replace(known, requested_at=START))
    assert asked is None if situation.policy.is_manual else asked is not None


def test_a_pause_holds_all_but_what_is_asked_for() -> None:
    """The urgent ones too: who paused it wants it so."""
    paused = a_situation(at=99, revoked_at=START, is_paused=True)
    assert decide(paused) is None
    assert decided(replace(paused, requested_at=START)).reason is Why.REQUESTED


JITTER = st.floats(0, 1, exclude_max=True)
LIFETIMES = st.timedeltas(timedelta(minutes=1), timedelta(days=4000))
POLICIES = st.one_of(
    st.just(with_default()),
    st.integers(1, 99).map(lambda percentage: with_action(lifetime_percentage=percentage)),
    st.integers(1, 300).map(lambda days: with_action(days_before_expiry=days)),
)
SHARES = st.floats(-0.5, 1.5)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Make situations of all kinds."""
    lifetime = draw(LIFETIMES)

    def time() -> datetime:
        return START + lifetime * draw(SHARES)

    begin, end = sorted((time(), time()))
    window = Window(begin, end, begin + (end - begin) * draw(JITTER)) if begin < end and draw(st.booleans()) else None
    return Situation(
        policy=draw(POLICIES),
        not_before=START,
        not_after=START + lifetime,
        jitter=draw(JITTER),
        at=time(),
        since=START,
        window=window,
        revoked_at=time() if draw(st.booleans()) else None,
        requested_at=time() if draw(st.booleans()) else None,
    )


@given(situations())
def test_nothing_is_later_than_the_backstop(situation: Situation) -> None:
    """Whatever is known; but for what is overdue already, which is due since the end."""
    decision = decided(situation)
    latest = situation.not_after if decision.reason is Why.OVERDUE else backstop_of(situation)
    if decision.reason in {Why.REVOKED, Why.REQUESTED}:
        # these have a time of their own, and go before the rest once that has come
        latest = max(latest, situation.at)
    assert decision.at <= latest
    assert decision == decided(situation)


@given(situations(), st.floats(0, 1))
def test_what_is_due_stays_due(situation: Situation, later: float) -> None:
    """A later look never puts off what an earlier one found due."""
    again = replace(situation, at=situation.at + situation.lifetime * later)
    if decided(situation).at <= situation.at:
        assert decided(again).at <= again.at


@given(POLICIES, LIFETIMES, JITTER)
def test_jitter_is_a_fiftieth_at_the_most(policy: Policy, lifetime: timedelta, jitter: float) -> None:
    """After the beginning, never in the last twentieth, and in whole seconds."""
    days = lifetime / DAY
    undelayed, delayed = (decided(a_situation(policy, days, jitter=drawn)) for drawn in (0.0, jitter))
    assert START <= undelayed.at <= delayed.at <= START + lifetime - lifetime / BACKSTOP + timedelta(milliseconds=1)
    assert delayed.at <= undelayed.at + lifetime / SPREAD + timedelta(seconds=1)
    assert delayed.at.microsecond == 0


@given(POLICIES, LIFETIMES, st.lists(JITTER, min_size=2, max_size=10).map(sorted))
def test_more_jitter_is_never_earlier(policy: Policy, lifetime: timedelta, jitters: list[float]) -> None:
    """The order of a fleet is the order of what was drawn."""
    times = [decided(a_situation(policy, lifetime / DAY, jitter=jitter)).at for jitter in jitters]
    assert times == sorted(times)
