"""A thousand renewals through a storm of everything that a CA can do wrong, the same storm at every run."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.x509 import read_certificate
from certworker.vault.imports import Arrival
from certworker.vault.operations import OperationStatus
from certworker.vault.policy import PEM, ActionType, LifetimeAction
from tests.issuers.contract.parties import PARTIES, Party
from tests.support.clock import START, FakeClock
from tests.support.deployment import check_whole, policy_for
from tests.support.parcels import a_parcel
from tests.support.simulation import Simulation, open_simulation

LIFETIME = timedelta(days=90)
STORM: tuple[dict[str, object], ...] = (
    {"kind": "latency", "rate": 0.02, "seconds": 5},
    {"kind": "latency", "rate": 0.01, "seconds": 60},
    {"kind": "error", "rate": 0.02, "status": 500},
    {"kind": "error", "rate": 0.01, "status": 503, "seconds": 600, "as_date": True},
    {"kind": "throttle", "rate": 0.02, "seconds": 120},
    {"kind": "throttle", "rate": 0.01, "status": 503, "seconds": 900, "as_date": True},
    {"kind": "drop-before", "rate": 0.02},
    {"kind": "drop-after", "rate": 0.03},
    {"kind": "mangle", "rate": 0.01, "mangling": "truncated"},
    {"kind": "mangle", "rate": 0.01, "mangling": "html"},
    {"kind": "mangle", "rate": 0.01, "mangling": "json"},
    {"kind": "mangle", "rate": 0.001, "mangling": "huge"},
    {"kind": "bad-nonce", "rate": 0.2},
    {"kind": "validation", "rate": 0.03},
    {"kind": "caa", "rate": 0.02},
    {"kind": "stuck", "rate": 0.03, "seconds": 7200},
    {"kind": "stuck", "rate": 0.01},
    {"kind": "wrong-key", "rate": 0.02},
    {"kind": "wrong-chain", "rate": 0.02},
    {"kind": "wrong-names", "rate": 0.02},
    {"kind": "wrong-validity", "rate": 0.02},
    {"kind": "garbage", "rate": 0.02},
    {"kind": "clock-skew", "rate": 0.02, "seconds": 3600},
    {"kind": "clock-skew", "rate": 0.02, "seconds": -3600},
)


def host(number: int) -> str:
    """Name the host of a certificate."""
    return f"host-{number}.example.test"


def bring(simulation: Simulation, number: int) -> None:
    """Take in a certificate of another CA, whose renewals are from now on those of the simulated one."""
    deployment = simulation.deployment
    parcel = a_parcel(
        names=SubjectNames(dns_names=(host(number),)), subject=f"CN={host(number)}", begin=START, end=START + LIFETIME
    )
    renewing = (LifetimeAction(ActionType.AUTO_RENEW, lifetime_percentage=80),)
    policy = policy_for(host(number), content_type=PEM, lifetime_actions=renewing, lifetime_actions_set=True)
    arrival = Arrival(parcel.pem(), change=lambda _: policy)
    deployment.house.imports.import_(deployment.administrator, deployment.vault, f"web-{number}", arrival)


def spki(pem: str) -> bytes:
    """Read the public key of a CSR."""
    key = x509.load_pem_x509_csr(pem.encode()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def is_renewed(simulation: Simulation, number: int) -> bool:
    """Tell whether a certificate is from the simulated CA."""
    return "ca-sim" in read_certificate(simulation.deployment.get(f"web-{number}").version.der).issuer


def weather(simulation: Simulation, count: int) -> Counter[str]:
    """Let the storm go over so many renewals until all are done; tell what struck how often."""
    for number in range(count):
        bring(simulation, number)
    for seed, fault in enumerate(STORM):
        simulation.arm(**fault, seed=seed)
    waiting = set(range(count))

    def all_renewed() -> bool:
        for number in sorted(waiting):
            if not is_renewed(simulation, number):
                return False  # the others are looked at once this one is done
            waiting.remove(number)
        return True

    simulation.run(all_renewed, most=LIFETIME)
    struck: Counter[str] = Counter()
    for armed in simulation.authority.house.faults.list_():
        struck[armed.fault.kind] += armed.struck
    return struck


def check_books(simulation: Simulation, count: int) -> Counter[str]:
    """Compare both sides' books: nothing was finalized or issued twice for one operation; count the orders by their end."""
    house = simulation.authority.house
    orders = [order for _, order in house.book.orders(after=0, limit=100_000)]
    placed = [order.csr for order in orders if order.csr]  # an ACME order that was never finalized does no harm
    placed += [order.certificate.csr for order in house.digicert.orders.all()]
    certificates = [certificate for _, certificate in house.book.certificates(after=0, limit=100_000)]
    assert max(Counter(map(spki, placed)).values(), default=1) == 1, "two orders for one key"
    assert max(Counter(certificate.spki_sha256 for certificate in certificates).values()) == 1, "two certificates for one key"
    for number in range(count):
        name = f"web-{number}"
        version = check_whole(simulation.deployment, name)
        assert simulation.deployment.operation(name).status is OperationStatus.COMPLETED
        assert version == simulation.deployment.operation(name).version
        assert read_certificate(simulation.deployment.get(name).version.der).names.dns_names == (host(number),)
    return Counter(order.status.value for order in orders)


@pytest.mark.fleet
@pytest.mark.timeout(1200)
def test_a_thousand_renewals_come_through_a_storm(tmp_path: Path, clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
    """Every certificate is had before the old one ends, no key is lost, and nothing is issued twice for one operation."""
    with open_simulation(tmp_path, clock) as simulation:
        struck = weather(simulation, 1000)
        orders = check_books(simulation, 1000)
        assert set(struck) == {str(fault["kind"]) for fault in STORM}
        assert min(struck.values()) > 0
        assert clock() < START + LIFETIME
    with capsys.disabled():
        print(f"\nstorm: {sum(struck.values())} faults, done on day {(clock() - START).days}; orders {dict(orders)}")  # noqa: T201


@pytest.mark.long
@pytest.mark.parametrize("party", PARTIES, ids=lambda party: party.name)
def test_some_renewals_come_through_the_storm(party: Party, tmp_path: Path, clock: FakeClock) -> None:
    """The same with a few, at each kind of CA."""
    with party.open(tmp_path, clock) as simulation:
        weather(simulation, 20)
        check_books(simulation, 20)
