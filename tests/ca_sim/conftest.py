"""An authority that serves for all tests of the room, an applicant's web server, and a registered client."""

from collections.abc import Iterator

import pytest

from ca_sim.clock import utc_now
from ca_sim.server import Running, serve_in_thread
from ca_sim.settings import Settings, read
from tests.ca_sim.caller import Caller, calling
from tests.ca_sim.responder import Responder


def settings_for(responder: Responder, **changed: object) -> Settings:
    """Make settings with free ports that validate at the responder."""
    quick: dict[str, object] = {
        "port": 0,
        "management_port": 0,
        "public_port": 0,
        "digicert": {"port": 0},
        "globalsign": {"port": 0},
        "http01_port": responder.port,
        "retry_after_seconds": 0,
        "validation_timeout_seconds": 2,
        "orders_per_page": 2,
        "blocked_identifiers": ["blocked.test"],
        "resolver": {"*": "127.0.0.1", "v6.test": "::1"},
        "profiles": {"long": {"validity_seconds": 7_776_000}, "brief": {"validity_seconds": 300}},
    }
    if "dns_server" in changed:
        del quick["resolver"]
    return read(quick | changed)


@pytest.fixture(scope="session")
def responder() -> Iterator[Responder]:
    """Serve the pages of an applicant."""
    pages = Responder()
    with pages.served():
        yield pages


@pytest.fixture(scope="session")
def running(responder: Responder) -> Iterator[Running]:
    """Serve an authority in memory."""
    with serve_in_thread(settings_for(responder), utc_now) as authority:
        yield authority


@pytest.fixture
def caller(running: Running) -> Iterator[Caller]:
    """Make a client with an account of its own."""
    with calling(running) as client:
        assert client.register().status_code == 201
        yield client
