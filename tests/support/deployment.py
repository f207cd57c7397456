"""A small deployment for tests: a real database, a fake clock, an authority that does as its script says."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from certworker.bootstrap import House, make_master_key, open_house
from certworker.clock import Clock
from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, self_sign, sign_csr
from certworker.settings import Seal, Settings
from certworker.vault.access import SERVICE, Caller
from certworker.vault.issuance import IssuanceRequest, Issued, Step
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import Operation, Progress
from certworker.vault.policy import IssuerParameters as PolicyIssuer
from certworker.vault.policy import KeyProperties, Policy, X509Properties
from certworker.vault.vaults import Vault
from certworker.worker.rounds import Rounds

Act = Callable[[IssuanceRequest, Progress | None, datetime], Step]
ISSUER = "test-ca"


@dataclass
class ScriptedAuthority:
    """A provider that issues at once, unless its script says what to do first: each act answers one step."""

    validity: timedelta = timedelta(days=90)
    script: deque[Act] = field(default_factory=deque)
    requests: list[IssuanceRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the root."""
        self._key = generate_key("EC", None, "P-256")
        request = CertificateRequest("CN=Scripted root", SubjectNames(), ("keyCertSign", "cRLSign"), ())
        begin = datetime.fromisoformat("2025-01-01T00:00:00+00:00")
        self.root = self_sign(self._key, request, begin, begin + timedelta(days=7300), authority=True)

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Do what the script says, or issue."""
        self.requests.append(request)
        if self.script:
            return self.script.popleft()(request, progress, at)
        return self.issue(request, progress, at)

    def issue(self, request: IssuanceRequest, _progress: Progress | None, at: datetime) -> Issued:
        """Issue what the CSR asks for."""
        return Issued((sign_csr(request.csr, self.root, self._key, at, at + self.validity), self.root))


@dataclass(frozen=True)
class Deployment:
    """A house with a vault, its administrator, an issuer and a worker."""

    house: House
    vault: Vault
    administrator: Caller
    authority: ScriptedAuthority
    rounds: Rounds

    def create(self, name: str, policy: Policy) -> Operation:
        """Ask for a certificate, as the administrator."""
        return self.house.certificates.create(self.administrator, self.vault, name, policy, tags={})

    def work(self) -> datetime | None:
        """Let the worker do what is due now; tell when something is due next."""
        return self.rounds.run_due(self.house.clock())


@contextmanager
def open_deployment(folder: Path, clock: Clock, database_url: str | None = None, seed: int = 1) -> Iterator[Deployment]:
    """Set a deployment up in `folder`, or go on with the one that is there; close it at the end."""
    authority = ScriptedAuthority()
    settings = Settings(
        database_url=database_url or f"sqlite:///{folder}/certworker.db", seal=Seal(master_key_file=folder / "master.key")
    )
    make_master_key(settings.seal.master_key_file)
    with open_house(settings, clock, Random(seed), {"scripted": authority}) as house:
        if not house.founding.is_done():
            house.founding.found("contoso", "administrator")
        with house.store.reading() as reader:
            vault = reader.vault_by_name("contoso")
            principal = reader.principals()[0]
        assert vault is not None
        house.issuers.set(SERVICE, vault, ISSUER, IssuerParameters("Scripted"))
        caller = Caller(principal.object_id, principal.client_id, principal.tenant_id)
        yield Deployment(house, vault, caller, authority, Rounds(house, "test-worker"))


def policy_for(host: str, issuer: str = ISSUER, **changes: object) -> Policy:
    """Make a policy for one host name, with an EC key since those are quick to make."""
    x509 = X509Properties(subject=f"CN={host}", names=SubjectNames(dns_names=(host,)), key_usage=("digitalSignature",))
    base = {"key": KeyProperties("EC", None, "P-256"), "x509": x509, "issuer": PolicyIssuer(issuer), **changes}
    return Policy(**base)  # type: ignore[arg-type]
