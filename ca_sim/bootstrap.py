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
from ca_sim.acme.answers import refusal
from ca_sim.acme.api import AcmeApi
from ca_sim.acme.authorizations import Authorizations
from ca_sim.acme.certificates import AccountCertificates
from ca_sim.acme.nonces import Nonces
from ca_sim.acme.orders import Orders
from ca_sim.acme.pauses import Pauses
from ca_sim.acme.rate_limits import RateLimits
from ca_sim.acme.renewal_info import Renewals
from ca_sim.acme.urls import ACCOUNT, DIRECTORY, Urls
from ca_sim.acme.urls import place as acme_place
from ca_sim.authority import public_api
from ca_sim.authority.ct_api import CtApi
from ca_sim.authority.hierarchy import Authority, key_pem, open_authority
from ca_sim.authority.links import Links
from ca_sim.authority.public_api import PublicApi
from ca_sim.authority.publication import Publication, publish
from ca_sim.background import Background
from ca_sim.book import Book
from ca_sim.certificates import Certificates
from ca_sim.chores import ChoresFirst
from ca_sim.clock import Clock, VirtualClock, utc_now
from ca_sim.clock_memory import open_clock
from ca_sim.digicert import api as digicert_api
from ca_sim.digicert.api import DigicertApi
from ca_sim.digicert.deliveries import Deliveries
from ca_sim.digicert.errors import refusal as digicert_refusal
from ca_sim.digicert.limits import RequestLimits
from ca_sim.digicert.orders import CertificateOrders, OrderParts
from ca_sim.faults.engine import Faults
from ca_sim.faults.wire import FaultyWire, Place, Refusal, Sleep, plain_refusal
from ca_sim.files import write_whole
from ca_sim.globalsign import api as globalsign_api
from ca_sim.globalsign.api import AtlasApi
from ca_sim.globalsign.claims import Claims
from ca_sim.globalsign.clients import Clients, read_trusted
from ca_sim.globalsign.errors import refusal as globalsign_refusal
from ca_sim.globalsign.issuance import AtlasCertificates
from ca_sim.globalsign.looks import file_look, record_look
from ca_sim.globalsign.policy import ValidationPolicy
from ca_sim.globalsign.sessions import Sessions
from ca_sim.incidents import Incidents
from ca_sim.issuing import Issuing
from ca_sim.management.api import ManagementApi
from ca_sim.management.authority_routes import authority_routes
from ca_sim.management.digicert_routes import digicert_routes
from ca_sim.management.globalsign_routes import globalsign_routes
from ca_sim.management.incident_routes import incident_routes
from ca_sim.management.pause_routes import pause_routes
from ca_sim.management.renewal_routes import renewal_routes
from ca_sim.planes import TRANSPORTS, Bases, Plane, PlaneName, Transport
from ca_sim.settings import Settings
from ca_sim.validation.choice import make_caa, make_validators
from ca_sim.validation.http01 import Validate
from ca_sim.validation.resolver import make_resolver, name_servers


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmeServices:
    """What is behind the ACME server, and of use to others."""

    orders: Orders
    authorizations: Authorizations
    renewals: Renewals
    limits: RateLimits
    pauses: Pauses


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An authority at work: its servers' applications, and what is behind them."""

    planes: Mapping[PlaneName, Plane]
    authority: Authority
    issuing: Issuing
    publication: Publication
    acme: AcmeServices
    certificates: Certificates
    book: Book
    faults: Faults
    clock: VirtualClock
    bases: Bases
    directory_url: str
    digicert: DigicertApi
    incidents: Incidents


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
    publication: Publication
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
        keys = state and state / "authority"
        authority = open_authority(
            keys,
            settings.key_type,
            virtual(),
            real=utc_now(),
            settings=settings.authority,
            base=bases[PlaneName.PUBLIC],
        )
        authority.prepare({profile.issuer for profile in settings.profiles.values()})
        faults = Faults(book, virtual)
        publication = publish(book, authority, settings.authority, bases[PlaneName.PUBLIC], virtual, directory=keys)
        parts = Parts(
            settings=settings,
            book=book,
            clock=virtual,
            authority=authority,
            certificates=Certificates(book, virtual),
            faults=faults,
            issuing=Issuing(
                authority,
                faults,
                virtual,
                profiles=settings.profiles,
                extend=publication.log.extend if publication.log else None,
            ),
            publication=publication,
            bases=bases,
        )
        yield _house(parts, background, sleep, validators or make_validators(settings))
    finally:
        book.close()


