"""Receivers of webhooks on loopback: they check signatures and shake hands as the specifications say, or as they are told."""

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.issuers.memory import serving


@dataclass(frozen=True)
class Received:
    """A request: its method, its headers by small names, and its body."""

    method: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever it holds
        """Read the body."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """Notes every request. `status` and `headers` answer what is delivered; `allows` and `echoes` the two handshakes."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    allows: str | None = "*"
    echoes: bool = True
    requests: list[Received] = field(default_factory=list)
    port: int = 0

    @property
    def delivered(self) -> list[Received]:
        """All that was delivered."""
        asking = "SubscriptionValidation"
        return [one for one in self.requests if one.method == "POST" and one.headers.get("aeg-event-type") != asking]

    @property
    def asked(self) -> list[Received]:
        """All handshakes."""
        return [one for one in self.requests if one not in self.delivered]

    def answer(self, received: Received) -> tuple[int, dict[str, str], bytes]:
        """Say what a request is answered with: status, headers and body."""
        if received.method == "OPTIONS":
            return 200, {"WebHook-Allowed-Origin": self.allows} if self.allows else {}, b""
        if received.headers.get("aeg-event-type") == "SubscriptionValidation":
            (event,) = received.json()
            code = event["data"]["validationCode"] if self.echoes else "another"
            return 200, {}, json.dumps({"validationResponse": code}).encode()
        return self.status, self.headers, self.body


def is_signed(received: Received, secret: str) -> bool:
    """Check a signature as Standard Webhooks has it: any of those in the header."""
    key = b64decode(secret.removeprefix("whsec_"))
    names = ("webhook-id", "webhook-timestamp")
    content = ".".join((*(received.headers[name] for name in names), received.body.decode()))
    wanted = "v1," + b64encode(hmac.digest(key, content.encode(), "sha256")).decode()
    return any(hmac.compare_digest(wanted, found) for found in received.headers.get("webhook-signature", "").split())


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """Run a receiver on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        """Hands everything to the receiver."""

        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            """Take a request and answer it."""
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            received = Received(self.command, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.requests.append(received)
            status, headers, answer = receiver.answer(received)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(answer)
            except OSError:
                self.close_connection = True  # nobody wants to hear it

        do_POST = do_OPTIONS = do_GET = handle_any  # noqa: N815 - the names are the library's

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Handler) as port:
        receiver.port = port
        yield receiver
