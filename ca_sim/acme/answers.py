"""What all answers of the ACME server have in common: problem documents, nonces, links (RFC 8555 sections 6.5 to 6.7)."""

import json

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ca_sim.acme import urls
from ca_sim.acme.nonces import Nonces
from ca_sim.acme.rate_limits import RateLimits
from ca_sim.acme.urls import Urls
from ca_sim.clock import Clock
from ca_sim.faults.rules import TOO_MANY_REQUESTS
from ca_sim.problems import PREFIX, MethodNotAllowedError, NotFoundError, ProblemError, RateLimitedError

NOT_FOUND = 404
METHOD_NOT_ALLOWED = 405


def refusal(status: int, detail: str) -> tuple[str, bytes]:
    """Write an error of the wire as a problem document: rateLimited for 429, serverInternal otherwise."""
    word = "rateLimited" if status == TOO_MANY_REQUESTS else "serverInternal"
    document = {"type": PREFIX + word, "detail": detail, "status": status}
    return "application/problem+json", json.dumps(document).encode()


def problem_document(problem: ProblemError) -> Response:
    """Answer with a problem document and what headers come with it."""
    return JSONResponse(problem.document(), problem.status, problem.headers, media_type="application/problem+json")


async def problem_answer(_: Request, error: Exception) -> Response:
    """Answer with the problem that was raised."""
    return problem_document(error if isinstance(error, ProblemError) else ProblemError("the server failed; its log says more"))


async def internal_problem(request: Request, _: Exception) -> Response:
    """Answer for what should not have happened."""
    return await problem_answer(request, ProblemError("the server failed; its log says more"))


async def http_problem(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such path, or another method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == METHOD_NOT_ALLOWED:
        allowed = {"Allow": (getattr(error, "headers", None) or {}).get("Allow", "POST")}
        return await problem_answer(request, MethodNotAllowedError("this resource does not take this method", headers=allowed))
    if status == NOT_FOUND:
        return await problem_answer(request, NotFoundError("there is nothing at this URL"))
    return await problem_answer(request, ProblemError(f"HTTP status {status}"))


class AcmeHeaders:
    """Puts on what every answer has: a nonce after a POST, also after a refused one (6.5), the link to the directory.

    What comes faster than the settings allow is refused here, before anything is read.
    """

    def __init__(self, app: ASGIApp, nonces: Nonces, limits: RateLimits, clock: Clock, to: Urls) -> None:
        self._app = app
        self._nonces = nonces
        self._limits = limits
        self._clock = clock
        self._urls = to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and put the headers on its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(MutableHeaders(scope=message), scope["method"], scope["path"])
            await send(message)

        try:
            self._limits.check_request(urls.place(scope["method"], scope["path"]))
        except RateLimitedError as busy:
            await problem_document(busy)(scope, receive, send_more)
        else:
            await self._app(scope, receive, send_more)

    def _add(self, headers: MutableHeaders, method: str, path: str) -> None:
        headers["Cache-Control"] = "no-store"
        if method == "POST" or path == urls.NEW_NONCE:
            headers["Replay-Nonce"] = self._nonces.issue(self._clock())
        if path != urls.DIRECTORY:
            headers.append("Link", f'<{self._urls.of(urls.DIRECTORY)}>;rel="index"')
