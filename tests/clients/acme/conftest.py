"""Authorities that serve for all tests of the room, with and without external accounts, and a zone that clients may change."""

from collections.abc import Iterator

import pytest

from tests.clients.acme.authority import Authority, serving_authority
from tests.support.named import Named, serving_zone

CLIENTS = (
    "acme-client",
    "caddy-http-01",
    "caddy-tls-alpn-01",
    "certbot-http-01",
    "certbot-daily",
    "lego-http-01",
    "lego-tls-alpn-01",
)


@pytest.fixture(scope="session", params=[(), CLIENTS], ids=["open", "bound"])
def authority(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """Serve an authority that validates by http-01 and tls-alpn-01."""
    with serving_authority(tmp_path_factory.mktemp("authority"), bound=request.param) as running:
        yield running


@pytest.fixture(scope="session")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    """Serve a zone that clients change by dynamic updates."""
    with serving_zone(tmp_path_factory.mktemp("named"), "dns.example.com") as running:
        yield running


@pytest.fixture(scope="session", params=[(), ("certbot", "lego")], ids=["open", "bound"])
def asking_authority(
    named: Named, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Authority]:
    """Serve an authority that asks this zone's name server, and so validates by dns-01."""
    folder = tmp_path_factory.mktemp("asking")
    with serving_authority(folder, bound=request.param, dns_server=named.address) as running:
        yield running
