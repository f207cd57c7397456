"""When a renewal begins: after the CA was left alone, the back-off has gone by, and the maintenance window is open."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.settings.renewal import read_window
from certworker.vault.lifetime import SHORTEST_PAUSE, pause_after
from certworker.vault.operations import OperationReason as Why
from certworker.vault.operations import Pause, Renewal
from certworker.vault.policy import complete
from certworker.vault.renewal.decision import backstop_of
from certworker.vault.renewal.planning import REPEATED, REPEATED_BELOW, Forecast, Planner
from certworker.vault.renewal.situation import Situation, Window
from certworker.vault.renewal.windows import MaintenanceCalendar, MaintenanceWindow, Windows, is_open
from tests.support.clock import START
from tests.support.deployment import policy_for

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NEW = Renewal(None, None, 0.0)
PLANNER = Planner(MaintenanceCalendar({}), Random(1))


def windows(*texts: str) -> Windows:
    """Make maintenance windows in UTC."""
    return tuple(MaintenanceWindow(read_window(text), ZoneInfo("UTC")) for text in texts)


def a_situation(days: float = 100, at: float = 0, **known: object) -> Situation:
    """Have a version of a CA that is valid for some days from the start, and look at it some days later."""
    known = {"jitter": 0.0, "since": START, "not_before": START, **known}
    policy = complete(policy_for("web.test"))
    return Situation(policy, not_after=START + days * DAY, at=START + at * DAY, **known)  # type: ignore[arg-type]


def foreseen(situation: Situation, renewal: Renewal = NEW) -> Forecast:
    """Foresee what must come."""
    found = PLANNER.foresee(situation, renewal)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("back_dated", "lives", "pause"),
    [
        (timedelta(hours=1), timedelta(hours=2), timedelta(minutes=6)),
        (timedelta(minutes=119), timedelta(hours=2), SHORTEST_PAUSE),
        (timedelta(0), timedelta(seconds=8), SHORTEST_PAUSE),
        (timedelta(0), 90 * DAY, 60 * DAY),
    ],
)
def test_a_ca_is_not_asked_without_a_pause(back_dated: timedelta, lives: timedelta, pause: timedelta) -> None:
    """One that dates back by hours, or whose certificates live for seconds, gets a pause; others are not kept waiting."""
    not_before = START - back_dated
    situation = replace(a_situation(), not_before=not_before, not_after=not_before + lives)
    assert foreseen(situation).due_at == START + pause


@pytest.mark.parametrize("why", [Why.REVOKED, Why.KEY_COMPROMISED, Why.REQUESTED, Why.ADVISED])
def test_what_comes_from_elsewhere_is_not_kept_waiting(why: Why) -> None:
    """A version that was made a moment ago is replaced at once; but not again and again for the same reason."""
    past = START - DAY
    known: dict[Why, dict[str, object]] = {
        Why.REVOKED: {"revoked_at": past},
        Why.KEY_COMPROMISED: {"compromised_at": past},
        Why.REQUESTED: {"requested_at": past},
        Why.ADVISED: {"window": Window(past, START - HOUR, past + HOUR)},
    }
    situation = a_situation(issued_for=Why.DEFAULT, **known[why])  # type: ignore[arg-type]
    assert foreseen(situation).decision.reason is why
    assert foreseen(situation).due_at == START + SHORTEST_PAUSE
    assert foreseen(replace(situation, issued_for=why)).due_at == START + REPEATED


def test_a_ca_that_issues_below_what_is_revoked_is_asked_once_a_day() -> None:
    """The first replacement comes at once."""
    situation = a_situation(revoked_at=START, revoked_above=True)
    assert foreseen(situation).due_at == START + SHORTEST_PAUSE
    assert foreseen(replace(situation, issued_for=Why.REVOKED)).due_at == START + REPEATED_BELOW


def test_the_backoff_holds_the_next_attempt() -> None:
    """However often it is looked at, and never for over a day; what becomes urgent is a reason of its own, once."""
    renewal = replace(NEW, due_at=START + 70 * DAY, reason=Why.DEFAULT, failures=3, last_error="Not today.")
    assert foreseen(a_situation(at=67), renewal).due_at == START + 68 * DAY
    for day in (69.1, 69.9):
        found = foreseen(a_situation(at=day), renewal)
        assert (found.due_at, found.retry_at, found.decision.reason) == (START + 70 * DAY, START + 70 * DAY, Why.DEFAULT)
    assert foreseen(a_situation(at=70.5), renewal).retry_at is None
    revoked = a_situation(at=68, revoked_at=START + 67.9 * DAY)
    first = PLANNER.plan(revoked, renewal)
    assert (first.due_at, first.reason) == (START + 67.9 * DAY, Why.REVOKED)
    put_off = replace(first, due_at=START + 68.5 * DAY, failures=4)
    assert PLANNER.plan(revoked, put_off) == put_off


def test_a_window_is_waited_for() -> None:
    """A renewal that falls due outside waits; its jitter says where in the window it goes."""
    night = windows("Thu 02:00-06:00")
    due = foreseen(a_situation(maintenance=night))
    # 66 days and 16 hours after a Thursday's midnight is a Sunday
    assert (due.due_at, due.opening) == (START + 70 * DAY + 2 * HOUR,) * 2
    assert foreseen(a_situation(maintenance=night, jitter=0.5)).due_at == START + 70 * DAY + 3 * HOUR
    within = foreseen(a_situation(maintenance=windows("Sun 02:00-23:00")))
    assert (within.due_at, within.opening) == (START + timedelta(days=66, hours=16), None)
    assert due.deadline == START + 100 * DAY


@pytest.mark.parametrize(
    ("known", "due"),
    [
        ({"revoked_at": START + 67 * DAY}, 67),
        ({"requested_at": START + 67 * DAY}, 67),
        ({"at": 96}, 95),
        ({"at": 101}, 100),
        ({"days": 6, "at": 0}, 5.7),
        ({"window": Window(START + 67 * DAY, START + 67.9 * DAY, START + 67.5 * DAY)}, 67.9),
    ],
)
def test_what_is_urgent_does_not_wait_for_a_window(known: dict[str, object], due: float) -> None:
    """Nor does anything past the backstop, or the end of the window in which the CA wants it."""
    situation = a_situation(**{"at": 68, "maintenance": windows("Thu 02:00-06:00"), **known})  # type: ignore[arg-type]
    assert foreseen(situation).due_at == START + due * DAY


def test_a_failed_attempt_waits_for_the_window_too() -> None:
    """The back-off ends outside of it: the next one is waited for."""
    night = windows("Thu 02:00-06:00")
    failed = replace(NEW, due_at=START + 70 * DAY + 7 * HOUR, reason=Why.DEFAULT, failures=2)
    found = foreseen(a_situation(at=70.25, maintenance=night), failed)
    assert found.due_at == START + 77 * DAY + 2 * HOUR
    assert found.retry_at == failed.due_at


@pytest.mark.parametrize(
    ("known", "deadline"),
    [
        ({}, 100),
        ({"revoked_at": START + 3 * DAY}, 3),
        ({"requested_at": START + 3 * DAY}, 4),
        ({"requested_at": START + 99.5 * DAY, "at": 99.6}, 95),
        ({"window": Window(START + 4 * DAY, START + 6 * DAY, START + 4 * DAY)}, 6),
        ({"at": 96}, 95),
    ],
)
def test_the_deadline_says_who_goes_first(known: dict[str, object], deadline: float) -> None:
    """What is revoked was due when it was; what is asked for has a day, up to the backstop; a CA's window ends."""
    found = foreseen(a_situation(**{"at": 5, **known}))  # type: ignore[arg-type]
    assert found.deadline == START + deadline * DAY


