"""Where lines go beside files: standard output and syslog (RFC 5424), and to several places at once."""

import logging
import os
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from certworker.audit.log import Lines

PRIORITY: Final = 13 * 8 + 5
"""Facility 13, log audit; severity 5, notice (RFC 5424 section 6.2.1)."""
REST_SECONDS: Final = 30.0
"""So long is a place for copies left alone that has failed."""
_TIMEOUT: Final = 2.0
_STDOUT: Final = 1
_log = logging.getLogger(__name__)

Begin = Callable[[str, datetime], Lines]


class StreamLines:
    """Lines on a descriptor, standard output."""

    is_torn = False

    def __init__(self, descriptor: int = _STDOUT) -> None:
        self._descriptor = descriptor

    def write(self, lines: bytes, _at: datetime) -> None:
        """Write. Raises OSError."""
        rest = lines
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except OSError:
                self.is_torn = self.is_torn or rest != lines
                raise

    def sync(self) -> None:
        """Nothing is known of what becomes of them."""

    def try_out(self) -> None:
        """Nothing is known before there is a line."""

    def close(self) -> None:
        """Leave standard output open."""


class SyslogLines:
    """Lines as messages to syslog: over its unix socket, or UDP or TCP of loopback (RFC 6587, octet counting)."""

    is_torn = False
    """Some of the lines that were written together have left: what follows needs a chain of its own."""

    def __init__(self, address: str, host: str, pid: int) -> None:
        self._address = address
        self._begin = f" {host or '-'} certworker {pid} AuditEvent - ".encode()
        self._socket: socket.socket | None = None
        self._is_stream = urlsplit(address).scheme == "tcp"

    def write(self, lines: bytes, at: datetime) -> None:
        """Send each line. Raises OSError; a connection that is gone is made again with the next line."""
        sent = 0
        try:
            for line in lines.splitlines():
                message = f"<{PRIORITY}>1 {at:%Y-%m-%dT%H:%M:%S.%fZ}".encode() + self._begin + line
                self._connected().sendall(f"{len(message)} ".encode() + message if self._is_stream else message)
                sent += 1
        except OSError:
            self.is_torn = self.is_torn or sent > 0
            self.close()
            raise

    def sync(self) -> None:
        """Nothing is known of what becomes of them."""

    def try_out(self) -> None:
        """Connect, where there is no connection. Raises OSError."""
        self._connected()

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = _connect(self._address)
        return self._socket


class Copied:
    """Lines in one place that counts, with copies elsewhere, which may fail."""

    def __init__(self, first: Lines, copies: Sequence[Lines], now: Callable[[], float] = monotonic) -> None:
        self._first = first
        self._copies = tuple(_Copy(copy, now) for copy in copies)

    @property
    def is_torn(self) -> bool:
        """As it is where it counts."""
        return self._first.is_torn

    def write(self, lines: bytes, at: datetime) -> None:
        """Write. Raises OSError where the place that counts does."""
        self._first.write(lines, at)
        for copy in self._copies:
            copy.write(lines, at)

    def sync(self) -> None:
        """Bring them to disk where it counts."""
        self._first.sync()

    def try_out(self) -> None:
        """Try the place that counts. Raises OSError."""
        self._first.try_out()

    def close(self) -> None:
        """Let go of all."""
        self._first.close()
        for copy in self._copies:
            copy.close()


class _Copy:
    """A place for copies. One that fails is left alone for a while: whoever waits for an answer must not wait for it."""

    def __init__(self, lines: Lines, now: Callable[[], float]) -> None:
        self._lines = lines
        self._now = now
        self._again = 0.0
        self._lost = 0

    def write(self, lines: bytes, at: datetime) -> None:
        """Write, unless it failed a short time ago."""
        if self._lost and self._now() < self._again:
            self._lost += lines.count(b"\n")
            return
        try:
            self._lines.write(lines, at)
        except OSError as error:
            self._lost += lines.count(b"\n")
            self._again = self._now() + REST_SECONDS
            _log.warning("Copies of %s audit records are lost: %s.", self._lost, error.strerror or type(error).__name__)
            return
        if self._lost:
            _log.warning("Audit records are copied again; %s copies are lost.", self._lost)
            self._lost = 0

    def close(self) -> None:
        """Let go."""
        self._lines.close()


def _connect(address: str) -> socket.socket:
    found = urlsplit(address)
    if found.scheme in {"udp", "tcp"}:
        kind = socket.SOCK_DGRAM if found.scheme == "udp" else socket.SOCK_STREAM
        family = socket.AF_INET6 if ":" in str(found.hostname) else socket.AF_INET
        target: object = (found.hostname, found.port)
    else:
        family, kind, target = socket.AF_UNIX, socket.SOCK_DGRAM, address
    made = socket.socket(family, kind)
    try:
        made.settimeout(_TIMEOUT)
        made.connect(target)  # type: ignore[arg-type]  # one form for each family
    except OSError:
        made.close()
        raise
    return made
