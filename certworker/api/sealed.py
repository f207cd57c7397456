"""What a sealed service answers: 503 to everything, until somebody opens the seal on the operators' port."""

import ssl
from datetime import timedelta
from typing import Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from certworker.api.errors import error_response
from certworker.api.ops import MetricsText, guarded
from certworker.api.seal import seal_routes
from certworker.api.server_certificate import certificate_of_files, load_context, server_names
from certworker.api.threads import Threads, closing
from certworker.clock import Clock, whole_second
from certworker.crypto.bundles import pem_bundle
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, self_sign
from certworker.errors import Sealed
from certworker.settings import Settings

RETRY_AFTER: Final = timedelta(seconds=30)
WORDS: Final = (
    "The service is sealed: its master key has to be opened after a start. An operator does that with `certworker seal unseal`."
)
_VALIDITY: Final = timedelta(days=30)
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def build_sealed_app() -> ASGIApp:
    """Build the app of the HTTPS port while the service is sealed."""
    threads = Threads(1)
    return Router(default=_refuse, redirect_slashes=False, lifespan=closing(threads))


def build_sealed_ops_app(settings: Settings, metrics_text: MetricsText) -> ASGIApp:
    """Build the operators' app while the service is sealed; `metrics_text` is as in `build_ops_app`."""
    threads = Threads(2)

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_HEADERS)

    async def readiness(_: Request) -> Response:
        return PlainTextResponse("not ready: sealed\n", 503, _HEADERS)

    async def metrics(_: Request) -> Response:
        content, content_type = await threads.run(metrics_text)
        return Response(content, headers={**_HEADERS, "Content-Type": content_type})

    routes = [
        Route("/metrics", metrics),
        Route("/healthz", health),
        Route("/readyz", readiness),
        *seal_routes(settings.seal, threads),
    ]
    return guarded(Router(routes, default=_refuse, lifespan=closing(threads)), settings)


def sealed_context(settings: Settings, clock: Clock) -> ssl.SSLContext:
    """Give the context that a sealed service listens with.

    The service's own certificate lies under the seal. Without one in files there is only one that was made for the moment, and
    nobody has a reason to trust it: a client that checks ends there, and one that does not is told that the service is sealed.
    """
    named = certificate_of_files(settings.server)
    if named:
        return load_context(named)
    names, at = server_names(settings), whole_second(clock())
    key = generate_key("EC", None, "P-256")
    request = CertificateRequest(f"CN={names.dns_names[0]}", names, ("digitalSignature",), ())
    return load_context(pem_bundle(key, self_sign(key, request, at, at + _VALIDITY), ()))


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    request_id = str(uuid4())
    response = error_response(Sealed(WORDS, RETRY_AFTER), request_id)
    response.headers.update({**_HEADERS, "x-ms-request-id": request_id})
    await response(scope, receive, send)
