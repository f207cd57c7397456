"""[renewal] and [maintenance.NAME]: what a renewal goes by beside its policy, and when it may happen."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from certworker.settings.section import Section

DAY: Final = timedelta(days=1)
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME: Final = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_WINDOW: Final = re.compile(rf"(?:([A-Za-z,-]+) )?{_TIME}-(?:{_TIME}|(24):(00))")
_PLACE: Final = re.compile(r"[^/\s]+/[^/\s]+")
_EXAMPLE: Final = "such as Mon-Fri 02:00-05:00"


class RenewalSettings(Section):
    """[renewal]: what is a reason to renew."""

    on_policy_change: Literal["keep", "renew"] = Field(
        "keep",
        description="keep or renew: whether a changed policy waits for the next version, as in Key Vault, or asks for it now",
    )


class MaintenanceSettings(Section):
    """[maintenance.NAME]: when renewals may begin. What is urgent does not wait: revoked, asked for, or near its end."""

    match: tuple[str, ...] = Field(
        (), validate_default=True, description="VAULT/NAME patterns of the certificates, with * and ?"
    )
    windows: tuple[str, ...] = Field(
        (), validate_default=True, description="DAYS HH:MM-HH:MM, such as Mon-Fri 02:00-05:00, or Sat,Sun 22:00-04:00"
    )
    time_zone: str = Field("UTC", description="time zone of the windows, by its name in the IANA database: Europe/Berlin")

    @field_validator("match")
    @classmethod
    def _check_match(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one VAULT/NAME is needed, such as main/*")
        for pattern in value:
            if not _PLACE.fullmatch(pattern):
                raise ValueError(f"{pattern!r} is not VAULT/NAME, such as main/*")
        return value

    @field_validator("windows")
    @classmethod
    def _check_windows(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError(f"at least one window is needed, {_EXAMPLE}")
        for text in value:
            read_window(text)
        return value

    @field_validator("time_zone")
    @classmethod
    def _check_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value[:80]!r} is no time zone; names read as Europe/Berlin") from None
        return value


@dataclass(frozen=True, slots=True)
class WeeklyWindow:
    """A span of the clock on some days of the week (0 is Monday). One that ends past midnight is of the day it begins on."""

    days: frozenset[int]
    begin: timedelta
    end: timedelta


def read_window(text: str) -> WeeklyWindow:
    """Read `Mon-Fri 02:00-05:00`; without days it is every day. Raises ValueError, which says what would be right."""
    found = _WINDOW.fullmatch(" ".join(text.split()))
    if not found:
        raise ValueError(f"{text[:80]!r} is not DAYS HH:MM-HH:MM, {_EXAMPLE}")
    days, *numbers = found.groups()
    begin_hour, begin_minute, hour, minute = (int(number) for number in numbers if number is not None)
    begin, end = timedelta(hours=begin_hour, minutes=begin_minute), timedelta(hours=hour, minutes=minute)
    if begin == end:
        raise ValueError(f"{text[:80]!r} ends when it begins; a whole day is 00:00-24:00")
    return WeeklyWindow(_read_days(days) if days else frozenset(range(7)), begin, end if end > begin else end + DAY)


def _read_days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = part.lower().partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise ValueError(f"{part[:20]!r} is no day: they are Mon, Tue, Wed, Thu, Fri, Sat and Sun, or Mon-Fri")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        days |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(days)
