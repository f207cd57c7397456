"""What is counted of exchanges over HTTP: what became of them, and whose clock tells another time."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore
import httpx

from certworker.measures import Errand, Measure, Purpose, current_errand
from certworker.network.egress import EgressRefused

_TOO_MANY: Final = 429
_WITHIN_A_SECOND: Final = timedelta(seconds=0.5)
"""A Date header has whole seconds: the time that it was written at is half a second later, give or take as much."""
_KINDS: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (EgressRefused, "refused"),
    ((TimeoutError, httpcore.TimeoutException, httpx.TimeoutException), "timeout"),
    (ssl.SSLError, "tls"),
    ((socket.gaierror, UnicodeError), "dns"),
    (ConnectionRefusedError, "refused"),
)


def count_answer(response: httpx.Response, seconds: float) -> None:
    """Count an exchange that was answered, where somebody counts; hold the clock of a CA against ours."""
    errand = current_errand()
    if errand is None:
        return
    _count(errand, f"{response.status_code // 100}xx", seconds)
    if response.status_code == _TOO_MANY and errand.issuer and errand.purpose is not Purpose.ISSUANCE:
        # an issuance counts it by itself: its CA has other words for it as well
        errand.measures.count(Measure.CA_RATE_LIMITED, errand.issuer)
    if errand.issuer and errand.clock and (skew := _skew(errand.clock(), timedelta(seconds=seconds), response)) is not None:
        errand.measures.set(Measure.CLOCK_SKEW, skew.total_seconds(), errand.issuer)


def count_failure(error: BaseException, seconds: float) -> None:
    """Count an exchange that came to nothing, where somebody counts."""
    if errand := current_errand():
        kinds = (word for cause in _causes(error) for kind, word in _KINDS if isinstance(cause, kind))
        _count(errand, next(kinds, "error"), seconds)


def skew_of(own: datetime, other: datetime, uncertain: timedelta) -> timedelta:
    """Tell by how much our clock is ahead of another for certain, where it may be as much more or less as is uncertain."""
    ahead = own - other
    if ahead > uncertain:
        return ahead - uncertain
    return ahead + uncertain if -ahead > uncertain else timedelta(0)


def _count(errand: Errand, result: str, seconds: float) -> None:
    errand.measures.count(Measure.CA_REQUESTS, errand.purpose.value, errand.issuer, result)
    errand.measures.time(Measure.CA_SECONDS, seconds, errand.purpose.value, errand.issuer)


def _skew(now: datetime, took: timedelta, response: httpx.Response) -> timedelta | None:
    """Read the other's clock, in the middle of the exchange; none where it does not tell, or a cache answered."""
    written = response.headers.get("date")
    if not written or "age" in response.headers:
        return None
    try:
        at = parsedate_to_datetime(written)
    except ValueError:
        return None
    other = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return skew_of(now - took / 2, other + _WITHIN_A_SECOND, took / 2 + _WITHIN_A_SECOND)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
