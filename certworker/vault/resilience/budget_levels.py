"""How budgets stand at a time: how much is left, and when all of it is there again. Time alone fills them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor
from types import MappingProxyType

from certworker.settings.rates import Rate
from certworker.vault.resilience.budgets import ACCOUNT, DOMAIN, SET, Limits, account_of, owner_of, pace_of
from certworker.vault.resilience.memory import ca_of
from certworker.vault.resilience.ports import ROUNDING_SECONDS, SpentBucket
from certworker.vault.vaults import Issuer

_Group = tuple[str, str, str]
"""A kind of bucket, whose they are, and their pace."""
Spent = Mapping[_Group, tuple[float, ...]]
"""When those that are not full will be, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class BudgetLevel:
    """How one of an issuer's budgets stands. `setting` is what it is called in [issuers.NAME].

    Of those for single domains and sets of names it is the one with the least that is told; `used_up` are those with nothing
    left. `promised` were taken ahead of time, in all of them, for what somebody asked for. `full_at` is none where it is full.
    """

    setting: str
    limit: int
    remaining: int
    promised: int
    used_up: int
    full_at: datetime | None


def grouped(buckets: Iterable[SpentBucket]) -> Spent:
    """Put together what is of the same account or CA."""
    groups: dict[_Group, list[float]] = defaultdict(list)
    for kind, key, full_at in buckets:
        groups[kind, *owner_of(kind, key)].append(full_at)
    return MappingProxyType({group: tuple(times) for group, times in groups.items()})


def levels(issuer: Issuer, limits: Limits, spent: Spent, at: datetime) -> Iterator[BudgetLevel]:
    """Tell how the budgets of an issuer stand that have a limit."""
    ca = ca_of(issuer)
    for setting, rate, kind, owner in (
        ("orders", limits.orders, ACCOUNT, account_of(issuer)),
        ("certificates_per_domain", limits.certificates_per_domain, DOMAIN, ca),
        ("certificates_per_set", limits.certificates_per_set, SET, ca),
    ):
        if rate:
            yield _level(setting, rate, spent.get((kind, owner, pace_of(rate)), ()), at)


def _level(setting: str, rate: Rate, full: tuple[float, ...], at: datetime) -> BudgetLevel:
    interval, empty = rate.interval.total_seconds(), at.timestamp() + rate.period.total_seconds()
    left = [floor((empty - time + ROUNDING_SECONDS) / interval) for time in full]
    return BudgetLevel(
        setting=setting,
        limit=rate.most,
        remaining=min(max(0, min(left, default=rate.most)), rate.most),
        promised=sum(-tokens for tokens in left if tokens < 0),
        used_up=sum(tokens < 1 for tokens in left),
        full_at=datetime.fromtimestamp(max(full), UTC) if full else None,
    )
