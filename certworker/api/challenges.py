"""The http-01 responder: plain HTTP, key authorizations only (RFC 8555 section 8.3)."""

import re

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from certworker.api.threads import Threads, closing
from certworker.bootstrap import House
from certworker.errors import Unavailable

PATH = "/.well-known/acme-challenge/{token}"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")
_THREADS = 2


def build_challenge_app(house: House) -> ASGIApp:
    """Build the app that answers a CA's http-01 validation. It tells nothing else."""
    threads = Threads(_THREADS)

    async def answer(request: Request) -> Response:
        token = request.path_params["token"]
        try:
            response = await threads.run(house.challenges.find, token) if _TOKEN.fullmatch(token) else None
        except Unavailable:
            return PlainTextResponse("unavailable\n", 503, {"Retry-After": "5"})
        if response is None:
            return PlainTextResponse("not found\n", 404)
        # the type that RFC 8555 8.3 wants; a browser that is led here must not take it for a page
        headers = {"X-Content-Type-Options": "nosniff"}
        return Response(response, media_type="application/octet-stream", headers=headers)

    return Router([Route(PATH, answer)], redirect_slashes=False, lifespan=closing(threads))
