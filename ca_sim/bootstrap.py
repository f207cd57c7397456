"""The wiring: makes an authority of settings, clock and base URLs. The only place where the parts meet."""

import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import ASGIApp

from ca_sim.acme.accounts import Accounts
from ca_sim.acme.api import AcmeApi, refusal
from ca_sim.acme.authorizations import Authorizations
from ca_sim.acme.certificates import AccountCertificates
from ca_sim.acme.nonces import Nonces
from ca_sim.acme.orders import Orders
from ca_sim.acme.urls import DIRECTORY, Urls
from ca_sim.acme.urls import place as acme_place
from ca_sim.authority import public_api
from ca_sim.authority.hierarchy import Authority, key_pem, open_authority
from ca_sim.background import Background
from ca_sim.book import Book
from ca_sim.certificates import Certificates
from ca_sim.clock import Clock, VirtualClock, utc_now
from ca_sim.clock_memory import open_clock
from ca_sim.digicert import api as digicert_api
from ca_sim.faults.engine import Faults
from ca_sim.faults.wire import FaultyWire, Place, Refusal, Sleep, plain_refusal
from ca_sim.files import write_whole
from ca_sim.globalsign import api as globalsign_api
from ca_sim.globalsign.api import AtlasApi
from ca_sim.globalsign.claims import Claims
from ca_sim.globalsign.clients import Clients, read_trusted
from ca_sim.globalsign.errors import refusal as globalsign_refusal
from ca_sim.globalsign.issuance import AtlasCertificates
from ca_sim.globalsign.looks import file_look
from ca_sim.globalsign.policy import ValidationPolicy
from ca_sim.globalsign.sessions import Sessions
from ca_sim.issuing import Issuing
from ca_sim.management.api import ManagementApi
from ca_sim.management.globalsign_routes import globalsign_routes
from ca_sim.planes import TRANSPORTS, Bases, Plane, PlaneName, Transport
from ca_sim.settings import Settings
from ca_sim.validation.http01 import Http01, Validate
from ca_sim.validation.resolver import make_resolver


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An authority at work: its servers' applications, and what is behind them."""

    planes: Mapping[PlaneName, Plane]
    authority: Authority
    orders: Orders
    authorizations: Authorizations
    certificates: Certificates
    book: Book
    faults: Faults
    clock: VirtualClock
    bases: Bases
    directory_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What all servers of an authority share."""

    settings: Settings
    book: Book
    clock: VirtualClock
    authority: Authority
    certificates: Certificates
    faults: Faults
    issuing: Issuing
    bases: Bases


@contextmanager
def build(
    settings: Settings,
    clock: Clock,
    background: Background,
    bases: Bases,
    *,
    sleep: Sleep,
    validators: Mapping[str, Validate] | None = None,
) -> Iterator[House]:
    """Open keys and book, and wire an authority whose URLs start with `bases`. Raises StateError.

    `clock` is the real time, from which the virtual one is made; `validators` take the place of those of the settings.
    """
    state = settings.state
    book = Book(state and state / "book.sqlite")
    try:
        virtual = open_clock(book, settings.clock, clock)
        authority = open_authority(state and state / "authority", settings.key_type, virtual())
        faults = Faults(book, virtual)
        parts = Parts(
            settings=settings,
            book=book,
            clock=virtual,
            authority=authority,
            certificates=Certificates(book, virtual),
            faults=faults,
            issuing=Issuing(authority, faults, virtual),
            bases=bases,
        )
        yield _house(parts, background, sleep, validators or _validators(settings))
    finally:
        book.close()


def _house(parts: Parts, background: Background, sleep: Sleep, validators: Mapping[str, Validate]) -> House:
    urls = Urls(parts.bases[PlaneName.ACME])
    authorizations = _authorizations(parts, background, validators)
    orders = Orders(parts.book, parts.issuing, parts.settings, parts.clock, authorizations=authorizations)

    def faulty(name: PlaneName, app: ASGIApp, place: Place, refusal: Refusal = plain_refusal) -> Plane:
        return Plane(FaultyWire(app, parts.faults, parts.clock, sleep, place, refusal), TRANSPORTS[name])

    clients = Clients(parts.book, parts.authority, read_trusted(parts.settings.globalsign.client_roots))
    planes = {
        PlaneName.ACME: faulty(PlaneName.ACME, _acme(parts, orders, authorizations, urls).app(), acme_place, refusal),
        PlaneName.PUBLIC: faulty(PlaneName.PUBLIC, public_api.public_app([]), public_api.place),
        PlaneName.DIGICERT: faulty(PlaneName.DIGICERT, digicert_api.digicert_app(), digicert_api.place),
        PlaneName.GLOBALSIGN: faulty(
            PlaneName.GLOBALSIGN, _globalsign(parts, clients).app(), globalsign_api.place, globalsign_refusal
        ),
        PlaneName.MANAGEMENT: Plane(_management(parts, orders, urls, clients).app(), TRANSPORTS[PlaneName.MANAGEMENT]),
    }
    return House(
        planes=planes,
        authority=parts.authority,
        orders=orders,
        authorizations=authorizations,
        certificates=parts.certificates,
        book=parts.book,
        faults=parts.faults,
        clock=parts.clock,
        bases=parts.bases,
        directory_url=urls.of(DIRECTORY),
    )


def _validators(settings: Settings) -> Mapping[str, Validate]:
    resolve = make_resolver(settings)
    return {"http-01": Http01(resolve, port=settings.http01_port, timeout_seconds=settings.validation_timeout_seconds)}


def _authorizations(parts: Parts, background: Background, validators: Mapping[str, Validate]) -> Authorizations:
    return Authorizations(
        parts.book,
        parts.settings,
        parts.clock,
        faults=parts.faults,
        validators=dict(validators),
        worker=background,
        random=Random(parts.settings.acme.seed),  # noqa: S311 - repeatable
    )


def _acme(parts: Parts, orders: Orders, authorizations: Authorizations, urls: Urls) -> AcmeApi:
    return AcmeApi(
        accounts=Accounts(parts.book, parts.settings, parts.clock, urls),
        orders=orders,
        authorizations=authorizations,
        certificates=AccountCertificates(parts.certificates, authorizations),
        nonces=Nonces(timedelta(seconds=parts.settings.nonce_lifetime_seconds)),
        faults=parts.faults,
        settings=parts.settings,
        clock=parts.clock,
        urls=urls,
    )


def _globalsign(parts: Parts, clients: Clients) -> AtlasApi:
    settings, of_api = parts.settings, parts.settings.globalsign
    look = file_look(make_resolver(settings), settings.http01_port, settings.validation_timeout_seconds)
    claims = Claims(parts.book, of_api, parts.clock, {"http": look})
    certificates = AtlasCertificates(
        book=parts.book,
        issuing=parts.issuing,
        authority=parts.authority,
        certificates=parts.certificates,
        claims=claims,
        faults=parts.faults,
        settings=of_api,
        blocked=settings.blocked_identifiers,
        clock=parts.clock,
        policy=lambda: ValidationPolicy(of_api, parts.authority.intermediate.certificate.not_valid_after_utc),
    )
    return AtlasApi(
        clients=clients,
        sessions=Sessions(of_api, parts.clock),
        certificates=certificates,
        claims=claims,
        clock=parts.clock,
        base=parts.bases[PlaneName.GLOBALSIGN],
    )


def _management(parts: Parts, orders: Orders, urls: Urls, clients: Clients) -> ManagementApi:
    return ManagementApi(
        book=parts.book,
        orders=orders,
        certificates=parts.certificates,
        authority=parts.authority,
        faults=parts.faults,
        settings=parts.settings,
        clock=parts.clock,
        directory_url=urls.of(DIRECTORY),
        more=globalsign_routes(clients, utc_now),
    )


def server_context(authority: Authority, settings: Settings, transport: Transport) -> ssl.SSLContext:
    """Make the TLS context of the servers with a new key and a certificate of the authority (TLS 1.2 at least).

    This certificate lives in real time, whatever the clock of what is issued says. It is made at every start.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    hosts = ("localhost", "127.0.0.1", "::1", settings.external_host, *settings.listen_hosts)
    chain = authority.chain(authority.issue_server(key, hosts, utc_now()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:  # mode 0700; OpenSSL takes a chain from a file only
        bundle = Path(folder) / "server.pem"
        write_whole(bundle, key_pem(key) + chain.encode("ascii"))
        context.load_cert_chain(bundle)
    if transport is Transport.MUTUAL_TLS:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # one that is trusted by itself needs no root
        context.load_verify_locations(cadata=authority.root_pem.decode("ascii"))
        for trusted in read_trusted(settings.globalsign.client_roots):
            context.load_verify_locations(cadata=trusted.public_bytes(Encoding.DER))
    return context