def _house(parts: Parts, background: Background, sleep: Sleep, validators: Mapping[str, Validate]) -> House:
    urls = Urls(parts.bases[PlaneName.ACME])
    acme = _acme_services(parts, background, validators, urls)
    digicert = _digicert(parts)
    incidents = Incidents(parts.book, parts.clock, acme.renewals.pull_in)

    def faulty(name: PlaneName, app: ASGIApp, place: Place, refusal: Refusal = plain_refusal) -> Plane:
        ready = ChoresFirst(app, incidents.settle)
        return Plane(FaultyWire(ready, parts.faults, parts.clock, sleep, place, refusal), TRANSPORTS[name])

    clients = Clients(parts.book, parts.authority, read_trusted(parts.settings.globalsign.client_roots))
    planes = {
        PlaneName.ACME: faulty(PlaneName.ACME, _acme(parts, acme, urls).app(), acme_place, refusal),
        PlaneName.PUBLIC: faulty(PlaneName.PUBLIC, _public(parts).app(), public_api.place),
        PlaneName.DIGICERT: faulty(PlaneName.DIGICERT, digicert.app(), digicert_api.place, digicert_refusal),
        PlaneName.GLOBALSIGN: faulty(
            PlaneName.GLOBALSIGN, _globalsign(parts, clients).app(), globalsign_api.place, globalsign_refusal
        ),
        PlaneName.MANAGEMENT: Plane(
            ChoresFirst(_management(parts, acme, urls, clients, digicert, incidents).app(), incidents.settle),
            TRANSPORTS[PlaneName.MANAGEMENT],
        ),
    }
    return House(
        planes=planes,
        authority=parts.authority,
        issuing=parts.issuing,
        publication=parts.publication,
        acme=acme,
        certificates=parts.certificates,
        book=parts.book,
        faults=parts.faults,
        clock=parts.clock,
        bases=parts.bases,
        directory_url=urls.of(DIRECTORY),
        digicert=digicert,
        incidents=incidents,
    )


def _public(parts: Parts) -> PublicApi:
    log = parts.publication.log
    return PublicApi(
        authority=parts.authority,
        crls=parts.publication.crls,
        responder=parts.publication.responder,
        faults=parts.faults,
        clock=parts.clock,
        more=CtApi(log, parts.authority).routes() if log else (),
    )


def _digicert(parts: Parts) -> DigicertApi:
    of_api = parts.settings.digicert
    orders = CertificateOrders(
        OrderParts(
            book=parts.book,
            issuing=parts.issuing,
            faults=parts.faults,
            settings=of_api,
            clock=parts.clock,
            blocked=parts.settings.blocked_identifiers,
        )
    )
    return DigicertApi(
        orders=orders,
        deliveries=Deliveries(parts.book, orders, parts.certificates, parts.authority, of_api, parts.clock),
        limits=RequestLimits(((of_api.requests_in_5_seconds, 5), (of_api.requests_in_3_minutes, 180))),
        settings=of_api,
        clock=parts.clock,
    )


def _acme_services(parts: Parts, background: Background, validators: Mapping[str, Validate], urls: Urls) -> AcmeServices:
    of_api = parts.settings.acme
    limits = RateLimits(parts.book, of_api, parts.clock)
    pauses = Pauses(parts.book, of_api, urls)
    renewals = Renewals(parts.book, parts.certificates, of_api, parts.clock)
    authorizations = Authorizations(
        parts.book,
        parts.settings,
        parts.clock,
        faults=parts.faults,
        validators=dict(validators),
        caa=make_caa(parts.settings, lambda account_id: urls.of(ACCOUNT, id=account_id)),
        worker=background,
        random=Random(of_api.seed),  # noqa: S311 - repeatable
        limits=limits,
        pauses=pauses,
    )
    orders = Orders(
        parts.book,
        parts.issuing,
        parts.settings,
        parts.clock,
        authorizations=authorizations,
        renewals=renewals,
        limits=limits,
        pauses=pauses,
    )
    return AcmeServices(orders=orders, authorizations=authorizations, renewals=renewals, limits=limits, pauses=pauses)


def _acme(parts: Parts, services: AcmeServices, urls: Urls) -> AcmeApi:
    return AcmeApi(
        accounts=Accounts(parts.book, parts.settings, parts.clock, urls),
        orders=services.orders,
        authorizations=services.authorizations,
        certificates=AccountCertificates(parts.certificates, services.authorizations, parts.authority),
        renewals=services.renewals,
        limits=services.limits,
        pauses=services.pauses,
        nonces=Nonces(timedelta(seconds=parts.settings.nonce_lifetime_seconds)),
        faults=parts.faults,
        settings=parts.settings,
        clock=parts.clock,
        urls=urls,
    )


def _globalsign(parts: Parts, clients: Clients) -> AtlasApi:
    settings, of_api = parts.settings, parts.settings.globalsign
    looks = {"http": file_look(make_resolver(settings), settings.http01_port, settings.validation_timeout_seconds)}
    if servers := name_servers(settings):
        looks["dns"] = record_look(servers)
    claims = Claims(parts.book, of_api, parts.clock, looks)
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


def _management(
    parts: Parts, acme: AcmeServices, urls: Urls, clients: Clients, digicert: DigicertApi, incidents: Incidents
) -> ManagementApi:
    return ManagementApi(
        book=parts.book,
        orders=acme.orders,
        certificates=parts.certificates,
        authority=parts.authority,
        faults=parts.faults,
        settings=parts.settings,
        clock=parts.clock,
        directory_url=urls.of(DIRECTORY),
        more=[
            *authority_routes(
                parts.authority, parts.publication.revocations, Links(parts.bases[PlaneName.PUBLIC]), parts.clock
            ),
            *globalsign_routes(clients, utc_now),
            *digicert_routes(digicert.orders, digicert.deliveries),
            *renewal_routes(acme.renewals, parts.certificates),
            *pause_routes(acme.pauses),
            *incident_routes(incidents),
        ],
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
