"""One order at the simulated CertCentral, driven as the worker drives it: what a step gives back is all that the next knows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import httpx

from ca_sim.certificates import Certificate
from ca_sim.digicert.objects import Order
from ca_sim.faults.rules import Fault
from ca_sim.in_process import InProcess, in_process
from ca_sim.planes import PlaneName
from ca_sim.settings import read
from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key, public_der
from certworker.crypto.x509 import CertificateRequest, build_csr, read_certificate
from certworker.issuers.digicert import DigicertIssuerSettings, DigicertProvider
from certworker.network.egress import EgressRules
from certworker.network.http import Budget, Connect, EgressClient
from certworker.vault.issuance import IssuanceRequest, Issued, Pending, Rejected, Step
from certworker.vault.operations import Progress
from tests.issuers.in_process import InProcessConnect, InProcessTransport
from tests.support.clock import FakeClock

API_KEY = "an-api-key-that-nobody-sees"
KEY = generate_key("EC", None, "P-256")
NAMES_OF_PROGRESS = {"step", "order_id", "certificate_id", "candidates", "since", "begun", "attempts", "offset"} | {
    "polls",
    "missing",
    "unreadable",
}


def make_request(*names: str, operation: str = "operation", key: bytes = KEY) -> IssuanceRequest:
    """Ask for a certificate for some names."""
    names = names or ("www.example.test",)
    csr = build_csr(key, CertificateRequest("", SubjectNames(dns_names=names), ("digitalSignature",), ()))
    return IssuanceRequest(
        operation, "vault", "ca", "1000001", API_KEY, csr, names, None, organization='{"id": "1"}', validity_months=6
    )


@dataclass
class Counting(InProcessConnect):
    """Notes what is asked."""

    authority: InProcess
    peer_certificate: bytes | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(self, rules: EgressRules, _ca_bundle: str | None, timeout_seconds: float) -> EgressClient:
        """Build a client."""
        transport = _Noting(InProcessTransport(self.authority, rules), self.asked)
        return EgressClient(rules, transport, Budget(rules.total.total_seconds()), timeout_seconds)


class _Noting(httpx.BaseTransport):
    def __init__(self, inner: httpx.BaseTransport, asked: list[str]) -> None:
        self._inner, self._asked = inner, asked

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._asked.append(f"{request.method} {request.url.path.removeprefix('/services/v2')}")
        return self._inner.handle_request(request)


@dataclass
class Desk:
    """A provider at work on one request, and its CA."""

    authority: InProcess
    clock: FakeClock
    connect: Counting
    settings: DigicertIssuerSettings
    request: IssuanceRequest = field(default_factory=make_request)
    progress: Progress | None = None
    seen: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the process."""
        self.provider = self.new_provider()

    def new_provider(self, connect: Connect | None = None) -> DigicertProvider:
        """Make a provider that knows nothing yet."""
        return DigicertProvider(EgressRules(), lambda _: self.settings, connect or self.connect)

    def restart(self) -> None:
        """End the process; another goes on."""
        self.provider = self.new_provider()

    def change(self, **changed: object) -> None:
        """Change the request."""
        self.request = replace(self.request, **changed)  # type: ignore[arg-type]

    def set(self, **changed: object) -> None:
        """Change the issuer's settings."""
        self.settings = replace(self.settings, **changed)  # type: ignore[arg-type]

    def step(self) -> Step:
        """Take one step; its progress is recorded, and the clock goes on to when the next is due."""
        before = len(self.connect.asked)
        result = self.provider.step(self.request, self.progress, self.clock())
        assert len(self.connect.asked) - before <= 1, "a step makes one exchange"
        self.seen.append(result)
        assert API_KEY not in repr(result)
        if isinstance(result, Pending):
            assert set(result.progress) <= NAMES_OF_PROGRESS
            self.progress = result.progress
            wait = timedelta(minutes=1) if result.failure else timedelta()
            self.clock.set(max(self.clock() + wait, result.retry_at or self.clock()))
        return result

    def until(self, done: Callable[[Step], bool], steps: int = 400) -> Step:
        """Take steps until one gives what is waited for."""
        for _ in range(steps):
            result = self.step()
            if done(result):
                return result
        raise AssertionError(f"not done after {steps} steps: {self.seen[-1]}")

    def run(self) -> Step:
        """Take steps to the end."""
        return self.until(lambda result: not isinstance(result, Pending))

    def until_step(self, name: str) -> Pending:
        """Take steps until the journal says so."""
        result = self.until(lambda result: not isinstance(result, Pending) or result.progress.get("step") == name)
        assert isinstance(result, Pending), result
        return result

    def failing(self) -> Pending:
        """Take steps until one fails for now, and give what it says."""
        result = self.until(lambda result: not isinstance(result, Pending) or bool(result.failure))
        assert isinstance(result, Pending), result
        return result

    def waiting(self) -> str:
        """Take steps until something is waited for, and give what that is."""
        result = self.until(lambda result: not isinstance(result, Pending) or bool(result.waits_for))
        assert isinstance(result, Pending), result
        return result.waits_for or ""

    def arm(self, **members: object) -> None:
        """Put a fault in force at the CA."""
        self.authority.house.faults.arm(Fault.model_validate(members))

    def orders(self) -> list[Order]:
        """List the orders that the CA has."""
        return self.authority.house.digicert.orders.all()

    def certificates(self) -> list[Certificate]:
        """List what the CA has issued."""
        return [one for _, one in self.authority.house.book.certificates(after=0, limit=1000)]


@contextmanager
def open_desk(clock: FakeClock, **settings: object) -> Iterator[Desk]:
    """Open a CA with these settings of its section, and a provider that asks it."""
    known = {"accounts": {"1000001": API_KEY}, "requests_in_5_seconds": 0, "requests_in_3_minutes": 0}
    table = {"digicert": known | settings, "blocked_identifiers": ["blocked.test"]}
    with in_process(read(table), clock) as authority:
        url = f"{authority.house.bases[PlaneName.DIGICERT]}/services/v2"
        yield Desk(authority, clock, Counting(authority), DigicertIssuerSettings(url=url))


def assert_issued(result: Step, *names: str) -> Issued:
    """Show that the result is a chain whose leaf is for our key and for these names."""
    assert isinstance(result, Issued), result
    leaf = read_certificate(result.chain[0])
    assert leaf.public_key == public_der(KEY)
    assert set(leaf.names.dns_names) == set(names or ("www.example.test",))
    assert read_certificate(result.chain[1]).is_authority
    return result


def assert_rejected(result: Step, *words: str) -> Rejected:
    """Show that the result is a refusal that holds some words."""
    assert isinstance(result, Rejected), result
    assert all(word in result.message for word in words), result.message
    return result
