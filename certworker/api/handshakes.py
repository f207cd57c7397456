"""The tls-alpn-01 responder: TLS handshakes that prove control of a name, and nothing after them (RFC 8737)."""

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Final

from certworker.api.server_certificate import load_context
from certworker.api.threads import Threads
from certworker.clock import Clock
from certworker.crypto.handshakes import handshake_certificate
from certworker.errors import CertworkerError, SetupError
from certworker.issuers.challenges import handshake_token

PROTOCOL: Final = "acme-tls/1"
MOST_CONNECTIONS = 256
HANDSHAKE_SECONDS = 10.0
_LONGEST_GREETING = 16384
_PART = 4096
_THREADS = 2
_START_SECONDS = 30.0
_UNRECOGNIZED_NAME, _NO_APPLICATION_PROTOCOL = 112, 120
"""Alerts of RFC 8446 section 6."""

_log = logging.getLogger(__name__)


class HandshakeResponder:
    """Answers on given sockets from a thread of its own. `find` gives what is on the board, `handshake_token` says by what."""

    def __init__(self, find: Callable[[str], str | None], clock: Clock, sockets: Sequence[socket.socket]) -> None:
        self._find = find
        self._clock = clock
        self._sockets = list(sockets)
        self._threads = Threads(_THREADS)
        self._ready, self._serving = threading.Event(), False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._open = 0
        self._thread = threading.Thread(target=self._run, name="handshakes", daemon=True)

    def start(self) -> None:
        """Start, and come back when connections are taken. Raises SetupError where that fails."""
        self._thread.start()
        if not self._ready.wait(_START_SECONDS) or not self._serving:
            raise SetupError("The tls-alpn-01 responder did not start; the log says why.")

    def stop(self) -> None:
        """Stop taking connections, and come back. Without effect where it was not started."""
        if self._loop and self._ending and self._thread.is_alive():
            with suppress(RuntimeError):  # it may have ended just now
                self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError:
            _log.exception("The tls-alpn-01 responder ended.")
        finally:
            self._threads.close()
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncExitStack() as stack:
            for listener in self._sockets:
                await stack.enter_async_context(await asyncio.start_server(self._meet, sock=listener))
            self._serving = True
            self._ready.set()
            await self._ending.wait()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MOST_CONNECTIONS:
                async with asyncio.timeout(HANDSHAKE_SECONDS):
                    await self._answer(reader, writer)
        except (TimeoutError, OSError, CertworkerError) as error:  # ssl.SSLError is an OSError
            _log.debug("A tls-alpn-01 handshake came to nothing: %s", error)
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting, name = await _read_greeting(reader)
        found = await self._threads.run(self._find, handshake_token(name)) if name else None
        if found is None:
            writer.write(_alert(_UNRECOGNIZED_NAME))
            await writer.drain()
            return
        await _shake_hands(await self._threads.run(self._context, found), greeting, reader, writer)

    def _context(self, found: str) -> ssl.SSLContext:
        identifier, _, key_authorization = found.partition(" ")
        context = load_context(handshake_certificate(identifier, key_authorization, self._clock()))
        context.set_alpn_protocols([PROTOCOL])
        context.num_tickets = 0  # nobody comes back to a handshake
        return context


async def _read_greeting(reader: asyncio.StreamReader) -> tuple[bytes, str | None]:
    """Read the ClientHello, which is answered only once it is known what is asked for; and the server name in it."""
    names: list[str | None] = []

    def note(_: ssl.SSLObject | ssl.SSLSocket, name: str | None, __: ssl.SSLContext) -> int:
        names.append(name)
        return _UNRECOGNIZED_NAME

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = note
    incoming = ssl.MemoryBIO()
    reading, greeting = context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True), b""
    while not names:
        part = await reader.read(_PART)
        greeting += part
        if not part or len(greeting) > _LONGEST_GREETING:
            raise ConnectionError("no ClientHello came")
        incoming.write(part)
        try:
            reading.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            if not names:
                raise
    return greeting, names[0]


async def _shake_hands(
    context: ssl.SSLContext, greeting: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Make the handshake, and close. Whoever does not speak acme-tls/1 is shown no certificate."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hands = context.wrap_bio(incoming, outgoing, server_side=True)
    part, done = greeting, False
    while part and not done:
        incoming.write(part)
        part = b""
        try:
            hands.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            # the protocol is chosen by now, and nothing of ours was sent yet: OpenSSL itself would go on without one
            if hands.selected_alpn_protocol() != PROTOCOL:
                writer.write(_alert(_NO_APPLICATION_PROTOCOL))
                await writer.drain()
                return
            writer.write(outgoing.read())
            await writer.drain()
            part = await reader.read(_PART)
    if done:
        with suppress(ssl.SSLError):
            hands.unwrap()
        writer.write(outgoing.read())
        await writer.drain()


def _alert(number: int) -> bytes:
    """Write a fatal alert as TLS sends it before there are keys (RFC 8446 sections 5.1 and 6)."""
    return bytes([21, 3, 3, 0, 2, 2, number])
