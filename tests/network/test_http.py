"""The HTTP client under the egress rules, against real servers on loopback."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from certworker.errors import BadParameter, SettingsError
from certworker.network.egress import AnswerTooLarge, EgressRefused, EgressRules, SocketAddress, Unreachable
from certworker.network.http import Trust, build_client, read_body
from tests.issuers.memory import serving
from tests.issuers.pebble import write_certificate

LOOPBACK = EgressRules(("127.0.0.0/8", "::1"))


class Handler(BaseHTTPRequestHandler):
    """A server that does what its path says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer."""
        kind, _, rest = self.path[1:].partition("/")
        if kind == "to":
            self._head(302, Location=rest, Content_Length="0")
        elif kind == "loop":
            self._head(302, Location="/loop", Content_Length="0")
        elif kind == "packed":
            self._head(200, Content_Encoding="gzip", Content_Length="0")
        elif kind == "bytes":
            self._head(200, Content_Length=rest)
            self.wfile.write(b"x" * int(rest))
        elif kind == "drip":
            self._drip()
        else:
            body = f"{self.headers['Host']} {self.client_address[0]}".encode()
            self._head(200, Content_Length=str(len(body)))
            self.wfile.write(body)

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _drip(self) -> None:
        self.close_connection = True
        try:
            for _ in range(200):
                self.wfile.write(b"H")
                time.sleep(0.02)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Run a plain server."""
    with serving(Handler) as port:
        yield port


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Run a server with TLS for `localhost`; gives its port and the bundle that vouches for it."""
    key, certificate = write_certificate(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = QuietServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(Handler, server) as port:
        yield port, certificate


class QuietServer(ThreadingHTTPServer):
    """A server that says nothing when a client turns away from its certificate."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


def get(url: str, rules: EgressRules = LOOPBACK, ca_bundle: Path | None = None) -> str:
    """Fetch a text."""
    with build_client(rules, ca_bundle, 1.0) as client:
        return client.get(url).text


def test_an_answer_is_fetched(port: int) -> None:
    """The client speaks to the server under the name that the URL has."""
    assert get(f"http://localhost:{port}/") == f"localhost:{port} 127.0.0.1"


def test_the_address_that_was_checked_is_connected_to(port: int) -> None:
    """A name that resolves to something else the second time is looked up once, and gains nothing."""
    answers = iter(["127.0.0.1", "10.0.0.1", "10.0.0.1"])

    def rebinding(_: str, port: int) -> list[tuple[socket.AddressFamily, SocketAddress]]:
        return [(socket.AF_INET, (next(answers), port))]

    rules = EgressRules(("127.0.0.1",), lookup=rebinding)
    assert get(f"http://rebinding.test:{port}/", rules) == f"rebinding.test:{port} 127.0.0.1"
    with pytest.raises(EgressRefused, match=r"rebinding\.test"):
        get(f"http://rebinding.test:{port}/", rules)


