"""certworker's ACME provider at servers that others wrote: only the issuer record and its settings differ."""

import os
import secrets
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from certworker.crypto.x509 import read_certificate
from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider, ChallengeSettings, DnsSettings
from certworker.vault.issuance import Rejected
from tests.clients.acme.openbao import serving_openbao
from tests.clients.acme.programs import INSTALLED
from tests.issuers.journey import Journey, assert_issued, make_request
from tests.issuers.memory import MemoryBoard, Responder, serving
from tests.issuers.pebble import BINDING_KEY, running_pebble
from tests.support.named import Named, serving_zone


@dataclass(frozen=True)
class Server:
    """A server: what an issuer record and its settings say of it, and how to see that it revoked a serial number.

    `board` is what the responder shows where the server validates, `reason` one that it takes for a revocation.
    """

    directory: str
    credential: str | None
    settings: AcmeIssuerSettings
    board: MemoryBoard
    is_revoked: Callable[[str], bool]
    reason: int

    def journey(self, *names: str) -> Journey:
        """Begin an issuance as a stranger to the server."""
        return Journey(make_request(self.directory, *names, credential=self.credential), self.board, self.settings)


@pytest.fixture(params=["open", "bound"])
def bound(request: pytest.FixtureRequest) -> bool:
    """Tell whether an external account is asked for."""
    return bool(request.param == "bound")


@pytest.fixture
def pebble(bound: bool, tmp_path: Path) -> Iterator[Server]:  # noqa: FBT001 - a fixture's value
    """Run a Pebble that refuses three of ten good nonces, and a responder where it validates."""
    responder, credential = Responder(), f"kid-1:{BINDING_KEY}" if bound else None
    with (
        serving(responder.handler()) as port,
        running_pebble(tmp_path, port, binding=bound, WFE_NONCEREJECT="30") as running,
        httpx.Client(verify=ssl.create_default_context(cafile=running.ca_bundle)) as client,
    ):

        def is_revoked(serial: str) -> bool:
            told = client.get(f"{running.management}/cert-status-by-serial/{serial}").raise_for_status().json()
            return bool(told["Status"] == "Revoked")

        settings = AcmeIssuerSettings(ca_bundle=running.ca_bundle)
        yield Server(running.directory, credential, settings, responder.board, is_revoked, reason=4)


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Named]:
    """Serve a zone whose names have a loopback address of their own, so that port 80 is free there."""
    address = ".".join(["127", *(str(secrets.randbelow(254) + 1) for _ in range(3))])
    with serving_zone(tmp_path / "zone", "bao.example.com", address) as running:
        yield running


@pytest.fixture
def openbao(bound: bool, named: Named, tmp_path: Path) -> Iterator[Server]:  # noqa: FBT001 - a fixture's value
    """Run an OpenBao that looks up names at the zone's server."""
    with serving_openbao(tmp_path / "bao", named.address) as running:
        credential = running.require_external_account() if bound else None
        settings = AcmeIssuerSettings(ca_bundle=str(running.bundle))
        yield Server(running.directory, credential, settings, MemoryBoard(), running.is_revoked, reason=0)


@contextmanager
def responding_on_port_80(named: Named) -> Iterator[MemoryBoard]:
    """Answer http-01 challenges where OpenBao looks, which is always port 80."""
    responder = Responder()
    try:
        listening = ThreadingHTTPServer((named.target, 80), responder.handler())
    except PermissionError:
        lacks = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        lacks("OpenBao validates on port 80 only: the right to listen there is needed")
    with serving(responder.handler(), listening):
        yield responder.board


def go_all_the_way(server: Server, *names: str) -> None:
    """Obtain, renew with what it replaces, and revoke; every step is taken by a provider that knows nothing yet."""
    journey = server.journey(*names)
    first = assert_issued(journey.run(), *names)
    renewing = replace(journey.request, replaces=first.chain[0], replaced=first.progress)
    renewal = replace(journey, request=renewing, progress=None, seen=[])
    second = assert_issued(renewal.run(), *names)
    serial = read_certificate(second.chain[0]).serial
    assert serial != read_certificate(first.chain[0]).serial
    assert not server.is_revoked(serial)
    provider = journey.provider()
    assert isinstance(provider, AcmeProvider)
    asked = provider.revoke(replace(journey.request, csr=b"", names=()), second.chain[0], server.reason, journey.at)
    assert asked.done, asked.message
    assert server.is_revoked(serial)


def assert_asks_for_an_account(server: Server, name: str) -> None:
    """Show that the server takes no account without the external one, and that the issuer's owner is told."""
    result = replace(server, credential=None).journey(name).run()
    assert isinstance(result, Rejected), result
    assert result.configuration
    assert "external account" in result.message


@pytest.mark.system("pebble", "pebble-challtestsrv")
def test_at_pebble(pebble: Server) -> None:
    """Three of ten nonces are refused, and a certificate is obtained, renewed and revoked all the same."""
    if pebble.credential:
        assert_asks_for_an_account(pebble, "www.example.test")
    go_all_the_way(pebble, "www.example.test", "two.example.test")


@pytest.mark.system("named")
@pytest.mark.installed(INSTALLED)
def test_at_openbao(openbao: Server, named: Named) -> None:
    """OpenBao's PKI engine issues, renews and revokes by http-01."""
    if openbao.credential:
        assert_asks_for_an_account(openbao, named.zone)
    with responding_on_port_80(named) as board:
        go_all_the_way(replace(openbao, board=board), named.zone, f"www.{named.zone}")


@pytest.mark.system("named")
@pytest.mark.installed(INSTALLED)
@pytest.mark.parametrize("bound", [False], ids=["open"])
def test_a_wildcard_at_openbao(openbao: Server, named: Named, tmp_path: Path) -> None:
    """A name and all below it are proven by dynamic updates of the zone, and nothing is left in it."""
    secret = tmp_path / "tsig"
    secret.touch(mode=0o600)
    secret.write_text(named.secret)
    zone = DnsSettings(
        server=named.address, key_name=named.key, key_algorithm=named.algorithm, key_file=secret, servers=(named.address,)
    )
    settings = replace(openbao.settings, challenge=ChallengeSettings("dns-01", dns=zone))
    go_all_the_way(replace(openbao, settings=settings), named.zone, f"*.{named.zone}")
    assert not named.texts(f"_acme-challenge.{named.zone}")
