"""One issuance, driven as the worker drives it: what a step gives back is all that the next one knows."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key, public_der
from certworker.crypto.x509 import CertificateRequest, build_csr, read_certificate
from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider
from certworker.network.egress import EgressRules
from certworker.vault.issuance import IssuanceRequest, Issued, Pending, Provider, Step
from certworker.vault.operations import Progress
from tests.issuers.memory import MemoryAccounts, MemoryBoard

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LOOPBACK = EgressRules(("127.0.0.0/8", "::1"))
KEY = generate_key("EC", None, "P-256")
KEYS_OF_PROGRESS = {"step", "account_url", "account_key", "order_url", "finalize_url", "certificate_url"} | {
    "presented",
    "presented_at",
    "seen",
    "answered",
    "cleared",
    "polls",
    "missing",
    "restarts",
}


def make_request(directory: str, *names: str, credential: str | None = None, profile: str | None = None) -> IssuanceRequest:
    """Ask for a certificate for some names."""
    names = names or ("www.example.test",)
    subject = CertificateRequest("", SubjectNames(dns_names=names), ("digitalSignature",), ())
    return IssuanceRequest("operation", "vault", "ca", directory, credential, build_csr(KEY, subject), names, profile)


@dataclass
class Journey:
    """An issuance under way; a new provider is made for every step, as if the process had been killed after each."""

    request: IssuanceRequest
    board: MemoryBoard
    settings: AcmeIssuerSettings = field(default_factory=AcmeIssuerSettings)
    accounts: MemoryAccounts = field(default_factory=MemoryAccounts)
    rules: EgressRules = LOOPBACK
    progress: Progress | None = None
    at: datetime = NOON
    seen: list[Step] = field(default_factory=list)

    def provider(self) -> Provider:
        """Make a provider that knows nothing yet."""
        return AcmeProvider(self.accounts, self.board, self.rules, lambda _: self.settings)

    def step(self, provider: Provider | None = None) -> Step:
        """Take one step; its progress is recorded, and the clock goes on to when the next is due."""
        result = (provider or self.provider()).step(self.request, self.progress, self.at)
        self.seen.append(result)
        if isinstance(result, Pending):
            assert set(result.progress) <= KEYS_OF_PROGRESS
            assert not [token for token in self.board.seen if token in str(result)]
            self.progress, self.at = result.progress, result.retry_at or self.at
        return result

    def until(self, done: Callable[[Step], bool], steps: int = 200) -> Step:
        """Take steps until one gives what is waited for."""
        for _ in range(steps):
            result = self.step()
            if done(result):
                return result
            if isinstance(result, Pending) and "polls" in result.progress:
                time.sleep(0.01)  # the clock of a real CA does not jump with ours
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
        """Take one step that must fail for now, and give what it says."""
        result = self.step()
        assert isinstance(result, Pending), result
        assert result.failure
        return result

    def ask_for(self, *names: str) -> None:
        """Change the names."""
        self.request = make_request(self.request.account_id, *names, credential=self.request.credential)

    def ask(self, directory: str) -> None:
        """Change the CA."""
        self.request = replace(self.request, account_id=directory)

    def with_credential(self, credential: str) -> "Journey":
        """Use an external account."""
        return replace(self, request=replace(self.request, credential=credential), seen=[])


def assert_issued(result: Step, *names: str) -> Issued:
    """Show that the result is a chain whose leaf is for our key and for these names."""
    assert isinstance(result, Issued), result
    leaf = read_certificate(result.chain[0])
    assert leaf.public_key == public_der(KEY)
    assert set(leaf.names.dns_names) == set(names)
    assert read_certificate(result.chain[1]).is_authority
    return result
