"""A server that lies gets no secret and no token, and what it says is told on one line."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from certworker.cli.client import connect
from certworker.cli.logins import Login
from certworker.cli.status import _ask, _changes
from certworker.errors import BadParameter, CertworkerError, Unauthenticated, Unavailable
from tests.api.world import TestAuthority

SECRET = "a-secret-that-must-not-be-shown"
Answer = tuple[int, dict[str, str], object]


@dataclass
class Liar:
    """Answers by path as a test wrote it down: status, headers, body. `asked` are the requests, with their bodies.

    What `first` holds for a path is answered before that, one after the other.
    """

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    first: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def vault_url(self) -> str:
        """Its address as a vault."""
        return f"https://contoso.vault.localhost:{self.port}"

    def challenge(self, authorization: str | None = None, resource: str | None = None) -> None:
        """Ask for a token, of the right authority and for itself unless told otherwise."""
        authorization = authorization or f"https://login.localhost:{self.port}/tenant"
        resource = resource or f"https://vault.localhost:{self.port}"
        header = f'Bearer authorization="{authorization}", resource="{resource}"'
        self.answers["/certificates"] = (401, {"WWW-Authenticate": header}, {"error": {"message": "no token"}})
        self.answers["/tenant/oauth2/v2.0/token"] = (200, {}, {"access_token": "a-token"})

    def login(self, **more: str) -> Login:
        """Go there."""
        return Login(**{"vault_url": self.vault_url, "client_id": "client", "client_secret": SECRET, **more})

    def answer(self, path: str) -> Answer:
        """Give what comes next for a path."""
        if self.first.get(path):
            return self.first[path].pop(0)
        return self.answers.get(path, (404, {}, {"error": {"message": "nothing here"}}))

    def bodies(self) -> str:
        """Give all that was sent to it."""
        return " ".join(body for _, _, body in self.asked)


@pytest.fixture
def liar(authority: TestAuthority) -> Iterator[Liar]:
    """Serve it over TLS."""
    liar = Liar()
    with serving(liar, authority.context):
        yield liar


@contextmanager
def serving(liar: Liar, context: ssl.SSLContext) -> Iterator[None]:
    """Serve for as long as this lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            liar.asked.append((path, self.headers.get("Authorization", ""), body))
            status, headers, content = liar.answer(path)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        liar.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def ask(liar: Liar, trusted: TestAuthority, /, **more: str) -> object:
    """Ask for something."""
    with connect(liar.login(ca_bundle=str(trusted.bundle), **more)) as vault:
        found: object = vault.call("GET", "/secrets/web")
        return found


def test_an_authority_elsewhere_gets_no_secret(liar: Liar, authority: TestAuthority) -> None:
    """The vault cannot send the secret to whom it likes; whoever means it names that authority."""
    liar.challenge(authorization=f"https://evil.vault.localhost:{liar.port}/tenant")
    with pytest.raises(Unauthenticated, match="--authority"):
        ask(liar, authority)
    assert SECRET not in liar.bodies()
    liar.answers["/secrets/web"] = (200, {}, {"value": 1})
    assert ask(liar, authority, authority=f"https://evil.vault.localhost:{liar.port}") == {"value": 1}


def test_an_authority_without_tls_gets_no_secret(liar: Liar, authority: TestAuthority) -> None:
    """Even in the vault's own domain."""
    liar.challenge(authorization=f"http://login.localhost:{liar.port}/tenant")
    with pytest.raises(Unauthenticated):
        ask(liar, authority)
    assert SECRET not in liar.bodies()


@pytest.mark.parametrize("resource", ["https://vault.example.com", "https://other.localhost", "nonsense", "https://"])
def test_a_token_for_something_else_is_not_asked_for(liar: Liar, authority: TestAuthority, resource: str) -> None:
    """It would open more than the vault that was named."""
    liar.challenge(resource=resource)
    with pytest.raises(Unauthenticated, match="not its own domain"):
        ask(liar, authority)
    assert SECRET not in liar.bodies()


@pytest.mark.parametrize("path", ["/certificates", "/secrets/web", "/tenant/oauth2/v2.0/token"])
def test_no_redirect_is_followed(liar: Liar, authority: TestAuthority, path: str) -> None:
    """It could carry a secret or a token elsewhere."""
    liar.challenge()
    liar.answers[path] = (307, {"Location": "/elsewhere"}, b"")
    with pytest.raises(CertworkerError):
        ask(liar, authority)
    assert "/elsewhere" not in [asked for asked, _, _ in liar.asked]


