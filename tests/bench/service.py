"""Ours: `certworker run` with a process for each core, as an operator starts it; and a bare route on the same server."""

import json
import multiprocessing
import os
import signal
import ssl
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from certworker.api.serve import serve
from certworker.cli.sockets import bind, free_port, port_of
from tests.bench.load import Load

PROCESSES = os.cpu_count() or 1
_COMMAND = (sys.executable, "-m", "certworker.cli.main")
_START_SECONDS = 60.0
_VERSION = "api-version=2025-07-01"


@dataclass(frozen=True)
class Service:
    """Where it listens, and its loads."""

    port: int
    token: str

    def load(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Load:
        """Describe a load."""
        headers = {"Host": f"main.vault.localhost:{self.port}", "Authorization": f"Bearer {self.token}"}
        return Load(self.port, method, f"{path}?{_VERSION}", headers, json.dumps(body) if body else None)

    @property
    def secret_get(self) -> Load:
        """Read a secret."""
        return self.load("GET", "/secrets/secret/")

    @property
    def secret_set(self) -> Load:
        """Write one of a hundred secrets."""
        return self.load("PUT", "/secrets/set-{n}", {"value": "v" * 32})

    def sign(self, key: str, algorithm: str) -> Load:
        """Sign a digest."""
        return self.load("POST", f"/keys/{key}/sign", {"alg": algorithm, "value": _base64url(b"\1" * 32)})

    @property
    def encrypt(self) -> Load:
        """Encrypt 32 bytes with AES-GCM."""
        return self.load("POST", "/keys/aes/encrypt", {"alg": "A256GCM", "value": _base64url(b"p" * 32)})


@contextmanager
def service(folder: Path, processes: int = PROCESSES) -> Iterator[Service]:
    """Set a deployment up in `folder` and run it until the block ends."""
    folder.mkdir()
    config, port = folder / "certworker.toml", free_port(0)
    config.write_text(f"[server]\nport = {port}\nprocesses = {processes}\n[metrics]\nport = {free_port(0)}\n")
    done = subprocess.run([*_COMMAND, "init", "-c", str(config)], capture_output=True, text=True, check=True)
    credentials = json.loads(done.stdout)
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen([*_COMMAND, "run", "-c", str(config)], stdout=output, stderr=output)
        try:
            yield _set_up(port, credentials, folder, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _set_up(port: int, credentials: Mapping[str, str], folder: Path, process: "subprocess.Popen[bytes]") -> Service:
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=False, timeout=30) as client:  # noqa: S501  # loopback
        deadline = monotonic() + _START_SECONDS
        while monotonic() < deadline and process.poll() is None:
            try:
                token = _token(client, port, credentials)
            except httpx.TransportError:
                sleep(0.1)
            else:
                made = Service(port, token)
                _fill(client, made)
                return made
    raise RuntimeError((folder / "output.txt").read_text())


def _token(client: httpx.Client, port: int, credentials: Mapping[str, str]) -> str:
    asked = {
        "grant_type": "client_credentials",
        "client_id": credentials["client_id"],
        "client_secret": credentials["client_secret"],
        "scope": f"https://vault.localhost:{port}/.default",
    }
    path = f"/{credentials['tenant_id']}/oauth2/v2.0/token"
    return str(
        client.post(path, data=asked, headers={"Host": f"login.localhost:{port}"}).raise_for_status().json()["access_token"]
    )


def _fill(client: httpx.Client, made: Service) -> None:
    wanted = [
        made.load("PUT", "/secrets/secret", {"value": "v" * 32}),
        made.load("POST", "/keys/rsa/create", {"kty": "RSA"}),
        made.load("POST", "/keys/ec/create", {"kty": "EC"}),
        made.load("POST", "/keys/aes/create", {"kty": "oct", "key_size": 256}),
    ]
    for load in wanted:
        client.request(load.method, load.path, headers=load.headers, content=load.body).raise_for_status()


@contextmanager
def bare_route(certificate: Path, key: Path, processes: int = PROCESSES) -> Iterator[Load]:
    """Serve a route that does nothing, from as many processes on the same server program, until the block ends."""
    sockets = bind(("127.0.0.1",), 0, "bench")
    os.set_inheritable(sockets[0].fileno(), True)  # noqa: FBT003
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=_serve, args=(sockets[0], str(certificate), str(key))) for _ in range(processes)]
    for child in children:
        child.start()
    try:
        yield Load(_ready(port_of(sockets)), "GET", "/hello")
    finally:
        for child in children:
            os.kill(child.pid or 0, signal.SIGTERM)
            child.join(20)


def _ready(port: int) -> int:
    deadline = monotonic() + _START_SECONDS
    while monotonic() < deadline:
        try:
            httpx.get(f"https://127.0.0.1:{port}/hello", verify=False, timeout=5)  # noqa: S501  # loopback
        except httpx.TransportError:
            sleep(0.1)
        else:
            sleep(1)  # the others
            return port
    raise RuntimeError("The bare route does not answer.")


def _serve(socket: Any, certificate: str, key: str) -> None:  # noqa: ANN401  # a socket, handed over
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    serve(Starlette(routes=[Route("/hello", _hello)]), [socket], context, drain_seconds=1)


async def _hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
