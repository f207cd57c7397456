"""When a failed attempt is made again, and the calendar of validity."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.vault.lifetime import BACK_DATE, add_months, next_attempt, self_signed_validity
from tests.support.clock import START

DAY = timedelta(days=1)


@pytest.mark.parametrize(("failures", "minutes"), [(1, 1), (2, 10), (3, 100), (4, 1440), (5, 1440), (1000, 1440)])
def test_attempts_back_off(failures: int, minutes: int) -> None:
    """One, ten, a hundred minutes, then a day; forever, if it must be."""
    for not_after in (None, START + 1000 * DAY):
        assert next_attempt(failures, START, not_after) == START + timedelta(minutes=minutes)


def test_what_has_expired_is_tried_again_soon() -> None:
    """A service is down without it: half an hour is the most, unless somebody has to set it right first."""
    minutes = [(next_attempt(failures, START, START - DAY) - START) / timedelta(minutes=1) for failures in (1, 2, 3, 9)]
    assert minutes == [1, 10, 30, 30]
    assert next_attempt(9, START, START, configuration=True) == START + DAY


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
