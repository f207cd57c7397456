"""A server in a process of its own, and a client that costs little: what is measured is the server."""

import asyncio
import multiprocessing
import os
import signal
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from certworker.api.app import build_app
from certworker.api.serve import serve
from certworker.api.server_certificate import ServerCertificate
from certworker.bootstrap import open_house
from certworker.cli.sockets import bind, port_of
from certworker.settings import Seal, Server, Settings
from tests.support.deployment import Deployment

BATCH = 64
"""Requests on each connection in one go."""


@dataclass(frozen=True)
class Served:
    """Where the server is, and how to ask it."""

    port: int
    token: str
    secret: str = "/secrets/secret/?api-version=7.4"  # a path

    def load(self, path: str, connections: int) -> Callable[[], int]:
        """Give work that sends batches of requests over so many connections, kept open, and counts the answers."""
        runner = asyncio.new_event_loop()
        request = (
            f"GET {path} HTTP/1.1\r\nHost: contoso.vault.localhost:{self.port}\r\nAuthorization: Bearer {self.token}\r\n\r\n"
        ).encode()
        opened = runner.run_until_complete(self._connect_all(connections))

        async def batch() -> int:
            await asyncio.gather(*(_exchange(reader, writer, request) for reader, writer in opened))
            return BATCH * connections

        return lambda: runner.run_until_complete(batch())

    async def _connect_all(self, connections: int) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        return await asyncio.gather(*(self._connect() for _ in range(connections)))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    for _ in range(BATCH):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise AssertionError(head.partition(b"\r\n")[0])
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))


@contextmanager
def serving(folder: Path, deployment: Deployment) -> Iterator[Served]:
    """Serve the deployment in `folder` from a process of its own until the block ends."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(str(folder), theirs))
    process.start()
    try:
        port = ours.recv()
        settings = _settings(str(folder), port)
        with deployment.house.store.reading() as reader:
            principal = reader.principals()[0]
        issuer = f"{settings.authority}/{principal.tenant_id}/v2.0"
        token = deployment.house.directory.issue_token(principal, settings.resource, issuer).token
        yield Served(port, token)
    finally:
        os.kill(process.pid or 0, signal.SIGTERM)
        process.join(20)


def _settings(folder: str, port: int) -> Settings:
    return Settings(
        database_url=f"sqlite:///{folder}/certworker.db",
        seal=Seal(master_key_file=Path(folder) / "master.key"),
        server=Server(port=port),
    )


def _serve(folder: str, told: Connection) -> None:
    sockets = bind(("127.0.0.1",), 0, "bench")
    with open_house(_settings(folder, port_of(sockets))) as house:
        certificate = ServerCertificate(house)
        certificate.ensure()
        app = build_app(house)
        both = Starlette(routes=[Route("/hello", _hello), Mount("/", app)])
        serve(both, sockets, certificate.context(), drain_seconds=1, on_ready=lambda: told.send(port_of(sockets)))


async def _hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")