def test_a_dead_address_is_followed_by_the_next(port: int) -> None:
    """One that refuses the connection is passed over."""
    dead_and_alive = [(socket.AF_INET, (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
    rules = EgressRules(("127.0.0.0/8",), lookup=lambda *_: dead_and_alive)
    assert get(f"http://two.test:{port}/", rules).endswith("127.0.0.1")


def test_a_private_target_is_refused(port: int) -> None:
    """Without the setting nothing on loopback is spoken to."""
    with pytest.raises(EgressRefused, match=r"network\.allow_private"):
        get(f"http://127.0.0.1:{port}/", EgressRules())


def test_a_redirect_is_followed_within_the_rules(port: int) -> None:
    """One hop to an allowed host."""
    assert get(f"http://127.0.0.1:{port}/to/http://localhost:{port}/") == f"localhost:{port} 127.0.0.1"


def test_a_redirect_to_a_private_address_is_refused(port: int) -> None:
    """Each hop is checked like the first."""
    rules = EgressRules(("127.0.0.1",))
    for target in ("http://169.254.169.254/latest", "http://10.0.0.1/", f"http://[::1]:{port}/"):
        with pytest.raises(EgressRefused):
            get(f"http://127.0.0.1:{port}/to/{target}", rules)


def test_redirects_end(port: int) -> None:
    """After three it is enough."""
    with pytest.raises(EgressRefused, match="more than 3 times"):
        get(f"http://127.0.0.1:{port}/loop")


def test_https_is_not_left_by_a_redirect(secure: tuple[int, Path], port: int) -> None:
    """From https to http is a step down."""
    with pytest.raises(EgressRefused, match="from https to http"):
        get(f"https://localhost:{secure[0]}/to/http://127.0.0.1:{port}/", ca_bundle=secure[1])


def test_tls_is_verified(secure: tuple[int, Path]) -> None:
    """The bundle vouches for the server; without it, and under another name, the server is not spoken to."""
    port, bundle = secure
    assert get(f"https://localhost:{port}/", ca_bundle=bundle) == f"localhost:{port} 127.0.0.1"
    with pytest.raises(Unreachable, match="certificate verify failed"):
        get(f"https://localhost:{port}/")
    with pytest.raises(Unreachable, match="certificate verify failed"):
        get(f"https://127.0.0.1:{port}/", ca_bundle=bundle)


def test_an_answer_has_a_size(port: int) -> None:
    """A byte more than the rules allow is too much."""
    rules = EgressRules(("127.0.0.1",), answer_bytes=1000)
    assert len(get(f"http://127.0.0.1:{port}/bytes/1000", rules)) == 1000
    with pytest.raises(AnswerTooLarge):
        get(f"http://127.0.0.1:{port}/bytes/1001", rules)


def test_a_streamed_body_can_be_bounded_further(port: int) -> None:
    """A caller may want less than the rules allow."""
    with build_client(LOOPBACK) as client:
        with client.stream("GET", f"http://127.0.0.1:{port}/bytes/10") as response:
            assert read_body(response, 10) == b"x" * 10
        with client.stream("GET", f"http://127.0.0.1:{port}/bytes/11") as response, pytest.raises(AnswerTooLarge):
            read_body(response, 10)


def test_a_packed_answer_is_refused(port: int) -> None:
    """None was asked for, and it could unpack to anything."""
    with pytest.raises(Unreachable, match="encoded"):
        get(f"http://127.0.0.1:{port}/packed")


def test_an_exchange_has_a_time(port: int) -> None:
    """A server that sends its head a byte at a time does not outlast the whole."""
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        get(f"http://127.0.0.1:{port}/drip", EgressRules(("127.0.0.1",), total=timedelta(seconds=0.2)))
    assert time.monotonic() - begun < 2


def test_silence_and_a_slammed_door_are_unreachable() -> None:
    """A server that accepts and says nothing, one that hangs up, and one that is not there."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/secret?token=x"
        with build_client(LOOPBACK, None, 0.2) as client, pytest.raises(Unreachable, match="in time") as waited:
            client.get(url)
        hang_up = threading.Thread(target=_hang_up, args=(silent, 2))
        hang_up.start()
        with pytest.raises(Unreachable):
            get(url)
        hang_up.join()
    with pytest.raises(Unreachable, match="cannot be reached") as gone:
        get(url)
    assert "secret" not in f"{waited.value} {gone.value}"


def _hang_up(server: socket.socket, times: int) -> None:
    for _ in range(times):
        server.accept()[0].close()


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "nowhere", "http://", "//x"])
def test_only_http_is_spoken(url: str) -> None:
    """What is no HTTP URL is not asked."""
    with pytest.raises((Unreachable, BadParameter)):
        get(url)


def test_no_url_is_a_bad_parameter() -> None:
    """A URL that cannot be read is the caller's mistake."""
    with pytest.raises(BadParameter):
        get("http://127.0.0.1:port/")


def test_a_missing_bundle_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(SettingsError, match=r"none\.pem"):
        build_client(LOOPBACK, tmp_path / "none.pem")


def test_a_bundle_that_changes_is_read_again(secure: tuple[int, Path], tmp_path: Path) -> None:
    """What a process has loaded never outlives the file that it came from."""
    port, bundle = secure
    trust, copy = Trust(), tmp_path / "bundle.pem"
    write_certificate(tmp_path)[1].rename(copy)
    with build_client(LOOPBACK, copy, trust=trust) as client, pytest.raises(Unreachable, match="certificate verify failed"):
        client.get(f"https://localhost:{port}/")
    first = trust.context(copy)
    assert trust.context(copy) is first
    copy.write_bytes(bundle.read_bytes() * 2)
    with build_client(LOOPBACK, copy, trust=trust) as client:
        assert client.get(f"https://localhost:{port}/").status_code == 200


def test_the_public_authorities_are_loaded_once_for_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many clients there are; what speaks another protocol has its own, into which no client writes `http/1.1`."""
    build_client(LOOPBACK).close()
    loaded: list[ssl.SSLContext] = []
    load = ssl.create_default_context

    def noting(cafile: str | None = None) -> ssl.SSLContext:
        loaded.append(load(cafile=cafile))
        return loaded[-1]

    monkeypatch.setattr(ssl, "create_default_context", noting)
    for trust in (None, Trust()):
        build_client(LOOPBACK, trust=trust).close()
    assert not loaded
    assert Trust().context(None) is loaded[0]


def test_the_environment_has_no_say(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment would go past the rules."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert get(f"http://127.0.0.1:{port}/").endswith("127.0.0.1")
