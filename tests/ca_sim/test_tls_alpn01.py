"""tls-alpn-01 against a TLS server: what proves control, and each way not to (RFC 8737, RFC 8738)."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ca_sim.acme.jose import key_authorization, public_jwk
from ca_sim.clock import utc_now
from ca_sim.identifiers import Identifier
from ca_sim.problems import ConnectionFailedError, DnsError, ProblemError, TlsError, UnauthorizedError
from ca_sim.server import serve_in_thread
from ca_sim.settings import read
from ca_sim.validation.resolver import make_resolver
from ca_sim.validation.tls_alpn01 import TlsAlpn01
from tests.ca_sim.caller import PROBLEM, calling
from tests.ca_sim.conftest import settings_for
from tests.ca_sim.responder import CHALLENGES, Page, Responder
from tests.ca_sim.tls_responder import TlsResponder, make_pair, proof_of

NAME = Identifier("dns", "www.tls.test")
AUTHORIZATION = "token.thumbprint"
PROOF = proof_of(AUTHORIZATION)


@pytest.fixture(scope="module")
def tls() -> Iterator[TlsResponder]:
    """Serve TLS."""
    responder = TlsResponder()
    with responder.served():
        yield responder


def validate(identifier: Identifier, port: int, *, seconds: float = 5, table: dict[str, str] | None = None) -> None:
    """Validate at a port of loopback."""
    resolve = make_resolver(read({"resolver": table or {"*": "127.0.0.1"}}))
    challenge = TlsAlpn01(resolve, port=port, timeout_seconds=seconds)
    asyncio.run(challenge(identifier, "token", AUTHORIZATION))


@pytest.mark.parametrize(
    ("identifier", "name", "asked"),
    [
        (NAME, "www.tls.test", "www.tls.test"),
        (NAME, "WWW.TLS.test", "www.tls.test"),
        (Identifier("ip", "192.0.2.7"), "192.0.2.7", "7.2.0.192.in-addr.arpa"),
        (Identifier("ip", "2001:db8::1"), "2001:db8::1", f"1.{'0.' * 23}8.b.d.0.1.0.0.2.ip6.arpa"),
    ],
)
def test_the_right_certificate_proves_control(tls: TlsResponder, identifier: Identifier, name: str, asked: str) -> None:
    """The server is asked for the name, or for the address's reverse name."""
    tls.show(make_pair([name], PROOF))
    validate(identifier, tls.port)
    assert tls.names[-1] == asked


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        (make_pair(["other.test"], PROOF), "not for www.tls.test alone"),
        (make_pair(["www.tls.test", "other.test"], PROOF), "not for www.tls.test alone"),
        (make_pair(["www.tls.test", "192.0.2.7"], PROOF), "not for www.tls.test alone"),
        (make_pair(["192.0.2.7"], PROOF), "not for www.tls.test alone"),
        (make_pair([], PROOF), "has no subjectAltName"),
        (make_pair(["www.tls.test"], None), "has no acmeIdentifier"),
        (make_pair(["www.tls.test"], PROOF, critical=False), "not critical"),
        (make_pair(["www.tls.test"], proof_of("token.other")), "of something else"),
        (make_pair(["www.tls.test"], PROOF[2:]), "of something else"),
        (make_pair(["www.tls.test"], PROOF, foreign=True), "signed by itself"),
        (make_pair(["www.tls.test"], PROOF, issuer="somebody"), "signed by itself"),
    ],
    ids=["name", "one more", "address too", "address", "no name", "no proof", "not critical", "proof", "raw", "key", "issuer"],
)
def test_another_certificate_proves_nothing(tls: TlsResponder, pair: bytes, says: str) -> None:
    """The problem says what is wrong with it."""
    tls.show(pair)
    with pytest.raises(UnauthorizedError, match=says):
        validate(NAME, tls.port)


@pytest.mark.parametrize("protocols", [["http/1.1"], []])
def test_the_protocol_must_be_negotiated(tls: TlsResponder, protocols: list[str]) -> None:
    """A server that does not know the protocol proves nothing, whatever it shows."""
    tls.show(make_pair(["www.tls.test"], PROOF), protocols)
    with pytest.raises(UnauthorizedError, match="does not negotiate acme-tls/1"):
        validate(NAME, tls.port)


