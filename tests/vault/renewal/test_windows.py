"""Maintenance windows by the clock on the wall: nights, weekends, and the days on which the clock is put forward or back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from certworker.settings import MaintenanceSettings
from certworker.settings.renewal import read_window
from certworker.vault.renewal.windows import MaintenanceCalendar, MaintenanceWindow, Windows, is_open, next_opening, within

BERLIN = "Europe/Berlin"


def windows(*texts: str, zone: str = BERLIN) -> Windows:
    """Make windows of one time zone."""
    return tuple(MaintenanceWindow(read_window(text), ZoneInfo(zone)) for text in texts)


def utc(text: str) -> datetime:
    """Read a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "at", "opening"),
    [
        # 2026-01-01 is a Thursday; Berlin is an hour ahead in winter and two in summer
        ("Mon-Fri 02:00-05:00", "2026-01-01T00:00", "2026-01-01T01:00"),
        ("Mon-Fri 02:00-05:00", "2026-01-01T01:00", "2026-01-01T01:00"),
        ("Mon-Fri 02:00-05:00", "2026-01-01T03:59:59", "2026-01-01T03:59:59"),
        ("Mon-Fri 02:00-05:00", "2026-01-01T04:00", "2026-01-02T01:00"),
        ("Mon-Fri 02:00-05:00", "2026-01-02T04:00", "2026-01-05T01:00"),
        ("Mon-Fri 02:00-05:00", "2026-07-01T04:00", "2026-07-02T00:00"),
        ("Sat,Sun 00:00-24:00", "2026-01-01T12:00", "2026-01-02T23:00"),
        ("Sat,Sun 00:00-24:00", "2026-01-04T22:59:59", "2026-01-04T22:59:59"),
        ("Sat,Sun 00:00-24:00", "2026-01-04T23:00", "2026-01-09T23:00"),
        # over midnight it is of the day that it begins on
        ("Fri 22:00-04:00", "2026-01-01T21:30", "2026-01-02T21:00"),
        ("Fri 22:00-04:00", "2026-01-03T02:59", "2026-01-03T02:59"),
        ("Fri 22:00-04:00", "2026-01-03T03:00", "2026-01-09T21:00"),
        ("Sun 23:00-01:00", "2026-01-04T23:30", "2026-01-04T23:30"),
        ("Fri-Mon 02:00-03:00", "2026-01-06T12:00", "2026-01-09T01:00"),
        ("02:00-03:00", "2026-01-06T12:00", "2026-01-07T01:00"),
        # 2026-03-29 02:00 becomes 03:00: what is left of a window is kept, and of the hour itself nothing is
        ("Sun 02:00-05:00", "2026-03-28T12:00", "2026-03-29T01:00"),
        ("Sun 02:30-03:30", "2026-03-28T12:00", "2026-03-29T01:00"),
        ("Sun 02:00-03:00", "2026-03-28T12:00", "2026-04-05T00:00"),
        ("Sun 03:00-04:00", "2026-03-28T12:00", "2026-03-29T01:00"),
        # 2026-10-25 03:00 becomes 02:00: the hour is there twice
        ("Sun 02:30-02:45", "2026-10-24T12:00", "2026-10-25T00:30"),
        ("Sun 02:30-02:45", "2026-10-25T00:45", "2026-10-25T01:30"),
        ("Sun 02:30-04:00", "2026-10-25T01:00", "2026-10-25T01:30"),
        ("Sat 23:00-02:30", "2026-10-25T00:30", "2026-10-25T01:00"),
    ],
)
def test_the_next_opening(window: str, at: str, opening: str) -> None:
    """Not before the time of the look, and by the clock on the wall."""
    assert next_opening(windows(window), utc(at)) == utc(opening)


def test_the_earliest_of_several_windows_counts() -> None:
    """Each in its own time zone."""
    both = windows("Mon 02:00-03:00") + windows("Fri 20:00-21:00", zone="America/New_York")
    assert next_opening(both, utc("2026-01-01T00:00")) == utc("2026-01-03T01:00")
    assert next_opening(both, utc("2026-01-03T02:00")) == utc("2026-01-05T01:00")


def test_what_waits_for_a_window_does_not_all_go_at_once() -> None:
    """It is spread over the first half; what falls into the window stays where it is."""
    night, due = windows("Thu 02:00-06:00"), utc("2026-01-01T00:00")
    moved = [within(night, due, due, share) for share in (0, 0.5, 0.999)]
    assert moved == [utc("2026-01-01T01:00"), utc("2026-01-01T02:00"), utc("2026-01-01T02:59:52")]
    inside = utc("2026-01-01T04:30")
    assert within(night, inside, inside, 0.5) == inside
    assert within((), due, due, 0.5) == due


