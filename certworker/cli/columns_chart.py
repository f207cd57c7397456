"""A chart of columns, one for each day, made of blocks; or of plain signs where the encoding has no others."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

HEIGHT: Final = 4
COLUMN_WIDTH: Final = 2
DAYS_IN_A_WEEK: Final = 7
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_PLAIN: Final = " ...:::##"


def columns(values: Sequence[int], *, ascii_only: bool = False, height: int = HEIGHT) -> tuple[str, ...]:
    """Draw the values as columns, the highest line first. What is not zero is seen, however small it is beside the others."""
    signs, most = _PLAIN if ascii_only else _EIGHTHS, max(values, default=0)
    steps = len(signs) - 1
    heights = [max(round(value / most * height * steps), 1) if value else 0 for value in values]
    lines = []
    for below in range(height - 1, -1, -1):
        filled = (signs[min(max(reached - below * steps, 0), steps)] for reached in heights)
        lines.append("".join(sign.ljust(COLUMN_WIDTH) for sign in filled))
    return tuple(line.rstrip() for line in lines)


def axis(first: date, days: int, *, ascii_only: bool = False) -> tuple[str, str]:
    """Draw the line below the columns with a mark at each week from the first day on, and the dates of these below it."""
    mark, dash = ("+", "-") if ascii_only else ("┴", "─")
    marks = (mark if day % DAYS_IN_A_WEEK == 0 else dash for day in range(days))
    width, dates = days * COLUMN_WIDTH, ""
    for week in range(0, days, DAYS_IN_A_WEEK):
        text = "today" if week == 0 else f"{first + timedelta(days=week):%d %b}"
        if week * COLUMN_WIDTH + len(text) <= width:
            dates = dates.ljust(week * COLUMN_WIDTH) + text
    return "".join(sign.ljust(COLUMN_WIDTH, dash) for sign in marks), dates
