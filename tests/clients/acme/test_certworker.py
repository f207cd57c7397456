"""certworker's ACME provider at servers that others wrote: only the issuer record and its settings differ."""

import os
import secrets
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from certworker.crypto.x509 import read_certificate
from certworker.issuers.acme import AcmeIssuerSettings
from certworker.vault.issuance import Rejected
from tests.clients.acme.openbao import serving_openbao
from tests.clients.acme.programs import INSTALLED
from tests.issuers.journey import Journey, assert_issued, make_request
from tests.issuers.memory import MemoryBoard, Responder, serving
from tests.issuers.pebble import BINDING_KEY, running_pebble
from tests.support.named import serving_zone

ZONE = "bao.example.com"
HTTP_PORT = 80


@dataclass(frozen=True)
class Server:
    """A server: what an issuer record says of it, and how to see that it revoked a certificate (by serial number)."""

    directory: str
    bundle: str
    credential: str | None
    is_revoked: Callable[[str], bool]


@pytest.fixture(params=["open", "bound"])
def bound(request: pytest.FixtureRequest) -> bool:
    """Tell whether an external account is asked for."""
    return bool(request.param == "bound")


@pytest.fixture
def pebble(bound: bool, tmp_path: Path) -> Iterator[tuple[Server, Responder]]:  # noqa: FBT001 - a fixture's value
    """Run a Pebble that refuses three of ten good nonces, and a responder where it validates."""
    responder = Responder()
    with (
        serving(responder.handler()) as port,
        running_pebble(tmp_path, port, binding=bound, WFE_NONCEREJECT="30") as running,
        httpx.Client(verify=ssl.create_default_context(cafile=running.ca_bundle)) as client,
    ):

        def is_revoked(serial: str) -> bool:
            told = client.get(f"{running.management}/cert-status-by-serial/{serial}").raise_for_status().json()
            return bool(told["Status"] == "Revoked")

        yield Server(running.directory, running.ca_bundle, f"kid-1:{BINDING_KEY}" if bound else None, is_revoked), responder


@pytest.fixture
def openbao(bound: bool, tmp_path: Path) -> Iterator[tuple[Server, Responder]]:  # noqa: FBT001 - a fixture's value
    """Run an OpenBao, which validates on port 80 only: the responder is there, on a loopback address of its own."""
    responder, address = Responder(), ".".join(["127", *(str(secrets.randbelow(254) + 1) for _ in range(3))])
    try:
        listening = ThreadingHTTPServer((address, HTTP_PORT), responder.handler())
    except PermissionError:
        lacks = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        lacks("OpenBao validates on port 80 only: the right to listen there is needed")
    with (
        serving(responder.handler(), listening),
        serving_zone(tmp_path / "zone", ZONE, address) as named,
        serving_openbao(tmp_path / "bao", named.address) as running,
    ):
        credential = running.require_external_account() if bound else None
        yield Server(running.directory, str(running.bundle), credential, running.is_revoked), responder


def go_all_the_way(server: Server, responder: Responder, name: str) -> None:
    """Obtain, and renew with what it replaces; every step is taken by a provider that knows nothing yet."""
    responder.board = MemoryBoard()
    request = make_request(server.directory, name, credential=server.credential)
    journey = Journey(request, responder.board, AcmeIssuerSettings(ca_bundle=server.bundle))
    first = assert_issued(journey.run(), name)
    renewal = replace(journey, request=replace(request, replaces=first.chain[0]), progress=None, seen=[])
    second = assert_issued(renewal.run(), name)
    serial = read_certificate(second.chain[0]).serial
    assert serial != read_certificate(first.chain[0]).serial
    assert not server.is_revoked(serial)


def assert_refused_without_the_account(server: Server, responder: Responder, name: str) -> None:
    """Show that the server does ask for the external account, and that the issuer's owner is told."""
    request = make_request(server.directory, name)
    result = Journey(request, responder.board, AcmeIssuerSettings(ca_bundle=server.bundle)).run()
    assert isinstance(result, Rejected), result
    assert result.configuration
    assert "external account" in result.message


@pytest.mark.system("pebble", "pebble-challtestsrv")
def test_at_pebble(pebble: tuple[Server, Responder]) -> None:
    """Three of ten nonces are refused, and a certificate is obtained and renewed all the same."""
    server, responder = pebble
    if server.credential:
        assert_refused_without_the_account(server, responder, "www.example.test")
    go_all_the_way(server, responder, "www.example.test")


@pytest.mark.system("named")
@pytest.mark.installed(INSTALLED)
def test_at_openbao(openbao: tuple[Server, Responder]) -> None:
    """OpenBao's PKI engine issues and renews."""
    server, responder = openbao
    if server.credential:
        assert_refused_without_the_account(server, responder, f"www.{ZONE}")
    go_all_the_way(server, responder, f"www.{ZONE}")
