"""When a token of others holds."""

from datetime import datetime, timedelta
from typing import Final

from certworker.crypto.foreign_tokens import Claims
from certworker.errors import Unauthenticated

_LATEST: Final = 1e12
"""No time is later, in Unix seconds; nor is what JSON has for no number and for infinity, which some read."""


def check_span(claims: Claims, at: datetime, skew: timedelta, longest: timedelta) -> None:
    """Refuse a foreign token outside its time, or one that holds for too long. Raises Unauthenticated."""
    now = at.timestamp()
    end, begin = _time(claims.get("exp")), _time(claims.get("nbf", claims.get("iat", now)))
    if now >= end + skew.total_seconds():
        raise Unauthenticated("The token has expired.")
    if now < begin - skew.total_seconds():
        raise Unauthenticated("The token is not valid yet.")
    if end - min(begin, now) > longest.total_seconds() + skew.total_seconds():
        raise Unauthenticated(f"The token holds for longer than {longest.total_seconds():.0f} seconds.")


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LATEST:
        raise Unauthenticated("The token does not say when it expires.")
    return float(value)
