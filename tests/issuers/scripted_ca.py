"""A small CA over real HTTP that answers as a test wrote it down; without a script it is an honest one, up to a point."""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

PROBLEM = "urn:ietf:params:acme:error:"
TOKEN = "a-token-that-must-not-be-shown"


@dataclass
class Answer:
    """What is sent back. `dropped` closes the connection without a word; `endless` sends on and on, `drip` slowly."""

    status: int = 200
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    dropped: bool = False
    endless: bool = False
    drip: bool = False
    nonce: bool = True


def as_json(document: Any, status: int = 200, **headers: str) -> Answer:  # noqa: ANN401
    """Answer with JSON; an underscore in a header's name is a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(document), {"Content-Type": "application/json"} | named)


def problem(kind: str, detail: str = "No.", status: int = 403, more: Mapping[str, Any] | None = None, **headers: str) -> Answer:
    """Answer with a problem document."""
    return as_json({"type": PROBLEM + kind, "detail": detail, **(more or {})}, status, **headers)


class ScriptedCA:
    """Has one order and one authorization. `script` holds answers by path; `asked` the requests, their payload read."""

    def __init__(self) -> None:
        self.base = ""
        self.script: dict[str, Answer | list[Answer]] = {}
        self.asked: list[tuple[str, str]] = []
        self.status = "pending"
        self.authorization_status = "pending"
        self.challenge_error: Mapping[str, Any] | None = None
        self.order_error: Mapping[str, Any] | None = None
        self.order_more: dict[str, Any] = {}
        self.more: dict[str, str] = {}
        self.meta: dict[str, Any] = {}
        self.kinds = ["http-01"]

    def count(self, path: str) -> int:
        """Tell how often a path was asked."""
        return [asked for asked, _ in self.asked].count(path)

    def payloads(self, path: str) -> list[str]:
        """List what was sent to a path."""
        return [payload for asked, payload in self.asked if asked == path]

    def answer(self, path: str) -> Answer:
        """Choose the answer to a request."""
        scripted = self.script.get(path)
        if isinstance(scripted, list):
            scripted = scripted.pop(0) if scripted else None
        return scripted or self._honest(path)

    def _honest(self, path: str) -> Answer:
        answers: dict[str, Callable[[], Answer]] = {
            "/directory": lambda: as_json(self.directory()),
            "/newNonce": Answer,
            "/newAccount": lambda: as_json({"status": "valid"}, 201, Location=self.base + "/account"),
            "/account": lambda: as_json({"status": "valid"}),
            "/keyChange": lambda: as_json({"status": "valid"}),
            "/revokeCert": Answer,
            "/newOrder": lambda: as_json(self.order(), 201, Location=self.base + "/order"),
            "/order": lambda: as_json(self.order()),
            "/authorization": lambda: as_json(self.authorization()),
            "/challenge": lambda: as_json(self.authorization()["challenges"][0]),
            "/finalize": lambda: as_json(self.order()),
        }
        return answers.get(path, lambda: problem("malformed", "There is no such thing.", 404))()

    def directory(self) -> dict[str, Any]:
        """Show the directory: `more` names further resources, `meta` is what it tells of itself."""
        resources = {name: f"/{name}" for name in ("newNonce", "newAccount", "newOrder")} | self.more
        return {**{name: self.base + path for name, path in resources.items()}, **({"meta": self.meta} if self.meta else {})}

    def order(self) -> dict[str, Any]:
        """Show the order."""
        order: dict[str, Any] = {"status": self.status, "authorizations": [self.base + "/authorization"]}
        order |= {"finalize": self.base + "/finalize"} | self.order_more
        return order | ({"error": self.order_error} if self.order_error else {})

    def authorization(self) -> dict[str, Any]:
        """Show the authorization."""
        challenges = [
            {"type": kind, "url": self.base + "/challenge", "status": self.authorization_status, "token": TOKEN}
            for kind in self.kinds
        ]
        if self.challenge_error:
            challenges[0]["error"] = self.challenge_error  # type: ignore[assignment]
        identifier = {"type": "dns", "value": "www.example.test"}
        return {"status": self.authorization_status, "identifier": identifier, "challenges": challenges}

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Give the handler of requests."""
        return type("Handler", (ScriptedHandler,), {"ca": self})


class ScriptedHandler(BaseHTTPRequestHandler):
    """Carries out what the script says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    ca: ScriptedCA

    def do_POST(self) -> None:
        """Answer a signed request."""
        signed = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(_open(signed["payload"]))

    def do_GET(self) -> None:
        """Answer a request for the directory."""
        self._answer("")

    def do_HEAD(self) -> None:
        """Answer a request for a nonce."""
        self._answer("")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, payload: str) -> None:
        self.ca.asked.append((self.path, payload))
        answer = self.ca.answer(self.path)
        self.close_connection = answer.dropped or answer.endless or answer.drip
        if not answer.dropped:
            with suppress(OSError):  # the client has heard enough
                self._send(answer)

    def _send(self, answer: Answer) -> None:
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        self.send_response(answer.status)
        if answer.nonce:
            self.send_header("Replay-Nonce", "bm9uY2U")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.endless or answer.drip:
            self._send_on_and_on(answer)
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    def _send_on_and_on(self, answer: Answer) -> None:
        self.end_headers()
        for _ in range(100_000):
            self.wfile.write(b"x" if answer.drip else b"x" * 65536)
            if answer.drip:
                time.sleep(0.02)


@dataclass(frozen=True)
class Signed:
    """The parts of a JWS."""

    header: dict[str, Any]
    payload: dict[str, Any]


def open_signed(text: str) -> Signed:
    """Read a JWS; its signature is not looked at."""
    signed = json.loads(text)
    return Signed(json.loads(_open(signed["protected"])), json.loads(_open(signed["payload"])))


def _open(payload: str) -> str:
    return urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
