"""Maintenance windows: when renewals may begin, by a clock on the wall. Pure functions.

A window is open while the clock on the wall shows a time in it. So an hour that the clock goes through twice counts twice,
and of one that it leaps over nothing is left.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final
from zoneinfo import ZoneInfo

from certworker.clock import whole_second
from certworker.settings.renewal import DAY, MaintenanceSettings, WeeklyWindow, read_window

HORIZON: Final = 15
"""Days looked ahead, or back. A weekly window may fall into an hour that is leapt over, and is there again a week later."""
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """A weekly window in its time zone."""

    weekly: WeeklyWindow
    zone: ZoneInfo


Windows = tuple[MaintenanceWindow, ...]
"""Where there are none, renewals begin at any time."""


class MaintenanceCalendar:
    """Which windows are a certificate's."""

    def __init__(self, settings: Mapping[str, MaintenanceSettings]) -> None:
        self._entries = tuple(
            (
                tuple(pattern.casefold() for pattern in entry.match),
                tuple(MaintenanceWindow(read_window(text), ZoneInfo(entry.time_zone)) for text in entry.windows),
            )
            for entry in settings.values()
        )

    @property
    def is_empty(self) -> bool:
        """Whether there are no windows at all."""
        return not self._entries

    def windows_of(self, vault_name: str, name: str) -> Windows:
        """Find the windows of a certificate: those of every entry that its VAULT/NAME matches."""
        place = f"{vault_name}/{name}".casefold()
        return tuple(
            window
            for patterns, windows in self._entries
            if any(fnmatchcase(place, pattern) for pattern in patterns)
            for window in windows
        )


def is_open(windows: Windows, at: datetime) -> bool:
    """Tell whether one of the windows is open."""
    return any(_shows(window, at) for window in windows)


def next_opening(windows: Windows, at: datetime) -> datetime | None:
    """Tell from when on, not before `at`, one of the windows is open; none where none opens within the horizon."""
    if is_open(windows, at):
        return at
    beginnings = (begin for window in windows for begin in _beginnings(window, at))
    return min((begin for begin in beginnings if begin > at and is_open(windows, begin)), default=None)


def within(windows: Windows, due_at: datetime, at: datetime, share: float) -> datetime:
    """Move what is due into a window, as it looks at `at`: to a `share` in [0, 1) of its first half, lest all be at once.

    What falls into a window stays. Where the one that it was moved to went by, it is the one that is open, or the next; where
    none opens, it stays.
    """
    if not windows:
        return due_at
    moved = _moved(windows, due_at, share)
    if moved > at:
        return moved
    if not is_open(windows, at):
        return _moved(windows, at, share)
    opened = _opened(windows, at)
    return moved if opened is None or opened <= moved else _spread(windows, opened, share)


def _moved(windows: Windows, due_at: datetime, share: float) -> datetime:
    opening = next_opening(windows, due_at)
    return due_at if opening is None or opening == due_at else _spread(windows, opening, share)


def _spread(windows: Windows, opening: datetime, share: float) -> datetime:
    length = max(window.weekly.end - window.weekly.begin for window in windows if _shows(window, opening))
    spread = whole_second(opening + length / 2 * share)
    return spread if is_open(windows, spread) else opening


def _opened(windows: Windows, at: datetime) -> datetime | None:
    """Tell since when they have been open without a break; none where that is longer than the horizon."""
    # so that the last day is that of `at`, even where the clock was put forward since
    past = at - (HORIZON - 2) * DAY
    beginnings = (begin for window in windows for begin in _beginnings(window, past))
    fresh = (begin for begin in beginnings if begin <= at and not is_open(windows, begin - _INSTANT))
    return max((begin for begin in fresh if is_open(windows, begin)), default=None)


def _shows(window: MaintenanceWindow, at: datetime) -> bool:
    local = at.astimezone(window.zone)
    clock = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    weekly, day = window.weekly, local.weekday()
    today = day in weekly.days and weekly.begin <= clock < weekly.end
    return today or ((day - 1) % 7 in weekly.days and clock + DAY < weekly.end)


def _beginnings(window: MaintenanceWindow, at: datetime) -> Iterator[datetime]:
    """List when the window can begin to be open, in the days to come."""
    midnight = at.astimezone(window.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for number in range(-1, HORIZON):
        day = midnight + number * DAY
        if day.weekday() in window.weekly.days:
            yield from _instants(day + window.weekly.begin, window.zone)
        # where the clock goes back, or leaps into a window, that is a beginning too
        change = _change(day, window.zone)
        if change:
            yield change


def _instants(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Tell when the clock on the wall shows a time: most often once, so that both are the same."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second


def _change(day: datetime, zone: ZoneInfo) -> datetime | None:
    """Find the moment of a day at which the clock is put forward or back."""
    begin, end = (local.replace(tzinfo=zone).astimezone(UTC) for local in (day, day + DAY))
    before = _offset(begin, zone)
    if _offset(end, zone) == before:
        return None
    while end - begin > timedelta(seconds=1):
        middle = whole_second(begin + (end - begin) / 2)
        begin, end = (middle, end) if _offset(middle, zone) == before else (begin, middle)
    return end


def _offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
