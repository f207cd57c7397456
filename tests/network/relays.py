"""SMTP relays on loopback: one that does as it should, and others that do not."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.issuers.pebble import write_certificate
from tests.support.ports import free_ports

USER, PASSWORD = "notices", "correct-horse-battery-staple"
Conversation = Callable[[socket.socket], None]


@dataclass
class Mailbox:
    """Takes mail, unless it is told what to answer to which recipient, or to the data."""

    refusals: dict[str, str] = field(default_factory=dict)
    to_data: str = "250 taken"
    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - the name is the library's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient or refuse it."""
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        if self.to_data.startswith("250"):
            self.taken.append(message_from_bytes(envelope.content, policy=default))
            self.envelopes.append(envelope)
            self.encrypted.append(bool(server.transport and server.transport.get_extra_info("sslcontext")))
        return self.to_data


@dataclass(frozen=True)
class Relay:
    """Where a relay listens, and what it took."""

    port: int
    box: Mailbox


@contextmanager
def relay(
    box: Mailbox, context: ssl.SSLContext | None = None, way: str = "none", *, utf8: bool = True, login: bool = False
) -> Iterator[Relay]:
    """Run a relay, with STARTTLS or TLS, and a log-in that it insists on."""

    def knows(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object) -> AuthResult:
        fits = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=fits, handled=False)

    (port,) = free_ports(1)
    options: dict[str, Any] = (
        {"authenticator": knows, "auth_required": True, "auth_require_tls": way == "starttls"} if login else {}
    )
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        ssl_context=context if way == "tls" else None,
        tls_context=context if way == "starttls" else None,
        require_starttls=way == "starttls",
        enable_SMTPUTF8=utf8,
        **options,
    )
    controller.start()
    try:
        yield Relay(port, box)
    finally:
        controller.stop()


@contextmanager
def talking(conversation: Conversation) -> Iterator[int]:
    """Listen, and hold a conversation with each who comes, in a thread; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.settimeout(10)
                        conversation(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert not thread.is_alive()


def server_context(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make the server's side of TLS for `localhost`, and the bundle that vouches for it."""
    key, certificate = write_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
