"""Faults of the wire: between the network and an application, before and after what was asked is done."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.utils import format_datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ca_sim.clock import Clock
from ca_sim.faults.engine import Faults
from ca_sim.faults.rules import TOO_MANY_REQUESTS, UNAVAILABLE, Fault, FaultKind, Mangling

ABORT = "ca_sim.abort"
"""What a server puts into the scope: a call that cuts the connection without a word."""

Sleep = Callable[[float], Awaitable[None]]
Place = Callable[[str, str], str]
"""Names the kind of a request by its method and path, such as acme.finalize."""
Refusal = Callable[[int, str], tuple[str, bytes]]
"""Writes an error in the shape of an API: status and word to content type and body."""

HUGE = 1 << 30
_CHUNK = b" " * (1 << 20)
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>\n"


def plain_refusal(status: int, detail: str) -> tuple[str, bytes]:
    """Write an error as a web server in front of an API would."""
    return "text/plain; charset=utf-8", f"{status} {detail}\n".encode()


class FaultyWire:
    """Wraps an application; which faults strike is asked anew for each request."""

    def __init__(
        self, app: ASGIApp, faults: Faults, clock: Clock, sleep: Sleep, place: Place, refusal: Refusal = plain_refusal
    ) -> None:
        self._app = app
        self._faults = faults
        self._clock = clock
        self._sleep = sleep
        self._place = place
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or not, and its answer, or not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        place = self._place(scope["method"], scope["path"])
        if late := self._faults.strike(FaultKind.LATENCY, place):
            await self._sleep(late.seconds or 0)
        if self._faults.strike(FaultKind.DROP_BEFORE, place):
            await _abort(scope, receive)
        elif fault := self._faults.strike(FaultKind.THROTTLE, place):
            await self._refuse(fault, fault.status or TOO_MANY_REQUESTS, "too many requests", send)
        elif fault := self._faults.strike(FaultKind.ERROR, place):
            await self._refuse(fault, fault.status or UNAVAILABLE, "the service is unavailable", send)
        elif self._faults.strike(FaultKind.DROP_AFTER, place):
            await self._app(scope, receive, _swallow)
            await _abort(scope, receive)
        elif mangled := self._faults.strike(FaultKind.MANGLE, place):
            await self._app(scope, receive, _Spoiler(send, mangled.mangling))
        else:
            await self._app(scope, receive, send)

    async def _refuse(self, fault: Fault, status: int, detail: str, send: Send) -> None:
        content_type, body = self._refusal(status, detail)
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        if fault.seconds is not None:
            headers.append((b"retry-after", self._retry_after(fault).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _retry_after(self, fault: Fault) -> str:
        seconds = max(fault.seconds or 0, 0)
        if fault.as_date:
            return format_datetime(self._clock() + timedelta(seconds=seconds), usegmt=True)
        return str(int(seconds))


class _Spoiler:
    """Passes an answer on with a body that is none; the headers that tell its length go with it."""

    def __init__(self, send: Send, mangling: Mangling) -> None:
        self._send = send
        self._mangling = mangling
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        if self._mangling is Mangling.HUGE:
            await self._flood()
            return
        body = self._spoilt()
        await self._send({**self._start, "headers": self._headers(len(body))})
        await self._send({"type": "http.response.body", "body": body})

    def _spoilt(self) -> bytes:
        if self._mangling is Mangling.HTML:
            return _HTML
        if self._mangling is Mangling.JSON:
            return b'{"status": {"surprise": ["\\u0000"]}}'
        return self._body[: len(self._body) // 2]

    def _headers(self, length: int) -> list[tuple[bytes, bytes]]:
        kept = [(name, value) for name, value in self._start["headers"] if name.lower() != b"content-length"]
        return [*kept, (b"content-length", str(length).encode())]

    async def _flood(self) -> None:
        await self._send({**self._start, "headers": self._headers(HUGE)})
        for _ in range(HUGE // len(_CHUNK)):
            await self._send({"type": "http.response.body", "body": _CHUNK, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})


async def _swallow(_: Message) -> None:
    """Take an answer that nobody will see."""


async def _abort(scope: Scope, receive: Receive) -> None:
    """Cut the connection, and wait until the server knows: it would take a missing answer for an error."""
    scope[ABORT]()
    while (await receive())["type"] != "http.disconnect":
        pass
