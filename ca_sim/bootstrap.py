"""The wiring: makes an authority of settings, clock and base URL. The only place where the parts meet."""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from starlette.types import ASGIApp

from ca_sim.acme.accounts import Accounts
from ca_sim.acme.api import AcmeApi
from ca_sim.acme.certificates import Certificates
from ca_sim.acme.nonces import Nonces
from ca_sim.acme.orders import Orders
from ca_sim.acme.urls import DIRECTORY, Urls
from ca_sim.authority.hierarchy import Authority, key_pem, open_authority
from ca_sim.background import Background
from ca_sim.book import Book
from ca_sim.clock import Clock, utc_now
from ca_sim.files import write_whole
from ca_sim.management.api import ManagementApi
from ca_sim.settings import Settings
from ca_sim.validation.http01 import Http01
from ca_sim.validation.resolver import make_resolver


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An authority at work: its two applications and what is behind them."""

    acme: ASGIApp
    management: ASGIApp
    authority: Authority
    orders: Orders
    directory_url: str


@contextmanager
def build(settings: Settings, clock: Clock, background: Background, base_url: str) -> Iterator[House]:
    """Open keys and book, and wire an authority whose URLs start with `base_url`. Raises StateError."""
    state = settings.state
    authority = open_authority(state and state / "authority", settings.key_type, clock())
    book = Book(state and state / "book.sqlite")
    try:
        urls = Urls(base_url)
        accounts = Accounts(book, settings, clock, urls)
        http01 = Http01(make_resolver(settings), port=settings.http01_port, timeout_seconds=settings.validation_timeout_seconds)
        orders = Orders(book, authority, settings, clock, validators={"http-01": http01}, worker=background)
        certificates = Certificates(book, clock)
        nonces = Nonces(timedelta(seconds=settings.nonce_lifetime_seconds))
        acme = AcmeApi(
            accounts=accounts,
            orders=orders,
            certificates=certificates,
            nonces=nonces,
            settings=settings,
            clock=clock,
            urls=urls,
        )
        management = ManagementApi(
            book=book,
            orders=orders,
            certificates=certificates,
            authority=authority,
            settings=settings,
            clock=clock,
            directory_url=urls.of(DIRECTORY),
        )
        yield House(
            acme=acme.app(),
            management=management.app(),
            authority=authority,
            orders=orders,
            directory_url=urls.of(DIRECTORY),
        )
    finally:
        book.close()


def server_context(authority: Authority, settings: Settings) -> ssl.SSLContext:
    """Make the TLS context of the ACME server with a new key and a certificate of the authority (TLS 1.2 at least).

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
    return context
