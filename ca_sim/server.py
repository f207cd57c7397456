"""The servers of an authority, each at a port of its own, on one event loop."""

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ca_sim.background import Background
from ca_sim.bootstrap import House, build, server_context
from ca_sim.clock import Clock
from ca_sim.faults.wire import ABORT
from ca_sim.files import held, write_whole
from ca_sim.planes import PEER_CERTIFICATE, TRANSPORTS, Bases, Plane, PlaneName, Transport
from ca_sim.settings import Settings

log = logging.getLogger(__name__)
MAX_HEAD = 1 << 16
_FREE_PORT_TRIES = 20
_NO_SUCH_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class ListenError(Exception):
    """A port cannot be listened on; the message says which and why in one line."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where an authority answers, by the base URLs of its servers. `root_pem` verifies its TLS and what it issues."""

    directory_url: str
    bases: Bases
    root_pem: bytes

    @property
    def management_url(self) -> str:
        """Give the base URL of management."""
        return self.bases[PlaneName.MANAGEMENT]


def listen(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Listen on one port of several addresses; port 0 takes one that is free on all. Raises ListenError.

    An address that the machine does not have is left out, as ::1 without IPv6, unless none is left then.
    """
    for attempt in range(_FREE_PORT_TRIES):
        try:
            return _listen_once(hosts, port)
        except ListenError as error:
            taken = isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE
            if port or not taken or attempt == _FREE_PORT_TRIES - 1:
                raise
    raise ListenError(f"no port is free on all of {', '.join(hosts)}")


def _listen_once(hosts: Sequence[str], port: int) -> list[socket.socket]:
    with ExitStack() as opened:
        listening: list[socket.socket] = []
        for host in hosts:
            try:
                listener = _bind(host, port)
            except OSError as error:
                if error.errno in _NO_SUCH_ADDRESS and len(hosts) > 1:
                    log.info("not listening on %s: %s", host, error.strerror)
                    continue
                raise ListenError(_why_not(host, port, error)) from error
            listening.append(opened.enter_context(listener))
            port = port or listener.getsockname()[1]
        if not listening:
            raise ListenError(f"this machine has none of the addresses {', '.join(hosts)}")
        opened.pop_all()
        return listening


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use by another program: stop it or choose another port in the settings"
    return f"cannot listen on {host} port {port}: {error.strerror}"


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(HttpToolsProtocol):
    """HTTP that tells an application of its connection: how to cut it, and the client's certificate.

    The parser takes a head of any length, all of it in memory; here it is no longer than MAX_HEAD and what is read at once.
    """

    _head = 0
    _in_head = True
    _complete = 0

    def data_received(self, data: bytes) -> None:
        complete = self._complete
        super().data_received(data)
        if not self._in_head or self._complete != complete:
            return  # at least its beginning was the end of a message
        self._head += len(data)
        if self._head > MAX_HEAD:
            self.transport.abort()  # to close it in good order would be to read on for a while

    def on_headers_complete(self) -> None:
        self._head, self._in_head = 0, False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._complete += 1
        super().on_message_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        more = {ABORT: self.transport.abort, PEER_CERTIFICATE: self._peer_certificate}
        self.scope.update(more)  # type: ignore[typeddict-item]  # what uvicorn's type does not know

    def _peer_certificate(self) -> bytes | None:
        tls = self.transport.get_extra_info("ssl_object")
        return None if tls is None else tls.getpeercert(binary_form=True)


async def serve(settings: Settings, clock: Clock, *, stop: asyncio.Event, ready: Callable[[Running], None]) -> None:
    """Serve until `stop` is set; call `ready` once all servers answer. Raises StateError and ListenError."""
    with ExitStack() as stack:
        stack.enter_context(held(settings.state))
        sockets = {name: _opened(stack, *_where(settings, name)) for name in PlaneName}
        bases = {name: _base(settings, name, opened) for name, opened in sockets.items()}
        background = Background()
        house = stack.enter_context(build(settings, clock, background, bases, sleep=asyncio.sleep))
        running = Running(house.directory_url, bases, house.authority.root_pem)
        servers = [(_server(plane, house, settings), sockets[name]) for name, plane in house.planes.items()]
        try:
            await _run(servers, house, stop, lambda: _announce(settings, running, ready))
        finally:
            await background.stop()


def _where(settings: Settings, name: PlaneName) -> tuple[Sequence[str], int]:
    ports = {
        PlaneName.ACME: settings.port,
        PlaneName.PUBLIC: settings.public_port,
        PlaneName.DIGICERT: settings.digicert.port,
        PlaneName.GLOBALSIGN: settings.globalsign.port,
        PlaneName.MANAGEMENT: settings.management_port,
    }
    hosts = [settings.management_host] if name is PlaneName.MANAGEMENT else settings.listen_hosts
    return hosts, ports[name]


def _base(settings: Settings, name: PlaneName, sockets: Sequence[socket.socket]) -> str:
    scheme = "http" if TRANSPORTS[name] is Transport.PLAIN else "https"
    return _url(scheme, settings.management_host if name is PlaneName.MANAGEMENT else settings.external_host, sockets)


def _opened(stack: ExitStack, hosts: Sequence[str], port: int) -> list[socket.socket]:
    return [stack.enter_context(closing(listener)) for listener in listen(hosts, port)]


def _url(scheme: str, host: str, sockets: Sequence[socket.socket]) -> str:
    named = f"[{host}]" if ":" in host else host
    return f"{scheme}://{named}:{sockets[0].getsockname()[1]}"


def _server(plane: Plane, house: House, settings: Settings) -> _Server:
    plain = plane.transport is Transport.PLAIN
    tls = None if plain else server_context(house.authority, settings, plane.transport)
    config = uvicorn.Config(
        plane.app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # what a client says of its address is not to be counted by
        timeout_keep_alive=75,  # longer than clients poll, so that they seldom meet a closing connection
        timeout_graceful_shutdown=1,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    return _Server(config)


async def _run(
    servers: list[tuple[_Server, list[socket.socket]]], house: House, stop: asyncio.Event, announce: Callable[[], None]
) -> None:
    tasks = [asyncio.create_task(server.serve(sockets)) for server, sockets in servers]
    stopped = asyncio.create_task(stop.wait())
    try:
        while not (all(server.started for server, _ in servers) or any(task.done() for task in tasks)):  # noqa: ASYNC110
            await asyncio.sleep(0.002)  # uvicorn has a flag, but no event, for its start
        house.acme.authorizations.resume()
        announce()
        # A server that ends by itself takes the other one with it.
        await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        for server, _ in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


def _announce(settings: Settings, running: Running, ready: Callable[[Running], None]) -> None:
    if settings.state is not None:
        write_whole(settings.state / "root.pem", running.root_pem, mode=0o644)
    ready(running)


def run(
    settings: Settings, clock: Clock, *, ready: Callable[[Running], None], prepare: Callable[[asyncio.Event], None]
) -> None:
    """Serve on an event loop of its own; `prepare` is called on it and may set the event to stop."""

    async def main() -> None:
        stop = asyncio.Event()
        prepare(stop)
        await serve(settings, clock, stop=stop, ready=ready)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@contextmanager
def serve_in_thread(settings: Settings, clock: Clock) -> Iterator[Running]:
    """Serve in a thread of this process while the context lasts; set the ports to 0 for free ones.

    Raises StateError and ListenError.
    """
    started: Future[Running] = Future()
    stopping: Future[Callable[[], object]] = Future()

    def prepare(stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        stopping.set_result(lambda: loop.call_soon_threadsafe(stop.set))

    def work() -> None:
        try:
            run(settings, clock, ready=started.set_result, prepare=prepare)
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=work, name="ca-sim")
    thread.start()
    try:
        yield started.result()
    finally:
        if not started.done() or started.exception() is None:
            stopping.result()()
        thread.join()
