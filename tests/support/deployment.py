"""A small deployment for tests: a real database, a fake clock, an authority that does as its script says."""

import base64
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from certworker.bootstrap import NO_PROVIDERS, House, build, make_master_key
from certworker.clock import Clock
from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, read_certificate, self_sign, sign_csr
from certworker.measures import NO_MEASURES, Measures
from certworker.network.http import Connect
from certworker.settings import IssuerSettings, Seal, Settings, SpareKeySettings
from certworker.store.engine import open_store
from certworker.store.migrate import migrate
from certworker.vault.access import SERVICE, Caller
from certworker.vault.certificates import CertificateBundle
from certworker.vault.events import Event
from certworker.vault.issuance import IssuanceRequest, Issued, KeyRoll, Providers, Revocation, Step
from certworker.vault.issuers import IssuerParameters
from certworker.vault.notification.audience import Audience
from certworker.vault.operations import Operation, Progress, Renewal
from certworker.vault.policy import PKCS12, KeyProperties, Policy, X509Properties
from certworker.vault.policy import IssuerParameters as PolicyIssuer
from certworker.vault.store import Store
from certworker.vault.vaults import Vault
from certworker.worker.rounds import Rounds
from tests.support.clock import START, FakeClock
from tests.support.templates import ADMINISTRATOR, VAULT, SetUp, put_database, put_deployment, set_up

Act = Callable[[IssuanceRequest, Progress | None, datetime], Step]
ISSUER = "test-ca"


@dataclass
class ScriptedAuthority:
    """A provider that issues at once, unless its script says what to do first: each act answers one step."""

    validity: timedelta = timedelta(days=90)
    script: deque[Act] = field(default_factory=deque)
    requests: list[IssuanceRequest] = field(default_factory=list)
    issued: int = 0
    refusals: deque[Revocation] = field(default_factory=deque)
    revoked: list[tuple[str, bytes, int]] = field(default_factory=list)
    exchanges: deque[KeyRoll] = field(default_factory=deque)

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

    def revoke(self, request: IssuanceRequest, certificate: bytes, reason: int, _at: datetime) -> Revocation:
        """Refuse for as long as there are refusals, then revoke; `revoked` lists issuer, certificate and reason."""
        if self.refusals:
            return self.refusals.popleft()
        self.revoked.append((request.issuer, certificate, reason))
        return Revocation(done=True)

    def roll_key(self, request: IssuanceRequest, _at: datetime) -> KeyRoll:
        """Say what the script says, or that it is done."""
        self.requests.append(request)
        return self.exchanges.popleft() if self.exchanges else KeyRoll(done=True)

    def issue(self, request: IssuanceRequest, _progress: Progress | None, at: datetime) -> Issued:
        """Issue what the CSR asks for."""
        self.issued += 1
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

    def get(self, name: str) -> CertificateBundle:
        """Show a certificate's current version, as the administrator."""
        return self.house.certificates.get(self.administrator, self.vault, name)

    def operation(self, name: str) -> Operation:
        """Show a certificate's pending operation, as the administrator."""
        return self.house.certificates.operation(self.administrator, self.vault, name)

    def renewal(self, name: str) -> Renewal:
        """Show what is planned for a certificate."""
        return self.house.certificates.policy(self.administrator, self.vault, name).renewal

    def versions(self, name: str) -> tuple[str, ...]:
        """List a certificate's versions."""
        found = self.house.certificates.versions(self.administrator, self.vault, name, None, 25)
        return tuple(version.version for version in found.items)

    def events(self) -> tuple[Event, ...]:
        """List every event so far."""
        return self.house.fleet.events(0, 10_000)

    def work(self) -> datetime | None:
        """Let the worker do what is due now; tell when something is due next."""
        return self.rounds.run_due(self.house.clock())

    def issue(self) -> datetime | None:
        """Let the worker do what is due now; tell when an issuance goes on, or a renewal begins, next."""
        self.work()
        with self.house.store.reading() as reader:
            due = reader.next_operation(), reader.next_renewal()
        return min(filter(None, due), default=None)