def test_a_next_page_elsewhere_is_not_asked_for(liar: Liar, authority: TestAuthority) -> None:
    """The token stays with the vault."""
    liar.challenge()
    liar.answers["/list"] = (200, {}, {"value": [], "nextLink": f"https://evil.vault.localhost:{liar.port}/list"})
    with connect(liar.login(ca_bundle=str(authority.bundle))) as vault, pytest.raises(CertworkerError, match="next page"):
        vault.pages("/list")


@pytest.mark.parametrize("status", [400, 401])
def test_an_authority_that_repeats_the_secret_does_not_bring_it_to_the_screen(
    liar: Liar, authority: TestAuthority, status: int
) -> None:
    """And of many lines the first is shown."""
    liar.challenge()
    said = {"error_description": f"No: {SECRET} is wrong.\r\nTrace: 1"}
    liar.answers["/tenant/oauth2/v2.0/token"] = (status, {}, said)
    with pytest.raises(Unauthenticated) as caught:
        ask(liar, authority)
    assert str(caught.value) == "No token was given: No: *** is wrong."


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (200, b"<html>", CertworkerError, "not JSON"),
        (503, b"<html>", Unavailable, "answered with status 503"),
        (429, {"error": {"message": "Slow\n\x1b[31mdown"}}, Unavailable, r"Slow  \[31mdown"),
        (400, {"error": "text"}, BadParameter, "answered with status 400"),
        (418, [], CertworkerError, "answered with status 418"),
    ],
)
def test_what_a_server_says_is_told_on_one_line(
    liar: Liar, authority: TestAuthority, status: int, body: object, kind: type[CertworkerError], text: str
) -> None:
    """Whatever it is, without what could turn a terminal upside down."""
    liar.challenge()
    liar.answers["/secrets/web"] = (status, {}, body)
    with pytest.raises(kind, match=text) as caught:
        ask(liar, authority)
    assert str(caught.value).isprintable()


def test_what_asks_for_no_token_is_no_vault(liar: Liar, authority: TestAuthority) -> None:
    """A web server that answers everything, say."""
    liar.answers["/certificates"] = (200, {}, {"value": []})
    with pytest.raises(CertworkerError, match="is not a vault"):
        ask(liar, authority)


def test_a_token_whose_time_is_over_is_replaced_once(liar: Liar, authority: TestAuthority) -> None:
    """Whoever watches goes on; a new one that opens nothing either is told. An authority that is away is waited for."""
    liar.challenge()
    token = "/tenant/oauth2/v2.0/token"
    liar.answers["/secrets/web"] = (200, {}, {"value": 1})
    with connect(liar.login(ca_bundle=str(authority.bundle))) as vault:
        vault.call("GET", "/secrets/web")
        liar.answers["/secrets/web"] = (401, {}, {"error": {"message": "expired"}})
        liar.answers[token] = (503, {}, {})
        with pytest.raises(Unavailable):
            vault.call("GET", "/secrets/web")
        liar.answers[token] = (200, {}, {"access_token": "another"})
        liar.answers["/secrets/web"] = (200, {}, {"value": 2})
        assert vault.call("GET", "/secrets/web") == {"value": 2}
        assert liar.asked[-1][1] == "Bearer another"
        liar.answers["/secrets/web"] = (401, {}, {"error": {"message": "not for you"}})
        liar.asked.clear()
        with pytest.raises(Unauthenticated, match="not for you"):
            vault.call("GET", "/secrets/web")
        assert [path for path, _, _ in liar.asked].count("/secrets/web") == 2


def test_an_authority_that_is_down_is_unavailable(liar: Liar, authority: TestAuthority) -> None:
    """It is no refusal."""
    liar.challenge()
    liar.answers["/tenant/oauth2/v2.0/token"] = (500, {}, b"")
    with pytest.raises(Unavailable):
        ask(liar, authority)


def test_what_is_in_the_way_of_a_watch_is_told_once(
    liar: Liar, authority: TestAuthority, capsys: pytest.CaptureFixture[str]
) -> None:
    """However often it is asked meanwhile; and that it is over."""
    liar.challenge()
    path = "/certworker/v1/status"
    sealed: Answer = (503, {}, {"error": {"message": "The service is sealed."}})
    liar.first[path] = [(200, {}, {"at": 0, "certificates": 1}), sealed, sealed, sealed]
    liar.answers[path] = (200, {}, {"at": 1, "certificates": 2})
    with connect(liar.login(ca_bundle=str(authority.bundle))) as vault:
        changes = _changes(partial(_ask, vault), 0.02)
        assert [next(changes)["certificates"] for _ in range(2)] == [1, 2]
    assert [asked for asked, _, _ in liar.asked].count(path) == 5
    assert capsys.readouterr().err.splitlines() == ["certworker: The service is sealed.", "certworker: It answers again."]
