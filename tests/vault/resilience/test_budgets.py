"""Budgets: which buckets an order is paid from, and what becomes of a renewal that cannot be paid for."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.issuers.limits import LETS_ENCRYPT, known_limits, limits_by
from certworker.settings import IssuerSettings, Settings
from certworker.settings.rates import Rate, read_rate
from certworker.vault.issuance import Pending, Rejected, Trouble
from certworker.vault.operations import OperationStatus
from certworker.vault.resilience.budgets import ACCOUNT, DOMAIN, SET, Budgets, Limits
from certworker.vault.resilience.memory import digest_of
from certworker.vault.vaults import Issuer
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def an_issuer(name: str = "le", account_id: str = "https://acme-v02.api.letsencrypt.org/directory") -> Issuer:
    """Make an issuer record."""
    return Issuer("vault", name, "Acme", account_id, None, None, enabled=True, created=START, updated=START)


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("www.example.com", "example.com"),
        ("*.a.b.example.co.uk", "example.co.uk"),
        ("Example.COM.", "example.com"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_a_domain_is_the_registered_one(name: str, domain: str) -> None:
    """What somebody can register is counted as one, by the public suffix list."""
    assert Budgets(lambda _: LETS_ENCRYPT).registered_domain(name) == domain


def test_an_order_is_paid_from_every_budget() -> None:
    """Once for each registered domain, for the exact set in whatever order and case, and for the account last."""
    names = ("www.example.com", "api.example.com", "example.org")
    found = list(Budgets(lambda _: LETS_ENCRYPT).budgets(an_issuer(), names))
    assert [budget.bucket.kind for budget in found] == [SET, DOMAIN, DOMAIN, ACCOUNT]
    assert [budget.rate.most for budget in found] == [5, 50, 50, 300]
    assert digest_of(("B.test", "a.test.")) == digest_of(("a.test", "b.test"))


def test_limits_are_the_known_ones_unless_they_are_set() -> None:
    """Let's Encrypt's are known by the host of its directory; others have none."""
    settings = Settings(issuers={"le": IssuerSettings(orders="10/1h")})
    assert known_limits(an_issuer()) == LETS_ENCRYPT
    limits = limits_by(settings)(an_issuer("LE"))
    assert (limits.orders, limits.certificates_per_set) == (Rate(10, HOUR), Rate(5, 7 * DAY))
    assert limits_by(settings)(an_issuer("other", "https://ca.test/directory")).orders is None


@pytest.mark.parametrize("most", [7, 99, 300])
def test_all_of_a_rate_can_come_at_once(tmp_path: Path, clock: FakeClock, most: int) -> None:
    """However long a day is divided by it: not one less."""
    rate = Rate(most, DAY)
    with open_deployment(tmp_path, clock) as deployment, deployment.house.store.writing() as writer:
        (budget,) = Budgets(lambda _: Limits(orders=rate)).budgets(an_issuer(), ())
        assert [writer.spend(budget.bucket, rate, START) for _ in range(most + 1)] == [True] * most + [False]


@pytest.mark.parametrize("text", ["300", "0/3h", "300/3w", "many/3h", "-1/3h", "300/0h"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """The error shows what would be right."""
    with pytest.raises(ValueError, match="such as 300/3h"):
        read_rate(text)


def test_a_set_that_is_used_up_waits_alone(tmp_path: Path, clock: FakeClock) -> None:
    """Its renewal is put off to its next token and counts as no failure; the others of the CA go on."""
    settings = {ISSUER: IssuerSettings(certificates_per_set="1/80d")}
    with open_deployment(tmp_path, clock, issuers=settings) as deployment:
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        due = deployment.renewal("web").due_at
        assert due is not None
        clock.set(due)
        deployment.create("other", policy_for("other.test"))
        deployment.work()
        renewal = deployment.renewal("web")
        assert (renewal.due_at, renewal.failures, len(deployment.versions("web"))) == (START + 80 * DAY, 0, 1)
        assert len(deployment.versions("other")) == 1


def test_nothing_expires_for_want_of_a_token(tmp_path: Path, clock: FakeClock) -> None:
    """Where the next token comes after the end, the CA is asked at the backstop all the same, and has the last word."""
    settings = {ISSUER: IssuerSettings(certificates_per_set="1/100d")}
    with open_deployment(tmp_path, clock, issuers=settings) as deployment:
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        for _ in range(5):
            clock.set(max(clock(), deployment.renewal("web").due_at or clock()))
            deployment.work()
            if len(deployment.versions("web")) > 1:
                break
        assert clock() == START + 85.5 * DAY
        assert deployment.renewal("web").failures == 0


def test_what_somebody_asks_for_waits_for_its_token(tmp_path: Path, clock: FakeClock) -> None:
    """It is taken in and goes out when the account may ask again."""
    with open_deployment(tmp_path, clock, issuers={ISSUER: IssuerSettings(orders="2/2h")}) as deployment:
        for number in range(4):
            deployment.create(f"web-{number}", policy_for(f"web-{number}.test"))
        deployment.work()
        assert issued(deployment) == [0, 1]
        assert [deployment.operation(f"web-{number}").due_at for number in (2, 3)] == [START + HOUR, START + 2 * HOUR]
        clock.set(START + HOUR)
        deployment.work()
        assert issued(deployment) == [0, 1, 2]


def test_nobody_waits_by_a_limit_that_was_set_anew(tmp_path: Path, clock: FakeClock) -> None:
    """A limit that was too low by mistake holds nothing up once it is mended and the worker started anew."""
    for orders, versions in (("2/365d", 1), ("300/3h", 2)):
        with open_deployment(tmp_path, clock, issuers={ISSUER: IssuerSettings(orders=orders)}) as deployment:
            if orders == "2/365d":
                for name in ("one", "two"):
                    deployment.create(name, policy_for(f"{name}.test"))
                deployment.work()
                clock.advance(70 * DAY)
            deployment.work()
            clock.advance(2 * HOUR)
            deployment.work()
            assert [len(deployment.versions(name)) for name in ("one", "two")] == [versions, versions]


def test_a_probe_that_cannot_pay_is_not_sent_again_at_once(tmp_path: Path, clock: FakeClock) -> None:
    """A CA that throttles, and a budget that is used up, make no worker turn in circles."""
    with open_deployment(tmp_path, clock, issuers={ISSUER: IssuerSettings(orders="2/100d")}) as deployment:
        for name in ("one", "two"):
            deployment.create(name, policy_for(f"{name}.test"))
        deployment.work()
        clock.advance(80 * DAY)
        throttled = Pending({}, clock() + 5 * DAY, "Not now.", trouble=Trouble.THROTTLED)
        deployment.authority.script.append(lambda *_: throttled)
        deployment.work()
        before = looks(deployment)
        clock.advance(HOUR)
        due = deployment.work()
        assert looks(deployment) == before + 1
        assert due is not None
        assert due > clock()


def looks(deployment: Deployment) -> int:
    """Count how often the two certificates were claimed."""
    with deployment.house.store.reading() as reader:
        found = [reader.certificate(deployment.vault.id, name) for name in ("one", "two")]
    return sum(certificate.fence for certificate in found if certificate)


def test_a_failure_of_another_holds_nobody_to_the_end(deployment: Deployment, clock: FakeClock) -> None:
    """What failed for one certificate holds another of the same names for a tenth of its own time, and not anew each time."""
    deployment.create("ill", policy_for("web.test"))
    deployment.work()
    deployment.authority.validity = 12 * HOUR
    deployment.create("well", policy_for("web.test"))
    deployment.work()
    clock.advance(5 * HOUR)
    refused = Rejected("Certificate issuer error", "There is no such profile.", configuration=True)
    deployment.authority.script.append(lambda *_: refused)
    deployment.create("ill", policy_for("web.test"))
    due: datetime | None = clock()
    while len(deployment.versions("well")) == 1:
        assert due is not None
        assert due < START + 8 * HOUR
        clock.set(max(due, clock()))
        due = deployment.work()


def issued(deployment: Deployment) -> list[int]:
    """List which of four certificates there are."""
    ended = OperationStatus.COMPLETED
    return [number for number in range(4) if deployment.operation(f"web-{number}").status is ended]
