"""tls-alpn-01: the responder's handshakes, by Python's own TLS, by OpenSSL, and by Pebble."""

import hashlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from cryptography import x509

from certworker.api.handshakes import HandshakeResponder
from certworker.crypto.handshakes import ACME_IDENTIFIER
from certworker.errors import Unavailable
from certworker.issuers.acme import AcmeIssuerSettings, AcmeProvider, ChallengeSettings
from certworker.issuers.acme.issuance import POLITE
from certworker.issuers.challenges import handshake_token
from certworker.vault.issuance import Pending, Rejected
from tests.issuers.journey import Journey, assert_issued, make_request
from tests.issuers.memory import MemoryBoard
from tests.issuers.pebble import Pebble, running_pebble
from tests.support.clock import FakeClock

NAME, RESPONSE = "www.example.test", "token.thumbprint"


@dataclass
class Running:
    """A responder with a board of its own."""

    port: int
    board: MemoryBoard

    def find(self, token: str) -> str | None:
        """Look at the board that hangs there now."""
        if token == handshake_token("broken.example.test"):
            raise Unavailable("The database is away.")
        return self.board.find(token)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """Run a responder on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    running = Running(listener.getsockname()[1], MemoryBoard())
    responder = HandshakeResponder(running.find, FakeClock(), [listener])
    responder.start()
    yield running
    responder.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", running.port), 1)


@pytest.fixture
def board(running: Running) -> MemoryBoard:
    """Hang up a board with one response."""
    running.board = MemoryBoard()
    running.board.post(handshake_token(NAME), f"{NAME} {RESPONSE}", datetime(2100, 1, 1, tzinfo=UTC))
    return running.board


def shake_hands(
    port: int, name: str | None, *protocols: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> x509.Certificate:
    """Make a handshake as a CA does, and read what follows to its end; gives the certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(list(protocols))
    with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
        der = tls.getpeercert(binary_form=True)
        assert tls.selected_alpn_protocol() == "acme-tls/1"
        assert tls.recv(1) == b""
    assert der
    return x509.load_der_x509_certificate(der)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("name", "identifier"), [(NAME, NAME), ("WWW.Example.test", NAME), ("1.2.0.192.in-addr.arpa", "192.0.2.1")]
)
def test_the_certificate_says_what_the_challenge_asks(
    running: Running, board: MemoryBoard, name: str, identifier: str, version: ssl.TLSVersion
) -> None:
    """One name or address, and the digest in an extension that is critical; it is valid at the clock's time."""
    board.post(handshake_token(name), f"{identifier} {RESPONSE}", datetime(2100, 1, 1, tzinfo=UTC))
    certificate = shake_hands(running.port, name, "h2", "acme-tls/1", version=version)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one.value) for one in names] == [identifier]
    extension = certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER)
    assert extension.critical
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    assert extension.value.value == b"\x04\x20" + hashlib.sha256(RESPONSE.encode()).digest()
    assert certificate.not_valid_before_utc < FakeClock()() < certificate.not_valid_after_utc


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize(
    ("name", "protocols", "alert"),
    [
        (NAME, ("h2", "http/1.1"), "(?i)no[ _]application[ _]protocol"),
        (NAME, (), "(?i)no[ _]application[ _]protocol"),
        ("other.example.test", ("acme-tls/1",), "(?i)unrecognized[ _]name"),
        (None, ("acme-tls/1",), "(?i)unrecognized[ _]name"),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_everything_else_is_refused(
    running: Running,
    name: str | None,
    protocols: tuple[str, ...],
    alert: str,
    version: ssl.TLSVersion,
) -> None:
    """Another protocol or none, a name without a challenge or none: an alert, and no certificate."""
    with pytest.raises(ssl.SSLError, match=alert):
        shake_hands(running.port, name, *protocols, version=version)


def test_a_token_of_http01_is_no_name(running: Running, board: MemoryBoard) -> None:
    """What lies on the board for another challenge is not to be had by a server name."""
    board.post("token", RESPONSE, datetime(2100, 1, 1, tzinfo=UTC))
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized"):
        shake_hands(running.port, "token", "acme-tls/1")


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x3f\xff" + b"x" * 40_000, b"\x16\x03\x01"])
def test_nonsense_is_hung_up_on(running: Running, sent: bytes) -> None:
    """No TLS, too much of it, half of it: the next one is answered all the same."""
    with socket.create_connection(("127.0.0.1", running.port), 5) as plain:
        plain.sendall(sent)
        plain.shutdown(socket.SHUT_WR)
        try:
            while plain.recv(4096):
                pass
        except ConnectionResetError:
            pass
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shake_hands(running.port, "broken.example.test", "acme-tls/1")
    assert shake_hands(running.port, NAME, "acme-tls/1")


@pytest.mark.usefixtures("board")
def test_a_slow_one_holds_nobody_up(running: Running) -> None:
    """Fifty that say nothing, and one that is answered."""
    idle = [socket.create_connection(("127.0.0.1", running.port), 5) for _ in range(50)]
    assert shake_hands(running.port, NAME, "acme-tls/1")
    for one in idle:
        one.close()


@pytest.mark.usefixtures("board")
def test_a_hello_may_come_in_pieces(running: Running) -> None:
    """It is answered once it is whole."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["acme-tls/1"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hands = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
    with socket.create_connection(("127.0.0.1", running.port), 5) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while hands.version() is None or not hands.getpeercert(binary_form=True):
            with suppress(ssl.SSLWantReadError):
                hands.do_handshake()
            while piece := outgoing.read(60):
                plain.sendall(piece)
            incoming.write(plain.recv(4096))
    assert hands.selected_alpn_protocol() == "acme-tls/1"


@pytest.fixture(scope="module")
def pebble(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Run a Pebble that looks at this responder."""
    with running_pebble(tmp_path_factory.mktemp("pebble"), 1, tls_port=running.port, WFE_NONCEREJECT="30") as pebble:
        yield pebble


@pytest.fixture
def proving(running: Running, pebble: Pebble) -> Journey:
    """Begin an issuance by tls-alpn-01, with a board that the responder reads."""
    running.board = MemoryBoard()
    settings = AcmeIssuerSettings(pebble.ca_bundle, ChallengeSettings("tls-alpn-01"))
    return Journey(make_request(pebble.directory, NAME, "two.example.test"), running.board, settings)


@pytest.mark.system("pebble", "pebble-challtestsrv")
def test_pebble_is_convinced(proving: Journey) -> None:
    """Names in one order, each found by itself; nothing stays on the board."""
    proving.until_step("answered")
    assert set(proving.board.responses) == {handshake_token(NAME), handshake_token("two.example.test")}
    assert_issued(proving.run(), NAME, "two.example.test")
    assert (proving.board.responses, proving.board.notes) == ({}, {})


@pytest.mark.system("pebble", "pebble-challtestsrv")
def test_an_address_is_proven_by_its_reverse_name(proving: Journey) -> None:
    """RFC 8738: the name in the handshake is the reverse one, the certificate's is the address."""
    proving.request = replace(make_request(proving.request.account_id, "x.test"), names=("127.0.0.1",))
    proving.until_step("answered")
    assert set(proving.board.responses) == {handshake_token("1.0.0.127.in-addr.arpa")}
    result = proving.until(lambda result: not isinstance(result, Pending) or result.progress.get("step") == "cleared")
    assert isinstance(result, Pending), result


@pytest.mark.system("pebble", "pebble-challtestsrv")
def test_of_two_orders_for_one_name_the_second_waits(proving: Journey) -> None:
    """A handshake shows one certificate: the second says what it waits for, and is not held up for ever by one that died."""
    first, second = proving, replace(proving, request=replace(proving.request, operation_id="second"), seen=[])
    first.until_step("answered")
    responses = dict(first.board.responses)
    second.until_step("ordered")
    waiting = second.step()
    assert isinstance(waiting, Pending)
    assert "goes first" in str(waiting.waits_for)
    assert first.board.responses == responses
    provider = first.provider()
    assert isinstance(provider, AcmeProvider)
    assert provider.cancel(first.request, first.progress or {}, first.at) is None
    assert_issued(second.run(), NAME, "two.example.test")
    third = replace(proving, request=replace(proving.request, operation_id="third"), progress=None, seen=[])
    third.board.post(handshake_token(NAME), f"{NAME} of-one-that-died", datetime(2100, 1, 1, tzinfo=UTC))
    assert_issued(third.run(), NAME, "two.example.test")
    assert sum("goes first" in str(one) for one in third.seen) == POLITE


@pytest.mark.system("pebble", "pebble-challtestsrv")
def test_a_wildcard_is_refused_before_an_order(proving: Journey) -> None:
    """The message says what a wildcard needs."""
    proving.ask_for("*.example.test")
    result = proving.run()
    assert isinstance(result, Rejected)
    assert result.message == (
        "The wildcard *.example.test can be proven by dns-01 only, and the issuer ca has the challenge tls-alpn-01."
    )
    assert result.configuration
    assert "ordered" not in str(proving.seen)
