"""Servers on sockets that others have bound, over real connections."""

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router

from certworker.api.serve import BackgroundServer, serve
from certworker.cli.sockets import bind, port_of
from tests.api.world import TestAuthority, World


class Gate:
    """An app whose requests to /slow wait until the test lets them go."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        self.app = Router([Route("/", self.quick), Route("/slow", self.slow)])

    async def quick(self, _: Request) -> Response:
        """Answer at once."""
        return PlainTextResponse("hello")

    def slow(self, _: Request) -> Response:
        """Answer once the gate is open."""
        self.entered.set()
        assert self.open.wait(10)
        return PlainTextResponse("done")


@contextmanager
def running(gate: Gate, context: ssl.SSLContext | None = None) -> Iterator[tuple[BackgroundServer, int]]:
    """Run the app in a thread."""
    sockets = bind(("127.0.0.1",), 0, "tests")
    server = BackgroundServer(gate.app, sockets, context, drain_seconds=5)
    server.start()
    try:
        yield server, port_of(sockets)
    finally:
        gate.open.set()
        server.stop()


def test_a_stop_lets_open_requests_finish() -> None:
    """What has begun is answered; what comes after finds nobody."""
    gate = Gate()
    with running(gate) as (server, port), ThreadPoolExecutor(2) as pool:
        slow = pool.submit(httpx.get, f"http://127.0.0.1:{port}/slow")
        assert gate.entered.wait(10)
        stopping = pool.submit(server.stop)
        gate.open.set()
        assert slow.result(10).text == "done"
        stopping.result(10)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/")


def test_a_stop_does_not_wait_for_idle_tls_connections(authority: TestAuthority) -> None:
    """A client that keeps a connection in its pool and never reads does not hold the server up."""
    trust = ssl.create_default_context(cafile=str(authority.bundle))
    with running(Gate(), authority.context) as (server, port), httpx.Client(verify=trust) as client:
        answer = client.get(f"https://localhost:{port}/")
        assert answer.text == "hello"
        assert "server" not in answer.headers
        server.stop()


def test_old_tls_is_refused(authority: TestAuthority) -> None:
    """TLS 1.2 is the least, whatever the context that was given would take."""
    old = ssl.create_default_context(cafile=str(authority.bundle))
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLS"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        running(Gate(), authority.context) as (_, port),
        socket.create_connection(("127.0.0.1", port)) as plain,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(plain, server_hostname="localhost")
    assert authority.context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_signal_ends_the_main_thread_in_order() -> None:
    """SIGTERM brings `serve` back, and the handler that was there before is there again."""
    before = signal.getsignal(signal.SIGTERM)
    sockets = bind(("127.0.0.1",), 0, "tests")
    port, seen = port_of(sockets), []

    def call_and_stop() -> None:
        seen.append(httpx.get(f"http://127.0.0.1:{port}/").text)
        os.kill(os.getpid(), signal.SIGTERM)

    caller = threading.Thread(target=call_and_stop)
    serve(Gate().app, sockets, drain_seconds=1, on_ready=caller.start)
    caller.join()
    assert seen == ["hello"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_huge_body_is_answered_over_tls(served: World, authority: TestAuthority) -> None:
    """A client that listens only after it has sent everything still hears that it was too much."""
    trust = ssl.create_default_context(cafile=str(authority.bundle))
    url = f"{served.vault_url}/certificates/web/create?api-version=7.4"
    with httpx.Client(verify=trust, headers=served.bearer()) as client:
        assert client.post(url, content=b" " * 3_000_000).status_code == 413
        assert client.get(url.replace("/web/create", "")).status_code == 200


def test_a_head_without_end_is_cut() -> None:
    """A header that never ends is refused before it fills the memory; one of a usual size is not."""
    with running(Gate()) as (_, port), socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        assert httpx.get(f"http://127.0.0.1:{port}/", headers={"X-Long": "a" * 30_000}).text == "hello"
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Endless: ")
        with pytest.raises(OSError, match=r"reset|pipe"):
            client.sendall(b"a" * 20_000_000)


def test_a_large_body_after_a_small_head_is_no_large_head() -> None:
    """Head and body in one piece, or in many: only the head is counted."""
    with running(Gate()) as (_, port), httpx.Client() as client:
        for _ in range(2):
            assert client.request("GET", f"http://127.0.0.1:{port}/", content=b"a" * 1_000_000).text == "hello"


def test_a_client_that_says_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an idle connection nor half a head holds a descriptor for ever; a slow answer is waited for."""
    monkeypatch.setattr("certworker.api.protocol.HEAD_SECONDS", 0.2)
    gate = Gate()
    with running(gate) as (_, port), ThreadPoolExecutor(1) as pool:
        slow = pool.submit(httpx.get, f"http://127.0.0.1:{port}/slow")
        for said in (b"", b"GET / HTTP/1.1\r\nHost: "):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(said)
                assert client.recv(1) == b""
        gate.open.set()
        assert slow.result(10).text == "done"


def test_a_client_that_goes_away_is_no_error_of_ours(
    served: World, authority: TestAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that stops halfway is told in one line; no traceback for whoever hangs up."""
    head = "POST /{}/oauth2/v2.0/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\ngrant_type="
    trust = ssl.create_default_context(cafile=str(authority.bundle))
    port = served.house.settings.server.port
    with caplog.at_level("INFO"), socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with trust.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(head.format(served.tenant).encode())
        await_line(caplog, "oauth2/v2.0/token 408")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def await_line(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until the log has a line."""
    deadline = time.monotonic() + 10
    while text not in caplog.text:
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.02)
