"""Fetching what certificates name, from real servers on loopback, some of them hostile."""

import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler

import pytest

from certworker.errors import BadParameter, Unavailable
from certworker.network.egress import AnswerTooLarge, EgressRefused
from certworker.network.revocation import ANSWER_BYTES, RevocationFetcher
from certworker.vault.revocation.sources import Fetched
from tests.issuers.memory import serving

TAG, DATE = '"a tag"', "Thu, 01 Jan 2026 00:00:00 GMT"


class Handler(BaseHTTPRequestHandler):
    """A server that does what its path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a request for a list."""
        match self.path:
            case "/list":
                known = self.headers["If-None-Match"] == TAG and self.headers["If-Modified-Since"] == DATE
                self._answer(304 if known else 200, b"" if known else b"a list", ETag=TAG, Last_Modified=DATE)
            case "/inward":
                self._answer(302, b"", Location="http://127.0.0.1:1/metadata")
            case "/data" | "/idna":
                self._answer(302, b"", Location={"/data": "data:,x", "/idna": "http://xn--/"}[self.path])
            case "/huge":
                self._answer(200, b"x" * 5000)
            case "/tags":
                self._answer(200, b"a list", ETag="x" * 5000)
            case "/drip":
                self._drip()
            case _:
                self._answer(503, b"", Retry_After="90")

    def do_POST(self) -> None:
        """Answer a request of OCSP with the request, or with too much."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fits = self.headers["Content-Type"] == "application/ocsp-request"
        self._answer(200 if fits else 415, body if self.path == "/ocsp" else b"x" * (ANSWER_BYTES + 1))

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content_Length": str(len(body))}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        self.close_connection = True
        try:
            for _ in range(50):
                self.wfile.write(b"H")
                time.sleep(0.02)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Run the server."""
    with serving(Handler) as port:
        yield port


def fetcher(seconds: float = 5.0) -> RevocationFetcher:
    """Make a fetcher that may reach `localhost` by name, and no address."""
    return RevocationFetcher(("localhost",), 4096, seconds)


def test_a_list_comes_with_what_it_is_asked_for_again_by(port: int) -> None:
    """The second time, the server says that it is the same."""
    found = fetcher().fetch(f"http://localhost:{port}/list")
    assert found == Fetched(b"a list", TAG, DATE)
    assert fetcher().fetch(f"http://localhost:{port}/list", TAG, DATE) is None
    assert fetcher().fetch(f"http://localhost:{port}/tags") == Fetched(b"a list")


def test_a_responder_is_asked(port: int) -> None:
    """The request goes out as it is, under its type."""
    assert fetcher().ask(f"http://localhost:{port}/ocsp", b"a request") == b"a request"


def test_a_private_address_is_refused_and_a_redirect_to_one(port: int) -> None:
    """What a certificate names is anybody's choice."""
    with pytest.raises(EgressRefused, match=r"network\.allow_private"):
        fetcher().fetch(f"http://127.0.0.1:{port}/list")
    with pytest.raises(EgressRefused):
        fetcher().fetch("http://169.254.169.254/latest/meta-data")
    with pytest.raises(EgressRefused):
        fetcher().fetch(f"http://localhost:{port}/inward")


@pytest.mark.parametrize("path", ["data", "idna"])
def test_a_redirect_to_what_is_no_url_is_an_answer_like_others(port: int, path: str) -> None:
    """No foreign exception comes of it."""
    with pytest.raises(Unavailable, match="redirects to what is no URL"):
        fetcher().fetch(f"http://localhost:{port}/{path}")


def test_size_and_time_are_bounded(port: int) -> None:
    """A list that is too long, an answer that is, and a server that drips."""
    with pytest.raises(AnswerTooLarge):
        fetcher().fetch(f"http://localhost:{port}/huge")
    with pytest.raises(AnswerTooLarge):
        RevocationFetcher(("localhost",), 1 << 22, 5.0).ask(f"http://localhost:{port}/too-much", b"a request")
    with pytest.raises(Unavailable):
        fetcher(0.2).fetch(f"http://localhost:{port}/drip")


def test_a_busy_server_says_when_to_come_again(port: int) -> None:
    """Its Retry-After is kept."""
    with pytest.raises(Unavailable, match="503") as raised:
        fetcher().fetch(f"http://localhost:{port}/busy")
    assert raised.value.retry_after == timedelta(seconds=90)


@pytest.mark.parametrize("url", ["http://[::bad/", "http://", "ftp://localhost/list", "http://xn--/", "data:,x"])
def test_what_is_no_url_of_the_web_is_refused(url: str) -> None:
    """It came out of a certificate, and may be anything."""
    with pytest.raises((BadParameter, Unavailable)):
        fetcher().fetch(url)
