"""What is known of a CA's advice: one point of each window, kept; the next question in good time, and never too soon."""

from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.vault.issuance import Advice, NoAdvice
from certworker.vault.renewal.advice import (
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    USUAL_PAUSE,
    Known,
    after,
    back_off,
    draw,
    first_watch,
    moved_earlier,
    next_look,
    window_of,
)
from certworker.vault.renewal.situation import Window
from tests.support.clock import START

DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
EXPIRY = START + timedelta(days=47)
WINDOW = Advice(START + 30 * DAY, START + 32 * DAY, "https://ca.test/why", START + HOUR)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=START.tzinfo))  # noqa: DTZ001


def test_one_point_is_chosen_and_kept() -> None:
    """The same window, asked for a hundred times, keeps its point; another window gets another."""
    random, known = Random(7), Known("ca")
    known = after(known, WINDOW, random, START)
    first = known.window
    assert first is not None
    for hour in range(100):
        known = after(known, WINDOW, random, START + hour * HOUR)
        assert known.window == first
    moved = after(known, Advice(WINDOW.start - DAY, WINDOW.end), random, START + 101 * HOUR)
    assert moved.window is not None
    assert moved.window.point != first.point
    assert moved.explanation_url is None


@given(start=TIMES, length=st.timedeltas(timedelta(microseconds=1), timedelta(days=400)), seed=st.integers())
def test_a_point_lies_in_its_window(start: datetime, length: timedelta, seed: int) -> None:
    """Whatever the window, and whatever is drawn; in whole seconds where it has room for one."""
    window = draw(start, start + length, Random(seed))
    assert window.start <= window.point <= window.end
    if length >= 2 * SECOND:
        assert window.point.microsecond == 0 or window.point > window.end - SECOND


def test_points_are_uniform() -> None:
    """Of 10,000 certificates each tenth of the window gets its share."""
    random = Random(1)
    tenths = [0] * 10
    for _ in range(10_000):
        point = draw(WINDOW.start, WINDOW.end, random).point
        tenths[min(int((point - WINDOW.start) / (WINDOW.end - WINDOW.start) * 10), 9)] += 1
    assert min(tenths) > 900
    assert max(tenths) < 1100


def test_a_state_is_read_as_it_was_shown() -> None:
    """Whatever is known goes through the watch and back; about another version it says nothing."""
    known = after(Known("ca"), WINDOW, Random(1), START)
    assert Known.read(known.show()) == known
    failed = after(known, NoAdvice("No."), Random(1), START + HOUR)
    assert Known.read(failed.show()) == failed
    watch = first_watch("vault", "web", "1", "ca", START)
    assert Known.read(watch.state) == Known("ca")
    assert window_of(watch, "1") is None
    assert window_of(None, "1") is None


def test_a_window_stays_in_force_while_the_ca_is_silent() -> None:
    """Since when, how often and why is noted; only a CA that has no advice any more takes it away."""
    known = after(Known("ca"), WINDOW, Random(1), START)
    for hour in (1, 2):
        known = after(known, NoAdvice("The CA is down."), Random(1), START + hour * HOUR)
    assert known.window is not None
    assert (known.failures, known.since, known.last_error) == (2, START + HOUR, "The CA is down.")
    known = after(known, NoAdvice("Unknown.", passing=False), Random(1), START + 3 * HOUR)
    assert known.window is not None
    assert (known.failures, known.since, known.last_error) == (0, START + HOUR, "Unknown.")
    known = after(known, NoAdvice("None any more.", offered=False, passing=False), Random(1), START + 4 * HOUR)
    assert known.window is None
    again = after(known, WINDOW, Random(1), START + 5 * HOUR)
    assert (again.failures, again.since, again.last_error) == (0, None, None)


@pytest.mark.parametrize(
    ("answer", "failures", "pause"),
    [
        (WINDOW, 0, HOUR),
        (Advice(WINDOW.start, WINDOW.end), 0, USUAL_PAUSE),
        (Advice(WINDOW.start, WINDOW.end, retry_at=START), 0, SHORTEST_PAUSE),
        (Advice(WINDOW.start, WINDOW.end, retry_at=START + 7 * DAY), 0, LONGEST_PAUSE),
        (Advice(WINDOW.start, WINDOW.end, retry_at=START + HOUR + timedelta(milliseconds=1)), 0, HOUR + SECOND),
        (NoAdvice("Down."), 1, MINUTE),
        (NoAdvice("Down."), 4, 8 * MINUTE),
        (NoAdvice("Down."), 1000, USUAL_PAUSE),
        (NoAdvice("Slower.", retry_at=START + HOUR), 1, HOUR),
        (NoAdvice("Slower.", retry_at=START + 7 * DAY), 1, LONGEST_PAUSE),
        (NoAdvice("Slower.", retry_at=START), 3, 4 * MINUTE),
        (NoAdvice("Unknown.", passing=False), 0, USUAL_PAUSE),
        (NoAdvice("Unknown.", passing=False, retry_at=START + MINUTE), 0, USUAL_PAUSE),
        (NoAdvice("None.", offered=False, passing=False), 0, DAY),
    ],
)
def test_the_next_question_comes_in_good_time(answer: Advice | NoAdvice, failures: int, pause: timedelta) -> None:
    """When the CA says, between a minute and a day; with a back-off after failures; and never before it says."""
    assert next_look(answer, failures, START, EXPIRY) == START + pause


def test_nothing_is_asked_about_what_has_expired() -> None:
    """A question that would come after the end is not asked."""
    assert next_look(WINDOW, 0, EXPIRY - HOUR, EXPIRY) == EXPIRY - HOUR + MINUTE
    assert next_look(NoAdvice("Unknown.", passing=False), 0, EXPIRY - HOUR, EXPIRY) is None


def test_the_back_off_doubles_up_to_six_hours() -> None:
    """1, 2, 4 minutes and so on."""
    pauses = [back_off(failures) / MINUTE for failures in range(1, 12)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]


def test_a_window_that_is_pulled_in_is_told_from_one_that_is_put_off() -> None:
    """By its beginning or its end; a first window is neither."""
    window = Window(START + DAY, START + 3 * DAY, START + 2 * DAY)
    assert moved_earlier(window, Window(START, START + 3 * DAY, START + DAY))
    assert moved_earlier(window, Window(START + DAY, START + 2 * DAY, START + DAY))
    assert not moved_earlier(window, Window(START + 2 * DAY, START + 4 * DAY, START + 3 * DAY))
    assert not moved_earlier(None, window)
    assert not moved_earlier(window, None)
