"""HTTP on a connection: uvicorn's own protocol, with an end to the head of a request.

Its parser takes headers of any size, and waits for them without end: one client could fill the memory, a few hundred that say
nothing could hold every file descriptor, and neither has to bring a token for it.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
"""So much of a head is waited for, beyond the first piece of it that the network brought."""
HEAD_SECONDS = 30.0
"""So long may a client take for the head of a request, counted from its first byte, or from the connection."""


class BoundedProtocol(HttpToolsProtocol):
    """Cuts a connection whose next head is too large or too slow."""

    _timer: asyncio.TimerHandle | None = None
    _in_head = False
    _began = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and look whether the head has come to its end with it."""
        if self.transport.is_closing():
            return
        self._began = False
        super().data_received(data)
        if not self._in_head or self._began:
            return  # a piece in which a head begins may hold the end of a body before it
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._in_head = False
            self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._in_head, self._began, self._head_bytes = True, True, 0
        self._wait()

    def on_headers_complete(self) -> None:
        """Leave the rest of the request to the app."""
        self._in_head = False
        self._rest()
        super().on_headers_complete()

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self.transport.abort()