@contextmanager
def open_deployment(
    folder: Path,
    clock: Clock,
    database_url: str | None = None,
    seed: int = 1,
    authority: ScriptedAuthority | None = None,
    wrap: Callable[[Store], Store] = lambda store: store,
    providers: Providers = NO_PROVIDERS,
    connect: Connect | None = None,
    issuers: Mapping[str, IssuerSettings] | None = None,
    audience: Audience | None = None,
    sections: Mapping[str, object] | None = None,
    measures: Measures = NO_MEASURES,
    *,
    anew: bool = False,
) -> Iterator[Deployment]:
    """Set a deployment up in `folder`, or go on with the one that is there; close it at the end.

    `wrap` puts something between the services and the store, once everything is set up. `providers` are there beside the
    scripted one; `connect` builds the HTTP clients of the house's own. `issuers` are settings by issuer name, `sections`
    further ones by section, `measures` what counts. One that is set up `anew` shares neither ids nor keys with others of the
    same test.
    """
    authority = authority or ScriptedAuthority()
    settings = Settings(
        database_url=database_url or f"sqlite:///{folder}/certworker.db",
        seal=Seal(master_key_file=folder / "master.key"),
        issuers=issuers or {},
        spare_keys=SpareKeySettings(count=0),
        **(sections or {}),
    )
    ready = database_url is None and not anew and put_deployment(folder, clock, _with_issuer) is not None
    if not settings.seal.master_key_file.exists():
        make_master_key(settings.seal.master_key_file)
    if database_url is None:
        put_database(folder / "certworker.db")
    else:
        migrate(database_url)
    # what a test has in a file of its own need not outlive a power cut
    store = open_store(settings.database_url, clock, measures=measures, durable=database_url is not None)
    try:
        if not ready:
            _set_up(build(settings, clock, store, Random(seed), {"scripted": authority}))
        with store.reading() as reader:
            vault, principal = reader.vault_by_name(VAULT), reader.principals()[0]
        assert vault is not None
        caller = Caller(principal.object_id, principal.client_id, principal.tenant_id)
        known = {"scripted": authority, **providers}
        house = build(settings, clock, wrap(store), Random(seed), known, connect=connect, audience=audience, measures=measures)
        yield Deployment(house, vault, caller, authority, Rounds(house, "test-worker"))
    finally:
        store.close()


def _set_up(house: House) -> None:
    if not house.founding.is_done():
        house.founding.found(VAULT, ADMINISTRATOR)
    with house.store.reading() as reader:
        vault = reader.vault_by_name(VAULT)
    assert vault is not None
    house.issuers.set(SERVICE, vault, ISSUER, IssuerParameters("Scripted"))


@cache
def _with_issuer() -> SetUp:
    """Give a deployment that was set up and has its issuer, made once in each process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        put_deployment(folder, FakeClock(START))
        with open_deployment(folder, FakeClock(START)):
            pass
        return replace(set_up(), database=(folder / "certworker.db").read_bytes())


def check_whole(deployment: Deployment, name: str) -> str:
    """Check that certificate, key and secret are of one version, and belong together; give the version."""
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    certificate = deployment.get(name).version
    key = house.keys.get(caller, vault, name)
    opened = house.secrets.get(caller, vault, name)
    assert certificate.version == key.version == opened.secret.version
    assert key.managed
    assert opened.secret.managed
    assert key.public_key == read_certificate(certificate.der).public_key
    assert certificate.attributes == key.attributes == opened.secret.attributes
    if key.exportable and opened.secret.content_type == PKCS12:
        private = load_pkcs12(base64.b64decode(opened.value), b"").key
        assert private is not None
        assert private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == key.public_key
    return certificate.version


def policy_for(host: str, issuer: str = ISSUER, **changes: object) -> Policy:
    """Make a policy for one host name, with an EC key since those are quick to make."""
    x509 = X509Properties(subject=f"CN={host}", names=SubjectNames(dns_names=(host,)), key_usage=("digitalSignature",))
    base = {"key": KeyProperties("EC", None, "P-256"), "x509": x509, "issuer": PolicyIssuer(issuer), **changes}
    return Policy(**base)  # type: ignore[arg-type]
