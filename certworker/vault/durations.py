"""Durations of ISO 8601, counted in the calendar: P90D, P3M, P1Y6M, PT48H."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from certworker.errors import BadParameter
from certworker.vault.lifetime import add_months

_DURATION: Final = re.compile(
    r"P(?=\d|T\d)(?:(?P<years>\d{1,5})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,5})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,7})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,10})S)?)?"
)
_MONTH: Final = timedelta(days=30, seconds=37746)
"""On average, in the Gregorian calendar: 30.436875 days."""
_LONGEST: Final = timedelta(days=36525)


@dataclass(frozen=True, slots=True)
class Duration:
    """Calendar months, and the rest."""

    months: int = 0
    rest: timedelta = timedelta(0)

    @classmethod
    def parse(cls, text: str, field: str) -> Self:
        """Read a duration. Raises BadParameter for what is none, for no time at all, for fractions, and over 100 years."""
        found = _DURATION.fullmatch(text) if text.isascii() else None
        if found is None:
            raise BadParameter(
                f"{field} is no duration of ISO 8601 in whole numbers, such as P90D, P3M, P1Y6M or PT48H.", field
            )
        parts = {name: int(number) for name, number in found.groupdict().items() if number}
        duration = cls(
            12 * parts.pop("years", 0) + parts.pop("months", 0),
            timedelta(**parts),
        )
        if not timedelta(0) < duration.about <= _LONGEST:
            raise BadParameter(f"{field} is a duration of more than nothing, and of 100 years at the most.", field)
        return duration

    @property
    def about(self) -> timedelta:
        """How long it is, with months of the average length; to compare durations by."""
        return self.months * _MONTH + self.rest

    def after(self, at: datetime) -> datetime:
        """Go so far ahead. The last day of a month stays the last where the day does not exist."""
        return add_months(at, self.months) + self.rest

    def before(self, at: datetime) -> datetime:
        """Go so far back, likewise."""
        return add_months(at, -self.months) - self.rest
