"""What is told of budgets is what a renewal would meet: tokens come back with time, and what waits is seen."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.settings import IssuerSettings
from certworker.settings.rates import Rate
from certworker.vault.resilience.budget_levels import BudgetLevel, grouped, levels
from certworker.vault.resilience.budgets import Budgets, Limits
from certworker.vault.store import Store
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for
from tests.support.records import an_issuer
from tests.support.scraping import Labels, of, scrape

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
LIMITS = Limits(Rate(3, 3 * HOUR), Rate(5, 5 * DAY), Rate(2, 2 * DAY))
ACCOUNT, DOMAIN, SET = ("orders", "certificates_per_domain", "certificates_per_set")


def told(deployment: Deployment, name: str) -> dict[Labels, float]:
    """Scrape one of the metrics of budgets."""
    return scrape(deployment).get(f"certworker_issuer_budget{name}", {})


def labels(budget: str) -> Labels:
    """Name a budget of the deployment's issuer."""
    return of(vault="contoso", issuer=ISSUER, budget=budget)


def standing(store: Store, at: datetime) -> dict[str, BudgetLevel]:
    """Tell how the budgets of an issuer stand."""
    with store.reading() as reader:
        return {level.setting: level for level in levels(an_issuer(), LIMITS, grouped(reader.spent_buckets(at)), at)}


def test_nobody_has_asked_yet(tmp_path: Path, clock: FakeClock) -> None:
    """Where there is a limit, all of it is there, and of what is full no time is told; without a limit nothing is."""
    with open_deployment(tmp_path, clock, issuers={ISSUER: IssuerSettings(orders="300/3h")}) as deployment:
        assert told(deployment, "_limit") == told(deployment, "_remaining") == {labels(ACCOUNT): 300}
        assert told(deployment, "s_used_up") == told(deployment, "_waiting") == {labels(ACCOUNT): 0}
        assert told(deployment, "_full_timestamp_seconds") == {}


def test_what_renewals_wait_for_is_told(tmp_path: Path, clock: FakeClock) -> None:
    """Three ask an account that may two in a hundred days: time brings a token back, one goes, and two wait for the next."""
    with open_deployment(tmp_path, clock, issuers={ISSUER: IssuerSettings(orders="3/150d")}) as deployment:
        for name in ("one", "two", "three"):
            deployment.create(name, policy_for(f"{name}.test"))
        deployment.work()
        assert told(deployment, "_remaining") == {labels(ACCOUNT): 0}
        assert told(deployment, "_full_timestamp_seconds") == {labels(ACCOUNT): (START + 150 * DAY).timestamp()}
        clock.set(START + 50 * DAY - SECOND)
        assert told(deployment, "_remaining") == {labels(ACCOUNT): 0}
        clock.set(START + 50 * DAY)
        assert told(deployment, "_remaining") == {labels(ACCOUNT): 1}
        clock.set(START + 70 * DAY)
        deployment.work()
        assert (told(deployment, "_remaining"), told(deployment, "s_used_up")) == ({labels(ACCOUNT): 0}, {labels(ACCOUNT): 1})
        assert told(deployment, "_waiting") == {labels(ACCOUNT): 2}
        clock.set(START + 100 * DAY)
        deployment.work()
        assert told(deployment, "_waiting") == {labels(ACCOUNT): 1}


def test_what_was_asked_for_ahead_of_time_waits(tmp_path: Path, clock: FakeClock) -> None:
    """What a person asks for takes tokens that are to come: none is left, and fewer than none is not told."""
    with open_deployment(tmp_path, clock, issuers={ISSUER: IssuerSettings(orders="2/2h")}) as deployment:
        for number in range(5):
            deployment.create(f"web-{number}", policy_for(f"web-{number}.test"))
        assert (told(deployment, "_remaining"), told(deployment, "_waiting")) == ({labels(ACCOUNT): 0}, {labels(ACCOUNT): 3})
        clock.advance(HOUR)
        assert told(deployment, "_waiting") == {labels(ACCOUNT): 2}
        clock.advance(4 * HOUR)
        assert (told(deployment, "_remaining"), told(deployment, "_waiting")) == ({labels(ACCOUNT): 2}, {labels(ACCOUNT): 0})


def test_of_many_domains_the_one_with_the_least_is_told(tmp_path: Path, clock: FakeClock) -> None:
    """And how many have nothing left; another issuer's account at another CA is another budget, the same CA's is not."""
    with open_deployment(tmp_path, clock) as deployment:
        store, budgets = deployment.house.store, Budgets(lambda _: LIMITS)
        asked = [("a.example.com",), ("b.example.com", "example.org"), ("a.example.com",)]
        other = an_issuer("Elsewhere", account_id="https://other/directory")
        neighbour = an_issuer("Neighbour", vault_id="another-vault")
        for issuer, sets in ((an_issuer(), asked), (other, asked * 2), (neighbour, [("c.example.com",)])):
            for names in sets:
                with store.writing() as writer:
                    for budget in budgets.budgets(issuer, names):
                        writer.reserve(budget.bucket, budget.rate, START)
        found = standing(store, START)
        assert found[ACCOUNT] == BudgetLevel(ACCOUNT, 3, 0, 0, 1, START + 3 * HOUR)
        assert found[DOMAIN] == BudgetLevel(DOMAIN, 5, 1, 0, 0, START + 4 * DAY)
        assert found[SET] == BudgetLevel(SET, 2, 0, 0, 1, START + 2 * DAY)
        later = standing(store, START + 2 * DAY)
        assert [(level.remaining, level.full_at) for level in later.values()] == [(3, None), (3, START + 4 * DAY), (2, None)]


@pytest.mark.parametrize(
    "rate", [Rate(7, HOUR), Rate(30, 3 * HOUR), Rate(50, 7 * DAY), Rate(5, 7 * DAY), Rate(99, DAY), Rate(1000, DAY)]
)
def test_what_is_told_is_what_can_be_spent(tmp_path: Path, clock: FakeClock, rate: Rate) -> None:
    """At any time, exactly as many tokens are taken as are told, whatever the fractions of seconds come to."""
    limits, issuer = Limits(orders=rate), an_issuer()
    with open_deployment(tmp_path, clock) as deployment, deployment.house.store.writing() as writer:
        (budget,) = Budgets(lambda _: limits).budgets(issuer, ())
        at = START
        for step in range(6):
            (level,) = levels(issuer, limits, grouped(writer.spent_buckets(at)), at)
            taken = 0
            while writer.spend(budget.bucket, rate, at):
                taken += 1
            assert taken == level.remaining
            assert level.remaining or step
            at += rate.interval * step + SECOND / 3


def test_a_rate_of_millions_is_told_as_well() -> None:
    """A token takes some time to come back, however little: another process's clock may be ahead of this one's."""
    rate, issuer = Rate(2_000_000, SECOND), an_issuer()
    (budget,) = Budgets(lambda _: Limits(orders=rate)).budgets(issuer, ())
    spent = grouped([(budget.bucket.kind, budget.bucket.key, START.timestamp() + 0.5)])
    assert [level.used_up for level in levels(issuer, Limits(orders=rate), spent, START)] == [0]
