"""A responder, and Pebbles to ask."""

from collections.abc import Iterator

import pytest

from certworker.issuers.acme import AcmeIssuerSettings
from tests.issuers.journey import Journey, make_request
from tests.issuers.memory import MemoryBoard, Responder, serving
from tests.issuers.pebble import Pebble, running_pebble
from tests.issuers.scripted_ca import ScriptedCA


@pytest.fixture(scope="session")
def responder() -> Iterator[Responder]:
    """Run a responder; each test hangs up its own board."""
    responder = Responder()
    with serving(responder.handler()) as port:
        responder.port = port
        yield responder


@pytest.fixture
def board(responder: Responder) -> MemoryBoard:
    """Hang up an empty board."""
    responder.board = MemoryBoard()
    return responder.board


@pytest.fixture(scope="session")
def pebble(responder: Responder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Run a Pebble that refuses three of ten good nonces."""
    with running_pebble(tmp_path_factory.mktemp("pebble"), responder.port, WFE_NONCEREJECT="30") as running:
        yield running


@pytest.fixture
def journey(pebble: Pebble, board: MemoryBoard) -> Journey:
    """Begin an issuance at Pebble."""
    return Journey(make_request(pebble.directory), board, AcmeIssuerSettings(ca_bundle=pebble.ca_bundle))


@pytest.fixture
def ca() -> Iterator[ScriptedCA]:
    """Run a CA that does what the test wrote down."""
    ca = ScriptedCA()
    with serving(ca.handler()) as port:
        ca.base = f"http://127.0.0.1:{port}"
        yield ca


@pytest.fixture
def ordering(ca: ScriptedCA) -> Journey:
    """Begin an issuance at the scripted CA."""
    return Journey(make_request(f"{ca.base}/directory"), MemoryBoard(), AcmeIssuerSettings(timeout_seconds=1.0))
