"""Rates, as settings tell them: so many in a time, "300/3h"."""

import re
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final

_TEXT: Final = re.compile(r"([1-9][0-9]{0,8}) ?/ ?([1-9][0-9]{0,5}) ?([smhd])")
_UNITS: Final = MappingProxyType({"s": "seconds", "m": "minutes", "h": "hours", "d": "days"})


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a time. All of them may come at once; after that one comes back each `interval`."""

    most: int
    period: timedelta

    @property
    def interval(self) -> timedelta:
        """How long one takes to come back, a microsecond at the least."""
        # rounded up, not all of them could come at once
        return max(self.period // self.most, timedelta.resolution)

    @property
    def slack(self) -> timedelta:
        """How far ahead of its steady pace what comes at once may be."""
        return self.period - self.interval


def read_rate(text: str) -> Rate | None:
    """Read a rate; none of an empty text. Raises ValueError."""
    if not text:
        return None
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not NUMBER/TIME with a time in s, m, h or d, such as 300/3h")
    most, length, unit = found.groups()
    return Rate(int(most), timedelta(**{_UNITS[unit]: int(length)}))
