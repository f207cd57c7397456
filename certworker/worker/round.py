"""What a round is: one kind of work, cut into claims, with its own way to know when there is something to do."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from time import monotonic
from typing import TypeVar

from certworker.clock import whole_second
from certworker.errors import CertworkerError, LeaseLost
from certworker.measures import Measure, Measures
from certworker.vault.store import Reader

MOST_A_ROUND = 100
"""A round is cut here, so that a long one starves nobody; the next follows at once."""

LONGEST_SECONDS = 60.0
"""And here as well: what each waits for somebody slow adds up."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Group(StrEnum):
    """Rounds of one group take turns in one thread; the groups run side by side and cannot keep each other waiting."""

    ISSUANCE = "issuance"
    WATCHING = "watching"
    NOTICES = "notices"
    UPKEEP = "upkeep"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Round:
    """One kind of work.

    `run` does what is due at a time, some of it at the most, and counts. It is called when `next_due` says so, a look at the
    plan; or, where there is no plan to look at, whenever `interval` has gone by. With both, whichever comes first.
    """

    name: str
    group: Group
    run: Callable[[datetime], int]
    next_due: Callable[[Reader], datetime | None] | None = None
    interval: timedelta | None = None


def each(claim: Callable[[], T | None], work: Callable[[T], None]) -> int:
    """Claim one thing after another and work on it, some at the most and not for too long; count."""
    count, begun = 0, monotonic()
    while count < MOST_A_ROUND and monotonic() - begun < LONGEST_SECONDS and (item := claim()) is not None:
        count += 1
        work(item)
    return count


def lost_by(measures: Measures, found: str) -> Callable[[], None]:
    """Give what counts a lease that a round has lost."""
    return partial(measures.count, Measure.LEASES_LOST, found)


def present(at: datetime, now: datetime) -> datetime:
    """Give the time of a claim: a round can take longer than a lease, and each lease runs from its own claim."""
    return max(at, whole_second(now))


def guarded(
    name: str, work: Callable[[], object], put_off: Callable[[str], None], lost: Callable[[], None] = lambda: None
) -> None:
    """Keep one broken object from stopping the round: what went wrong is logged, recorded, and tried again later.

    Where somebody else has taken it over meanwhile, `lost` is called.
    """
    try:
        _attempt(name, work, put_off)
    except LeaseLost as error:
        _log.info("%s: %s", name, error)
        lost()
    except CertworkerError as error:
        # not even the failure could be recorded: the lease runs out, and the work is taken up again
        _log.error("%s: %s", name, error)


def _attempt(name: str, work: Callable[[], object], put_off: Callable[[str], None]) -> None:
    try:
        work()
    except LeaseLost:
        raise
    except CertworkerError as error:
        _log.error("%s: %s", name, error)  # the message says it all
        put_off(str(error))
    except Exception as error:  # noqa: BLE001  # a provider is somebody else's code, and one certificate must not stop all
        # the text of a foreign exception may hold anything: only its kind and place are told
        _log.error("%s: unexpected %s at %s", name, type(error).__name__, _place(error))
        put_off(f"An unexpected {type(error).__name__} came up; the log tells where.")


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "an unknown place"
