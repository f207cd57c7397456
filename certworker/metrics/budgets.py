"""What is left of the rate budgets of issuers."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client.metrics_core import Metric as Family

from certworker.metrics import catalogue
from certworker.metrics.apart import Apart
from certworker.metrics.families import Telling
from certworker.vault.objects import fold_name
from certworker.vault.resilience.budget_levels import grouped, levels
from certworker.vault.resilience.budgets import LimitsOf
from certworker.vault.resilience.ports import SpentBucket
from certworker.vault.vaults import Issuer

ORDERS = "orders"
"""The budget of the account, for which renewals wait together."""


def budget_families(
    issuers: Iterable[tuple[str, Issuer]],
    apart: Apart,
    limits_of: LimitsOf,
    buckets: Iterable[SpentBucket],
    behind: Mapping[tuple[str, str], int],
    at: datetime,
) -> Iterable[Family]:
    """Tell the budgets of the issuers, each with its vault's name, that have series; `behind` is what waits for accounts."""
    limit, remaining, full = (
        Telling(metric) for metric in (catalogue.BUDGET_LIMIT, catalogue.BUDGET_REMAINING, catalogue.BUDGET_FULL)
    )
    used_up, waiting = Telling(catalogue.BUDGETS_USED_UP), Telling(catalogue.BUDGET_WAITING)
    spent = grouped(buckets)
    for vault, issuer in issuers:
        if not apart.has(vault, issuer.name):
            continue
        for level in levels(issuer, limits_of(issuer), spent, at):
            labels = (*apart.place(vault, issuer.name), level.setting)
            limit.add(labels, level.limit)
            remaining.add(labels, level.remaining)
            full.add_time(labels, level.full_at)
            used_up.add(labels, level.used_up)
            due = behind.get((issuer.vault_id, fold_name(issuer.name)), 0) if level.setting == ORDERS else 0
            waiting.add(labels, level.promised + due)
    return (told.family for told in (limit, remaining, full, used_up, waiting))
