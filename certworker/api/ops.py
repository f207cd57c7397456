"""The plain HTTP port for operators: metrics, health, readiness and the live view. It tells no key and no secret.

On loopback it asks nobody who they are, so it answers only to names that lead there by themselves: a page in a browser on this
machine, whose own name was made to resolve to 127.0.0.1 (DNS rebinding), gets nothing.
"""

import ipaddress
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from certworker.api.console import render_console
from certworker.api.local_names import is_address, is_local_name
from certworker.api.seal import seal_routes
from certworker.api.threads import Threads, closing
from certworker.bootstrap import House
from certworker.errors import SetupError, Unavailable
from certworker.settings import Settings
from certworker.vault.readiness import Part, word_of

MetricsText = Callable[[], tuple[bytes, str]]
_THREADS = 2
_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_CONSOLE_HEADERS = {
    **_NO_STORE,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def build_ops_app(house: House, metrics_text: MetricsText) -> ASGIApp:
    """Build the operators' app. `metrics_text` gives the content of /metrics and its content type."""
    # whoever scrapes does not wait behind those who ask whether it is ready
    threads, readiness_threads = Threads(_THREADS), Threads(_THREADS)

    async def metrics(_: Request) -> Response:
        content, content_type = await threads.run(metrics_text)
        return Response(content, headers={**_NO_STORE, "Content-Type": content_type})

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_NO_STORE)

    async def readiness(_: Request) -> Response:
        try:
            reason = await readiness_threads.run(_why_not_ready, house)
        except Unavailable:
            reason = "busy"
        return PlainTextResponse(f"not ready: {reason}\n" if reason else "ready\n", 503 if reason else 200, _NO_STORE)

    async def console(_: Request) -> Response:
        try:
            members, number = await threads.run(house.fleet.most_urgent, house.settings.metrics.certificate_series)
        except Unavailable as error:
            return PlainTextResponse(f"{error}\n", 503, _NO_STORE)
        return HTMLResponse(render_console(members, number, house.clock()), headers=_CONSOLE_HEADERS)

    routes = [Route("/metrics", metrics), Route("/healthz", health), Route("/readyz", readiness), Route("/console", console)]
    routes += seal_routes(house.settings.seal, threads)
    return guarded(Router(routes, lifespan=closing(threads, readiness_threads)), house.settings)


def guarded(router: Router, settings: Settings) -> ASGIApp:
    """Put the guard before the operators' app where it listens on loopback."""
    return LocalNames(router) if _is_loopback(settings.metrics.listen) else router


class LocalNames:
    """Lets requests through whose Host is localhost or an address, as nobody else's name is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        app = self._app
        if scope["type"] == "http" and not is_local_name(Request(scope).headers.get("host", "")):
            app = PlainTextResponse("This port answers to localhost and to addresses only.\n", 421, _NO_STORE)
        await app(scope, receive, send)


def _is_loopback(listen: str) -> bool:
    return listen == "localhost" or (is_address(listen) and ipaddress.ip_address(listen).is_loopback)


def _why_not_ready(house: House) -> str | None:
    """Say in a word or two what keeps requests from being answered; the log has the reason, which may name a path."""
    failing = [word_of(part) for part, works in house.readiness.standing().items() if not works]
    if failing:
        return ", ".join(failing)
    try:
        founded = house.founding.is_done()
    except Unavailable:
        return word_of(Part.DATABASE)
    except SetupError:
        return "master key"
    return None if founded else "this deployment has not been set up; run `certworker init`"
