"""Runs an ASGI app on sockets that somebody else has bound: in the main thread until a signal, or beside it in a thread."""

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from certworker.api.protocol import BoundedProtocol
from certworker.errors import SetupError

KEEP_ALIVE_SECONDS = 65
"""Longer than most clients and proxies keep a connection, so that it is they who close it, never with a request under way."""
_START_SECONDS = 30.0
_TICK_SECONDS = 0.1
_LOOK_SECONDS = 0.01
_CUT_SECONDS = 0.1
_MOST_LOOKS = 20
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

log = logging.getLogger(__name__)


def serve(
    app: ASGIApp,
    sockets: Sequence[socket.socket],
    ssl_context: ssl.SSLContext | None = None,
    *,
    drain_seconds: int = 10,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then give open requests `drain_seconds`, and come back; the sockets are closed.

    For the main thread. `on_ready` is called once connections are taken.
    """
    _Server(app, sockets, ssl_context, drain_seconds, on_ready).run_until_stopped()


class BackgroundServer:
    """Serves from a thread of its own, which leaves signals alone."""

    def __init__(
        self,
        app: ASGIApp,
        sockets: Sequence[socket.socket],
        ssl_context: ssl.SSLContext | None = None,
        *,
        drain_seconds: int = 1,
    ) -> None:
        self._ready = threading.Event()
        self._server = _Server(app, sockets, ssl_context, drain_seconds, self._ready.set)
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def start(self) -> None:
        """Start, and come back when connections are taken. Raises SetupError where that fails."""
        self._thread.start()
        if not self._ready.wait(_START_SECONDS) or not self._server.started:
            raise SetupError("The server did not start; the log says why.")

    def stop(self) -> None:
        """Stop taking connections, let open requests finish, and come back. Without effect where it was not started."""
        self._server.stop_soon()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._server.run_until_stopped()
        finally:
            self._ready.set()


class _Server(uvicorn.Server):
    """uvicorn on given sockets. A signal ends it in order and is not raised again: what comes after is the caller's."""

    def __init__(
        self,
        app: ASGIApp,
        sockets: Sequence[socket.socket],
        ssl_context: ssl.SSLContext | None,
        drain_seconds: int,
        on_ready: Callable[[], None] | None,
    ) -> None:
        super().__init__(_config(app, ssl_context, drain_seconds))
        self._sockets = list(sockets)
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def stop_soon(self) -> None:
        """Begin to stop, from any thread."""
        self.should_exit = True
        if self._loop:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)

    def run_until_stopped(self) -> None:
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            runner.run(self.serve(self._sockets))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started and self._on_ready:
            self._on_ready()

    async def main_loop(self) -> None:
        """Look whether to stop as often as uvicorn does, and at once where a thread says so."""
        tick = 0
        while not await self.on_tick(tick):
            tick += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Do what uvicorn does, without its steps of a tenth of a second, and cut who sits on a connection."""
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        # a TLS client that has an idle connection in a pool never answers its closing
        cutting = asyncio.create_task(self._cut_closing())
        try:
            await self._drain()
            if not self.force_exit:
                await self.lifespan.shutdown()
        finally:
            cutting.cancel()
            await self._cut_all()

    async def _drain(self) -> None:
        state = self.server_state
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                # uvicorn's sets tell nobody that they are empty
                while (state.connections or state.tasks) and not self.force_exit:  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_SECONDS)
                for server in self.servers:
                    await server.wait_closed()
        except TimeoutError:
            log.warning("%d requests are cut off: they took longer than the server waits when it stops", len(state.tasks))
            for task in state.tasks:
                task.cancel()

    async def _cut_closing(self) -> None:
        while True:
            await asyncio.sleep(_CUT_SECONDS)
            for transport in self._transports():
                if transport.is_closing() and not transport.get_write_buffer_size():
                    transport.abort()

    async def _cut_all(self) -> None:
        for transport in self._transports():
            transport.abort()
        for _ in range(_MOST_LOOKS):
            if not self.server_state.connections:
                break
            await asyncio.sleep(_CUT_SECONDS / _MOST_LOOKS)

    def _transports(self) -> list[asyncio.Transport]:
        return [connection.transport for connection in self.server_state.connections]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _config(app: ASGIApp, ssl_context: ssl.SSLContext | None, drain_seconds: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        loop="uvloop",
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,  # the app writes its own line, without query strings
        server_header=False,
        proxy_headers=False,  # what a client says of its own address is not believed
        workers=1,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=drain_seconds,
        ssl_context_factory=_factory(ssl_context) if ssl_context else None,
    )


def _factory(context: ssl.SSLContext) -> Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext]:
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return lambda _config, _default: context
