"""One certificate at the simulated Atlas, had as the worker has it: what a step gives back is all that the next one knows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from ca_sim.certificates import Certificate
from ca_sim.faults.rules import Fault
from ca_sim.in_process import InProcess, in_process
from ca_sim.planes import PlaneName
from ca_sim.settings import read
from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key, load_private
from certworker.crypto.signers import sign_data
from certworker.crypto.signing_requests import read_request
from certworker.crypto.x509 import CertificateRequest, build_csr, read_certificate
from certworker.issuers.globalsign import GlobalsignIssuerSettings, GlobalsignProvider
from certworker.network.egress import EgressRules
from certworker.network.http import Budget, EgressClient
from certworker.settings import IssuerSettings
from certworker.vault.client_certificates import ClientCertificate
from certworker.vault.issuance import IssuanceRequest, Issued, Pending, Rejected, Step
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import Progress
from tests.ca_sim.atlas import ACCOUNT, AtlasCaller
from tests.issuers.in_process import InProcessTransport
from tests.support.clock import FakeClock

KEY = generate_key("EC", None, "P-256")
SECRET = ACCOUNT["api_secret"]
PLACE = "contoso/atlas-client"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
NAMES_OF_PROGRESS = {"step", "intent", "serial", "since", "intended", "not_before", "not_after", "looks", "rounds"} | {
    "page",
    "row",
    "polls",
    "missing",
}


def client_certificate(authority: InProcess, key: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """Have management issue a client certificate; give its DER."""
    caller = AtlasCaller(authority, key or ec.generate_private_key(ec.SECP256R1()))
    caller.get_certificate()
    assert caller.certificate
    return caller.certificate


def globalsign_issuer(authority: InProcess) -> tuple[IssuerParameters, IssuerSettings]:
    """Take certificates from Atlas."""
    record = IssuerParameters("GlobalSign", ACCOUNT["api_key"], SECRET)
    return record, IssuerSettings(url=f"{authority.house.bases[PlaneName.GLOBALSIGN]}/v2")


def make_request(
    *names: str,
    key: bytes = KEY,
    subject: str = "",
    addresses: tuple[str, ...] = (),
    **changed: Any,  # noqa: ANN401
) -> IssuanceRequest:
    """Ask for a certificate for some names, for a key that can be signed by."""
    names = names or ("www.example.test",)
    wanted = CertificateRequest(subject, SubjectNames(names, ip_addresses=addresses), ("digitalSignature",), (SERVER_AUTH,))
    base: dict[str, Any] = {"validity_months": 6, "sign": lambda data: sign_data(load_private(key), data), **changed}
    csr, account = build_csr(key, wanted), ACCOUNT["api_key"]
    return IssuanceRequest("operation", "vault", "ca", account, SECRET, csr, names + addresses, None, **base)


class _Noting(httpx.BaseTransport):
    def __init__(self, inner: httpx.BaseTransport, asked: list[str]) -> None:
        self._inner, self._asked = inner, asked

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v2/").split("/")
        self._asked.append(f"{request.method} {path[0]}")
        return self._inner.handle_request(request)


@dataclass
class Errand:
    """A provider at work on one request, and its CA. `presented` is the client certificate of the vault, none for none."""

    authority: InProcess
    clock: FakeClock
    settings: GlobalsignIssuerSettings
    presented: ClientCertificate | None
    request: IssuanceRequest = field(default_factory=make_request)
    progress: Progress | None = None
    asked: list[str] = field(default_factory=list)
    seen: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the process."""
        self.provider = self.new_provider()

    def new_provider(self) -> GlobalsignProvider:
        """Make a provider that knows nothing yet."""

        def present(place: str, _setting: str) -> ClientCertificate:
            assert place == PLACE
            assert self.presented
            return self.presented

        def connect(rules: EgressRules, _: str | None, timeout: float, presents: ClientCertificate | None) -> EgressClient:
            leaf = presents.certificates[0] if presents else None
            transport = _Noting(InProcessTransport(self.authority, rules, leaf), self.asked)
            return EgressClient(rules, transport, Budget(rules.total.total_seconds()), timeout)

        return GlobalsignProvider(EgressRules(), lambda _: self.settings, present, connect)

    def restart(self) -> None:
        """End the process; another goes on."""
        self.provider = self.new_provider()

    def ask_for(self, request: IssuanceRequest) -> None:
        """Begin another issuance."""
        self.request, self.progress = request, None

    def step(self) -> Step:
        """Take one step; its progress is recorded, and the clock goes on to when the next is due."""
        result = self.provider.step(self.request, self.progress, self.clock())
        self.seen.append(result)
        assert SECRET not in repr(result)
        if isinstance(result, Pending):
            assert set(result.progress) <= NAMES_OF_PROGRESS
            self.progress = result.progress
            wait = timedelta(minutes=1) if result.failure else timedelta()
            self.clock.set(max(self.clock() + wait, result.retry_at or self.clock()))
        return result

    def until(self, done: Callable[[Step], bool], steps: int = 300) -> Step:
        """Take steps until one gives what is waited for."""
        for _ in range(steps):
            result = self.step()
            if done(result):
                return result
        raise AssertionError(f"not done after {steps} steps: {self.seen[-1]}")

    def run(self) -> Step:
        """Take steps to the end."""
        return self.until(lambda result: not isinstance(result, Pending))

    def until_step(self, name: str) -> None:
        """Take steps until the journal says so."""
        result = self.until(lambda result: not isinstance(result, Pending) or result.progress.get("step") == name)
        assert isinstance(result, Pending), result

    def failing(self) -> str:
        """Take steps until one fails for now, and give what it says."""
        result = self.until(lambda result: not isinstance(result, Pending) or bool(result.failure))
        assert isinstance(result, Pending), result
        return result.failure or ""

    def rejected(self) -> Rejected:
        """Take steps to the end, which is a refusal."""
        result = self.run()
        assert isinstance(result, Rejected), result
        return result

    def issued(self, *names: str) -> Issued:
        """Take steps to the end, which is a chain for our key and these names."""
        result = self.run()
        assert isinstance(result, Issued), result
        facts = read_certificate(result.chain[0])
        assert facts.public_key == read_request(self.request.csr).public_key
        assert set(facts.names.dns_names + facts.names.ip_addresses) == set(names or ("www.example.test",))
        assert read_certificate(result.chain[1]).is_authority
        return result

    def arm(self, **members: object) -> None:
        """Put a fault in force at the CA."""
        self.authority.house.faults.arm(Fault.model_validate(members))

    def certificates(self) -> list[Certificate]:
        """List what the CA has issued, by its own book."""
        return [certificate for _, certificate in self.authority.house.book.certificates(after=0, limit=10_000)]


@contextmanager
def open_errand(clock: FakeClock, **settings: object) -> Iterator[Errand]:
    """Open an authority with these settings of its API, and a provider that is let in there."""
    with in_process(read({"globalsign": settings}), clock, {}) as authority:
        presented = ClientCertificate(PLACE, "1", (client_certificate(authority),), lambda: b"")
        url = f"{authority.house.bases[PlaneName.GLOBALSIGN]}/v2"
        yield Errand(authority, clock, GlobalsignIssuerSettings(url, client_certificate=PLACE), presented)


def told(rejected: Rejected) -> str:
    """Give the words of a refusal, once they hold no secret."""
    assert SECRET not in rejected.message
    return rejected.message


def with_credential(request: IssuanceRequest, credential: str | None) -> IssuanceRequest:
    """Use another password."""
    return replace(request, credential=credential)
