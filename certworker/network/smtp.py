"""SMTP (RFC 5321) under the egress rules: connections go to checked addresses, and all has an end."""

import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Timer
from typing import Final, Literal, Protocol

from certworker.network.egress import EgressRules, Unreachable

SHORTEST_WAIT: Final = 0.01
CUT_SECONDS: Final = 5.0
MOST_REPLY_BYTES: Final = 256 * 1024
"""So much a relay may say in one session."""

Tls = Literal["starttls", "tls", "none"]


class Line:
    """The connection of one session, below TLS: it is made to an address that the rules allow, and can be cut at any moment."""

    def __init__(self, rules: EgressRules, seconds: float) -> None:
        self._rules = rules
        self._deadline = time.monotonic() + seconds
        self._handle: socket.socket | None = None
        self.is_cut = False

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to the first address that answers. Raises EgressRefused, Unreachable, OSError."""
        addresses = self._rules.resolve(host, port)
        for left in range(len(addresses), 0, -1):
            _, address = addresses[-left]
            # an address that swallows packets leaves the others their share of the time
            share = max(self._deadline - time.monotonic(), SHORTEST_WAIT) / left
            try:
                made = socket.create_connection(address[:2], share)
            except OSError:
                if left == 1:
                    raise
            else:
                # who waits too long finds the line cut, and only if that failed does this end the wait
                made.settimeout(max(self._deadline - time.monotonic(), 0) + CUT_SECONDS)
                # one of its own: TLS takes the other over, and half a handshake must be cut as well
                self._handle = made.dup()
                return made
        raise Unreachable(f"{host} has no address.")

    def cut(self) -> None:
        """End the connection under whoever reads from it or writes to it."""
        self.is_cut = True
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close what is left of it."""
        if self._handle is not None:
            self._handle.close()


class Reply(Protocol):
    """What a relay says, as the standard library reads it."""

    def readline(self, size: int = -1, /) -> bytes:
        """Read a line, or the first of it."""

    def close(self) -> None:
        """Read no more."""


class BoundedReply:
    """What a relay says, up to a number of bytes."""

    def __init__(self, reply: Reply, limit: int) -> None:
        self._reply = reply
        self._left = limit

    def readline(self, size: int = -1, /) -> bytes:
        """Read a line. Raises OSError where there were too many."""
        line = self._reply.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("it says too much")
        return line

    def close(self) -> None:
        """Read no more."""
        self._reply.close()


class Session(smtplib.SMTP):
    """A session with a relay. Raises what `smtplib` raises, OSError, EgressRefused and Unreachable."""

    file: Reply | None

    def __init__(
        self, line: Line, host: str, port: int, own_name: str, implicit: ssl.SSLContext | None, seconds: float
    ) -> None:
        self._line = line
        self._implicit = implicit
        # without a name of ours, the standard library asks the DNS for it, which may take its time
        super().__init__(host, port, own_name, seconds)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002 - the line has its own
        made = self._line.connect(host, port)
        return self._implicit.wrap_socket(made, server_hostname=host) if self._implicit else made

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply; all replies together are bounded."""
        if self.file is None and self.sock is not None:
            self.file = BoundedReply(self.sock.makefile("rb"), MOST_REPLY_BYTES)
        return super().getreply()


@contextmanager
def open_session(
    rules: EgressRules, host: str, port: int, own_name: str, tls: Tls, context: ssl.SSLContext, seconds: float
) -> Iterator[Session]:
    """Open a session, encrypted as it is wanted or not at all, and end it. After `seconds` in all it is cut.

    Raises TimeoutError once it was cut, and what `Session` raises.
    """
    line = Line(rules, seconds)
    timer = Timer(seconds, line.cut)
    timer.daemon = True
    timer.start()
    try:
        with closing(Session(line, host, port, own_name, context if tls == "tls" else None, seconds)) as session:
            if tls == "starttls":
                session.starttls(context=context)
            yield session
            with suppress(smtplib.SMTPException, OSError):  # what was accepted is accepted, however they part
                session.quit()
    except (OSError, smtplib.SMTPException) as error:
        if line.is_cut:
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        line.close()
