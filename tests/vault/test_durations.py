"""Durations of ISO 8601: read as they are written, and counted in the calendar."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from certworker.errors import BadParameter
from certworker.vault.durations import Duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P90D", Duration(0, timedelta(days=90))),
        ("P3M", Duration(3)),
        ("P1Y6M", Duration(18)),
        ("P1Y10D", Duration(12, timedelta(days=10))),
        ("PT48H", Duration(0, timedelta(days=2))),
        ("PT3M", Duration(0, timedelta(minutes=3))),
        ("P2W", Duration(0, timedelta(days=14))),
        ("P1Y2M3DT4H5M6S", Duration(14, timedelta(days=3, hours=4, minutes=5, seconds=6))),
        ("P100Y", Duration(1200)),
    ],
)
def test_durations_are_read(text: str, duration: Duration) -> None:
    """M is months before the T, and minutes after it."""
    assert Duration.parse(text, "expiryTime") == duration


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1YT", "90D", "P90", "P-1D", "-P1D", "P1.5Y", "PT0.5H", "P1D2M", "P0D", "P101Y", "P1D ", "p1d", "P٣D"],
)
def test_what_is_none_is_refused(text: str) -> None:
    """The error names the field, and shows what a duration looks like."""
    with pytest.raises(BadParameter) as caught:
        Duration.parse(text, "attributes.expiryTime")
    assert caught.value.field == "attributes.expiryTime"
    assert str(caught.value).startswith("attributes.expiryTime is ")


@pytest.mark.parametrize(
    ("text", "begin", "end", "back"),
    [
        ("P1M", "2026-01-31", "2026-02-28", "2025-12-31"),
        ("P1Y", "2024-02-29", "2025-02-28", "2023-02-28"),
        ("P3M", "2026-03-31", "2026-06-30", "2025-12-31"),
        ("P90D", "2026-01-01", "2026-04-01", "2025-10-03"),
        ("P1Y6M1D", "2026-01-01", "2027-07-02", "2024-06-30"),
    ],
)
def test_they_are_counted_in_the_calendar(text: str, begin: str, end: str, back: str) -> None:
    """A month is a month, however many days it has; ahead and back."""
    duration, at = Duration.parse(text, "field"), datetime.fromisoformat(begin).replace(tzinfo=UTC)
    assert f"{duration.after(at):%Y-%m-%d}" == end
    assert f"{duration.before(at):%Y-%m-%d}" == back


@given(some.integers(0, 40), some.integers(0, 400), some.datetimes(datetime(1990, 1, 1), datetime(2300, 1, 1)))  # noqa: DTZ001
def test_about_is_about_right(months: int, days: int, begin: datetime) -> None:
    """Durations are compared by a length that is at most three days off."""
    duration, at = Duration(months, timedelta(days=days)), begin.replace(tzinfo=UTC)
    assert abs(duration.after(at) - at - duration.about) <= timedelta(days=3)
    assert abs(at - duration.before(at) - duration.about) <= timedelta(days=3)