def test_a_window_that_went_by_is_followed_by_the_next() -> None:
    """While it is open, what was moved into it stays due; afterwards it is moved again."""
    night, due = windows("Thu 02:00-06:00"), utc("2026-01-01T00:00")
    first = utc("2026-01-01T02:00")
    for look in ("2026-01-01T00:00", "2026-01-01T01:59", "2026-01-01T04:59"):
        assert within(night, due, utc(look), 0.5) == first
    second = utc("2026-01-08T02:00")
    for look in ("2026-01-01T05:00", "2026-01-08T01:00", "2026-01-08T01:59", "2026-01-08T04:59"):
        assert within(night, due, utc(look), 0.5) == second


def test_windows_without_a_break_are_one() -> None:
    """What was due in the first is not put off in the second; where they never close, what is overdue is due."""
    both, due = windows("Thu 02:00-24:00") + windows("Fri 00:00-12:00"), utc("2026-01-01T00:00")
    for look in ("2026-01-02T00:00", "2026-01-02T10:59"):
        assert within(both, due, utc(look), 0.5) == utc("2026-01-01T06:30")
        assert within(both, due - timedelta(days=7), utc(look), 0.5) == utc("2026-01-01T06:30")
    always = windows("Mon-Sun 00:00-24:00")
    assert within(always, due, utc("2026-03-01T00:00"), 0.5) == due


TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001  # the next step says the zone
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
TEXTS = st.builds(
    "{} {:02}:{:02}-{:02}:59".format,
    st.sampled_from(["Mon", "Sat,Sun", "Mon-Sun", "Fri-Tue"]),
    st.integers(0, 23),
    st.integers(0, 58),
    st.integers(0, 23),
)
ZONES = st.sampled_from([BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"])


@given(TEXTS, ZONES, TIMES)
def test_an_opening_is_open_and_nothing_before_it_is(text: str, zone: str, at: datetime) -> None:
    """Looked at minute by minute."""
    found = next_opening(windows(text, zone=zone), at)
    assert found is not None
    assert found >= at
    assert is_open(windows(text, zone=zone), found)
    step = max((found - at) / 50, timedelta(seconds=1))
    looks = [at + step * number for number in range(50) if at + step * number < found]
    assert not any(is_open(windows(text, zone=zone), look) for look in looks)


@given(TEXTS, ZONES, TIMES, st.timedeltas(timedelta(0), timedelta(days=9)), st.floats(0, 1, exclude_max=True))
@example("Mon-Sun 00:00-15:59", BERLIN, utc("2026-04-01T14:14"), timedelta(days=1, seconds=25563), 0.25)
def test_every_look_gives_the_same_answer(text: str, zone: str, due: datetime, later: timedelta, share: float) -> None:
    """Until the window that it was moved to has gone by, and then until the next one has; it is always in one."""
    own = windows(text, zone=zone)
    look = (due + later).replace(microsecond=0)
    moved, again = within(own, due, due, share), within(own, due, look, share)
    assert is_open(own, moved)
    assert moved >= due
    assert again == moved or (moved <= look and moved < again and is_open(own, again))
    between = look + (again - look) * share
    assert again <= look or within(own, due, between, share) == again


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "DAYS HH:MM-HH:MM"),
        ("Mon 2:00-3:00", "DAYS HH:MM-HH:MM"),
        ("Mon 24:00-25:00", "DAYS HH:MM-HH:MM"),
        ("Mon 02:00-24:30", "DAYS HH:MM-HH:MM"),
        ("Mon 02:00-02:00", "a whole day is 00:00-24:00"),
        ("Mo 02:00-03:00", "'Mo' is no day"),
        ("Mon,,Tue 02:00-03:00", "is no day"),
        ("Mon-Fri-Sun 02:00-03:00", "is no day"),
    ],
)
def test_what_is_no_window_is_refused(text: str, says: str) -> None:
    """The error says what would be right."""
    with pytest.raises(ValueError, match=says):
        read_window(text)


def test_a_certificate_has_the_windows_that_its_place_matches() -> None:
    """Whatever the case; those of all entries that match, and none where none does."""
    calendar = MaintenanceCalendar(
        {
            "shop": MaintenanceSettings(match=("main/shop-*", "other/web"), windows=("Mon 02:00-03:00",)),
            "all": MaintenanceSettings(match=("MAIN/*",), windows=("Tue 02:00-03:00", "Wed 02:00-03:00")),
        }
    )
    count = {
        place: len(calendar.windows_of(*place.split("/"))) for place in ("Main/Shop-1", "main/web", "other/WEB", "x/shop-1")
    }
    assert count == {"Main/Shop-1": 3, "main/web": 2, "other/WEB": 1, "x/shop-1": 0}
    assert not calendar.is_empty
    assert MaintenanceCalendar({}).is_empty