@contextmanager
def saying(*words: bytes) -> Iterator[int]:
    """Serve one connection without TLS: say the words and hang up; without words stay silent until the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def work() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                for word in words:
                    connection.sendall(word)
                if not words:
                    connection.recv(1)

        thread = threading.Thread(target=work)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("words", "problem"), [([b"HTTP/1.1 400 \r\n\r\n"], TlsError), ([b""], ConnectionFailedError), ([], ConnectionFailedError)]
)
def test_what_is_no_tls_is_told(words: list[bytes], problem: type[ProblemError]) -> None:
    """Other words are a problem of TLS; hanging up and silence are ones of the connection, silence in good time."""
    with saying(*words) as port, pytest.raises(problem):
        validate(NAME, port, seconds=0.3)


def test_a_server_that_is_not_there_is_told() -> None:
    """Nobody listens, or there is no address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectionFailedError, match=f"127.0.0.1 port {port}"):
        validate(NAME, port)
    with pytest.raises(DnsError):
        validate(NAME, port, table={"*.elsewhere": "127.0.0.1"})


@pytest.mark.parametrize(("kind", "value"), [("dns", "whole.tls.test"), ("ip", "127.0.0.1")])
def test_an_order_is_authorized_by_it(responder: Responder, tls: TlsResponder, kind: str, value: str) -> None:
    """The challenge is offered beside http-01, answered, looked at, and the authorization is valid."""
    with serve_in_thread(settings_for(responder, tlsalpn01_port=tls.port), utc_now) as authority, calling(authority) as client:
        client.register()
        order = client.post(client.directory["newOrder"], {"identifiers": [{"type": kind, "value": value}]}).json()
        challenge = client.challenge(order["authorizations"][0], "tls-alpn-01")
        right = key_authorization(challenge["token"], public_jwk(client.key.public_key()))
        tls.show(make_pair([value], proof_of(right)))
        client.post(challenge["url"], {})
        authorization = client.settled(order["authorizations"][0])
        assert authorization["status"] == "valid", authorization
        assert [offered["type"] for offered in authorization["challenges"]] == ["http-01", "tls-alpn-01"]


def test_a_redirect_to_https_that_is_none_is_told(responder: Responder) -> None:
    """A server without TLS at that port is a problem of TLS."""
    with (
        serve_in_thread(settings_for(responder, tlsalpn01_port=responder.port), utc_now) as authority,
        calling(authority) as client,
    ):
        client.register()
        order = client.order("plain.test").json()
        challenge = client.challenge(order["authorizations"][0])
        responder.pages[CHALLENGES + challenge["token"]] = Page(b"", 301, {"Location": "https://plain.test/"})
        client.post(challenge["url"], {})
        settled = client.settled(order["authorizations"][0])
        assert settled["challenges"][0]["error"]["type"] == PROBLEM + "tls"


@pytest.mark.parametrize("port", ["", "own"])
def test_http01_may_be_redirected_to_https(responder: Responder, tls: TlsResponder, port: str) -> None:
    """The page is fetched over TLS whose certificate is not checked, at the usual port or the one in its place."""
    name = f"redirected{port}.test"
    with serve_in_thread(settings_for(responder, tlsalpn01_port=tls.port), utc_now) as authority, calling(authority) as client:
        client.register()
        order = client.order(name).json()
        challenge = client.challenge(order["authorizations"][0])
        right = key_authorization(challenge["token"], public_jwk(client.key.public_key()))
        tls.show(make_pair(["whatever.test"], None), ["http/1.1"])
        tls.answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(right)}\r\n\r\n{right}".encode()
        target = f"https://{name}{f':{tls.port}' if port else ''}/there"
        responder.pages[CHALLENGES + challenge["token"]] = Page(b"", 301, {"Location": target})
        client.post(challenge["url"], {})
        authorization = client.settled(order["authorizations"][0])
        tls.answer = b""
        assert authorization["status"] == "valid", authorization
        assert tls.names[-1] == name
