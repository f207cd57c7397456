"""A simulation in several processes: each plays the scenario with its part of the fleet, a vault and a CA of its own."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from time import monotonic

from certworker.simulate.findings import Findings, Spent
from certworker.simulate.run import Plan, Tell, simulate


def simulate_in(processes: int, plan: Plan, tell: Tell, begin: Callable[[], None] | None = None) -> Findings:
    """Play a plan in so many processes, and put together what they found. `tell` is told of the first alone.

    Each of the others begins with `begin`.
    """
    parts = [replace(plan, certificates=count, seed=plan.seed + number) for number, count in enumerate(_parts(plan, processes))]
    if len(parts) == 1:
        return simulate(plan, tell)
    begun = monotonic()
    with ProcessPoolExecutor(len(parts) - 1, get_context("spawn"), begin) as pool:
        others = [pool.submit(simulate, part) for part in parts[1:]]
        found = [simulate(parts[0], tell), *(other.result() for other in others)]
    return _together(found, monotonic() - begun)


def _parts(plan: Plan, processes: int) -> list[int]:
    each, more = divmod(plan.certificates, min(processes, plan.certificates))
    return [each + (number < more) for number in range(min(processes, plan.certificates))]


def _together(found: Sequence[Findings], seconds: float) -> Findings:
    """Add up what several fleets have gone through."""
    whole = Findings()
    for part in found:
        whole.certificates += part.certificates
        whole.without_version += part.without_version
        whole.lapses += part.lapses
        whole.renewals += part.renewals
        whole.issued += part.issued
        whole.revoked += part.revoked
        whole.duplicate_orders += part.duplicate_orders
        whole.lost_keys += part.lost_keys
        whole.half_versions += part.half_versions
        whole.notices += part.notices
        whole.notices_lost += part.notices_lost
        whole.notices_doubled += part.notices_doubled
        for day, margins in part.margins.items():
            whole.margins.setdefault(day, []).extend(margins)
    whole.renewals_by_day = sum((part.renewals_by_day for part in found), Counter())
    whole.calls = sum((Counter(part.calls) for part in found), Counter[str]())
    whole.calls_by_day = sum((Counter(part.calls_by_day) for part in found), Counter[int]())
    whole.attempts = sum((Counter(part.attempts) for part in found), Counter[str]())
    whole.notices_by_topic = sum((Counter(part.notices_by_topic) for part in found), Counter[str]())
    whole.notices_by_day = sum((Counter(part.notices_by_day) for part in found), Counter[int]())
    whole.spent = Spent(
        seconds,
        sum(part.spent.cpu_seconds for part in found),
        sum(part.spent.steps for part in found),
        sum(part.spent.failed_rounds for part in found),
    )
    return whole
