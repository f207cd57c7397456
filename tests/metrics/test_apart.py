"""However many issuers there are, a scrape tells of so many apart, the worst first, and leaves nothing out of its sums."""

from datetime import timedelta
from pathlib import Path

from certworker.vault.issuance import Rejected
from certworker.vault.policy import UNKNOWN
from certworker.vault.resilience.gates import after_outage, after_spending
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for
from tests.support.records import an_issuer
from tests.support.scraping import Series, of, scrape

ISSUERS = ("alpha", "beta", "gamma", "delta")


def issue(deployment: Deployment, certificates: dict[str, int]) -> None:
    """Have issuers issue so many certificates each."""
    with deployment.house.store.writing() as writer:
        for issuer in certificates:
            writer.put_issuer(an_issuer(issuer, vault_id=deployment.vault.id, provider="Scripted", sealed_credential=None))
    for issuer, number in certificates.items():
        for index in range(number):
            deployment.create(f"{issuer}-{index}", policy_for(f"{issuer}-{index}.test", issuer))
    deployment.work()


def issuers(found: Series, name: str) -> set[str]:
    """Tell which issuers a metric tells apart."""
    return {dict(labels)["issuer"] for labels in found[f"certworker_{name}"]}


def test_the_worst_are_told_then_the_most_used(tmp_path: Path, clock: FakeClock) -> None:
    """Of two that may be told: one whose CA is down and one whose certificate failed, before those with more certificates."""
    with open_deployment(tmp_path, clock) as deployment:
        issue(deployment, {"alpha": 3, "beta": 2, "gamma": 1})
        deployment.authority.script.append(lambda *_: Rejected("Request rejected", "No."))
        issue(deployment, {"delta": 1})
        assert issuers(scrape(deployment, issuer_series=2), "issuer_up") == {"delta", "alpha"}
        with deployment.house.store.writing() as writer:
            gate = writer.hold_gate(deployment.vault.id, "gamma")
            for name in ("one", "two", "three"):
                gate = after_outage(gate, name, START, None)
            writer.put_gate(gate)
        found = scrape(deployment, issuer_series=2)
        assert found["certworker_issuer_up"] == {
            of(vault="contoso", issuer="gamma"): 0,
            of(vault="contoso", issuer="delta"): 1,
        }
        # the fifth is the one that every deployment of the tests has
        assert found["certworker_issuers_without_series"] == {of(): 3}
        assert (found["certworker_issuer_series_limit"], found["certworker_issuers_down"]) == ({of(): 2}, {of(): 1})
        found = scrape(deployment, issuer_series=0)
        assert "certworker_issuer_up" not in found
        assert found["certworker_issuers_down"] == {of(): 1}


def test_nothing_is_left_out_of_the_sums(tmp_path: Path, clock: FakeClock) -> None:
    """What is state is summed up as `other`; attempts, which must never fall, are told of all together."""
    with open_deployment(tmp_path, clock) as deployment:
        issue(deployment, {"alpha": 3, "beta": 2, "gamma": 1})
        clock.advance(timedelta(days=1))
        for name in ("beta-0", "gamma-0"):
            deployment.create(name, policy_for(f"{name}.test", name.removesuffix("-0")))
        whole, cut = scrape(deployment), scrape(deployment, issuer_series=1)
        for name in (
            "certificates",
            "certificates_revocation",
            "certificates_renewal_source",
            "certificates_expired",
            "certificates_expiring",
            "expiries_ahead",
            "renewals_ahead",
            "operations_pending",
        ):
            full, less = whole[f"certworker_{name}"], cut[f"certworker_{name}"]
            assert sum(full.values()) == sum(less.values()) > 0 or name == "certificates_expired"
            assert issuers(cut, name) <= {"alpha", "other"}
        other = of(vault="other", issuer="other")
        assert cut["certworker_operations_pending"] == {other: 2}
        oldest = cut["certworker_operations_pending_oldest_timestamp_seconds"]
        assert oldest == {other: (START + timedelta(days=1)).timestamp()}
        assert cut["certworker_certificates"][of(vault="other", issuer="other", state="valid")] == 1
        fleet = "certworker_fleet_issuance_attempts_total"
        assert whole[fleet] == cut[fleet]
        assert cut[fleet][of(result="issued")] == 6
        assert issuers(cut, "issuance_attempts_total") == {"alpha"}


def test_who_has_waited_long_is_told_apart(tmp_path: Path, clock: FakeClock) -> None:
    """For an hour: alerts name whose operation it is. That a person is waited for is told of nobody's CA."""
    with open_deployment(tmp_path, clock) as deployment:
        issue(deployment, {"alpha": 2})
        deployment.create("late", policy_for("late.test"))
        deployment.create("signed-by-hand", policy_for("hand.test", UNKNOWN))
        pending = "certworker_operations_pending"
        other, person = (of(vault="other", issuer=issuer) for issuer in ("other", UNKNOWN))
        assert scrape(deployment, issuer_series=1)[pending] == {other: 1, person: 1}
        clock.advance(timedelta(hours=1, seconds=1))
        late, person = of(vault="contoso", issuer=ISSUER), of(vault="contoso", issuer=UNKNOWN)
        assert scrape(deployment, issuer_series=2)[pending] == {late: 1, person: 1}


def test_who_waits_for_a_budget_does_not_come_and_go(tmp_path: Path, clock: FakeClock) -> None:
    """Between a token that came back and the renewal that takes it the issuer has series as well: its alert needs an hour."""
    with open_deployment(tmp_path, clock) as deployment:
        issue(deployment, {"alpha": 2, "beta": 1})
        with deployment.house.store.writing() as writer:
            gate = writer.hold_gate(deployment.vault.id, "beta")
            writer.put_gate(after_spending(gate, clock(), clock() + timedelta(minutes=1)))
        for _ in range(2):
            assert issuers(scrape(deployment, issuer_series=1), "issuer_up") == {"beta"}
            clock.advance(timedelta(minutes=1))
