"""The plain HTTP port for operators: metrics, health, readiness and the live view. It tells no key and no secret."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from certworker.api.console import render_console
from certworker.api.threads import Threads, closing
from certworker.bootstrap import House
from certworker.errors import CertworkerError, Unavailable

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
    threads = Threads(_THREADS)

    async def metrics(_: Request) -> Response:
        content, content_type = await threads.run(metrics_text)
        return Response(content, headers={**_NO_STORE, "Content-Type": content_type})

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_NO_STORE)

    async def readiness(_: Request) -> Response:
        reason = await threads.run(_why_not_ready, house)
        return PlainTextResponse(f"not ready: {reason}\n" if reason else "ready\n", 503 if reason else 200, _NO_STORE)

    async def console(_: Request) -> Response:
        try:
            entries = await threads.run(house.fleet.entries)
        except Unavailable as error:
            return PlainTextResponse(f"{error}\n", 503, _NO_STORE)
        return HTMLResponse(render_console(entries, house.clock()), headers=_CONSOLE_HEADERS)

    routes = [Route("/metrics", metrics), Route("/healthz", health), Route("/readyz", readiness), Route("/console", console)]
    return Router(routes, lifespan=closing(threads))


def _why_not_ready(house: House) -> str | None:
    try:
        house.store.ping()
        founded = house.founding.is_done()
    except CertworkerError as error:
        return str(error)
    return None if founded else "this deployment has not been set up; run `certworker init`"
