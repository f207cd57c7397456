"""An authority in the caller's own thread: no sockets, no TLS, no threads, and so the same at every run.

A request is carried to the application of the server that its URL names. What goes on after an answer, such as a validation,
is done before the next request is carried.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.types import Message, Scope

from ca_sim.background import Background
from ca_sim.bootstrap import House, build
from ca_sim.clock import Clock
from ca_sim.faults.wire import ABORT
from ca_sim.planes import PEER_CERTIFICATE, TRANSPORTS, PlaneName, Transport
from ca_sim.settings import Settings
from ca_sim.validation.http01 import Validate

MAX_BODY = 16 << 20
"""So much of an answer is taken: nobody keeps a gigabyte in memory to see that it is too much."""
PATIENCE_SECONDS = 10.0
"""An answer that comes later than this is not waited for."""


class NoAnswerError(Exception):
    """The connection was cut, or the answer would have come too late."""


@dataclass(slots=True)
class Answer:
    """What a request was answered with; header names are in lower case."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class InProcess:
    """Carries requests to the servers of an authority. Not safe for threads."""

    def __init__(self, house: House, background: Background, loop: asyncio.AbstractEventLoop, late: list[float]) -> None:
        self.house = house
        self._background = background
        self._loop = loop
        self._late = late
        self._planes = {base.removeprefix("https://").removeprefix("http://"): name for name, base in house.bases.items()}

    def request(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b"", peer_certificate: bytes | None = None
    ) -> Answer:
        """Carry one request and do what it starts. Raises NoAnswerError."""
        parts = urlsplit(url)
        plane = self._planes.get(parts.netloc)
        if plane is None:
            raise NoAnswerError(f"{parts.netloc} is no server of this authority")
        scope = _scope(method, parts.path, parts.query, {"host": parts.netloc, **headers}, peer_certificate)
        return self._loop.run_until_complete(self._carry(plane, scope, content))

    async def _carry(self, plane: PlaneName, scope: Scope, content: bytes) -> Answer:
        answer, cut = Answer(), asyncio.Event()
        scope[ABORT] = cut.set
        body = [{"type": "http.request", "body": content, "more_body": False}]

        async def receive() -> Message:
            return body.pop() if body else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
            else:
                answer.body += message.get("body", b"")
                if len(answer.body) > MAX_BODY:
                    raise NoAnswerError(f"the answer has more than {MAX_BODY} bytes")

        self._late.clear()
        await self.house.planes[plane].app(scope, receive, send)
        await self._background.done()
        if cut.is_set() or sum(self._late) > PATIENCE_SECONDS:
            raise NoAnswerError("the connection was cut" if cut.is_set() else "no answer in time")
        return answer


async def _resume(house: House, background: Background) -> None:
    house.acme.authorizations.resume()
    await background.done()


def _scope(method: str, path: str, query: str, headers: Mapping[str, str], peer_certificate: bytes | None) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode("ascii"),
        "root_path": "",
        "query_string": query.encode("ascii"),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 443),
        PEER_CERTIFICATE: lambda: peer_certificate,
    }


@contextmanager
def in_process(settings: Settings, clock: Clock, validators: Mapping[str, Validate] | None = None) -> Iterator[InProcess]:
    """Open an authority in this thread; `validators` take the place of those of the settings. Raises StateError."""
    bases = {name: f"{_scheme(name)}://{name.value}.ca-sim.test" for name in PlaneName}
    background, late = Background(), list[float]()

    async def sleep(seconds: float) -> None:
        late.append(seconds)  # nobody waits here; whoever asked finds out that it was too long

    loop = asyncio.new_event_loop()
    try:
        with build(settings, clock, background, bases, sleep=sleep, validators=validators) as house:
            loop.run_until_complete(_resume(house, background))
            yield InProcess(house, background, loop, late)
            loop.run_until_complete(background.stop())
    finally:
        loop.close()


def _scheme(name: PlaneName) -> str:
    return "http" if TRANSPORTS[name] is Transport.PLAIN else "https"