def test_a_pause_leaves_nothing_planned() -> None:
    """Until it ends, or somebody asks for the renewal."""
    pause = Pause(START, "administrator", "The shop moves house.")
    known = replace(NEW, due_at=START + DAY, reason=Why.DEFAULT, deadline=START, pause=pause)
    assert PLANNER.plan(a_situation(is_paused=True), known) == replace(NEW, pause=pause)
    asked = PLANNER.plan(a_situation(is_paused=True, requested_at=START), replace(known, requested_at=START))
    assert (asked.due_at, asked.reason, asked.pause) == (START + SHORTEST_PAUSE, Why.REQUESTED, pause)


TIMES = st.floats(0, 1.2)
TEXTS = st.lists(st.sampled_from(["Mon 02:00-05:00", "Sat,Sun 22:00-04:00", "12:00-12:10", "Wed 00:00-24:00"]), max_size=2)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Make situations of versions whose whole life is before them, with maintenance windows and advice."""
    lifetime = draw(st.timedeltas(HOUR, 400 * DAY))
    begin = START + lifetime * draw(TIMES)
    end = begin + lifetime * draw(st.floats(0.01, 0.5))
    return Situation(
        policy=complete(policy_for("web.test")),
        not_before=START,
        not_after=START + lifetime,
        jitter=draw(st.floats(0, 1, exclude_max=True)),
        at=(START + lifetime * draw(TIMES)).replace(microsecond=0),
        since=START,
        window=Window(begin, end, begin + (end - begin) * draw(st.floats(0, 1))) if draw(st.booleans()) else None,
        maintenance=windows(*draw(TEXTS)),
    )


@given(situations())
def test_nothing_waits_past_the_backstop(situation: Situation) -> None:
    """No window moves a renewal further; and it moves into a window, or to the last moment."""
    found = foreseen(situation)
    latest = backstop_of(situation) if situation.at < situation.not_after else situation.not_after
    assert found.due_at <= max(latest, START + pause_after(situation.lifetime)) + timedelta(seconds=1)
    if found.opening:
        last = min(backstop_of(situation), situation.window.end) if situation.window else backstop_of(situation)
        assert is_open(situation.maintenance, found.due_at) or found.due_at == last.replace(microsecond=0)


@given(situations(), st.floats(0, 1))
def test_every_look_gives_the_same_plan(situation: Situation, share: float) -> None:
    """From the first look until the renewal is due, whatever happened in between."""
    first = PLANNER.plan(situation, NEW)
    assert first.due_at is not None
    later = (situation.at + (first.due_at - situation.at) * share).replace(microsecond=0)
    assert later >= situation.at or first.due_at < situation.at
    again = PLANNER.plan(replace(situation, at=max(later, situation.at)), first)
    assert again == first


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)), st.integers(1, 9))  # noqa: DTZ001  # the next line says the zone
def test_a_plan_is_in_whole_seconds(at: datetime, failures: int) -> None:
    """The store cuts off what is less."""
    due_at = at.replace(tzinfo=UTC, microsecond=0)
    situation = a_situation(jitter=0.123456, maintenance=windows("Wed 00:00-24:00"))
    found = foreseen(situation, replace(NEW, due_at=due_at, failures=failures))
    assert (found.due_at.microsecond, found.deadline.microsecond) == (0, 0)
