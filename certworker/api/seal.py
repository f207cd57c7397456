"""The seal over HTTP, on the operators' port: how it stands, and what opens it.

It is there whether the service is sealed or not. It is reached from this machine only, and takes JSON only: a page in a browser
cannot send that to another origin. It looks at the Host too, whatever the port listens on (see `local_names`).
"""

import ipaddress
import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from certworker.api.errors import error_response, key_vault_error
from certworker.api.local_names import is_local_name
from certworker.api.threads import Threads
from certworker.errors import BadParameter, CertworkerError, Forbidden
from certworker.seal.channel import ask
from certworker.settings import Seal, SealKind

PATH: Final = "/certworker/v1/seal"
MOST_BYTES: Final = 8 * 1024
_NO_STORE: Final = "no-store"


def seal_routes(seal: Seal, threads: Threads) -> list[Route]:
    """Build the routes of the seal."""

    async def answer(request: Request, question: dict[str, Any]) -> Response:
        try:
            _require_here(request)
            if seal.kind is SealKind.NONE:
                return _answer({"kind": seal.kind.value, "sealed": False})
            return _answer(await threads.run(ask, seal.socket, question))
        except CertworkerError as error:
            return error_response(error, "-")

    async def show(request: Request) -> Response:
        return await answer(request, {"ask": "status"})

    async def unseal(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().casefold() != "application/json":
            return key_vault_error(415, "UnsupportedMediaType", "The body is JSON, and its Content-Type says so.")
        try:
            secret = _secret(await _body(request))
        except BadParameter as error:
            return error_response(error, "-")
        return await answer(request, {"ask": "unseal", **secret})

    return [Route(PATH, show, methods=["GET"]), Route(f"{PATH}/unseal", unseal, methods=["POST"])]


def _answer(state: dict[str, Any]) -> Response:
    return JSONResponse(state, headers={"Cache-Control": _NO_STORE, "X-Content-Type-Options": "nosniff"})


def _require_here(request: Request) -> None:
    try:
        is_here = request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise Forbidden("The seal is opened from this machine only.")
    if not is_local_name(request.headers.get("host", "")):
        raise Forbidden("The seal is opened by the name localhost or an address only.")


async def _body(request: Request) -> bytes:
    received = b""
    async for part in request.stream():
        received += part
        if len(received) > MOST_BYTES:
            raise BadParameter(f"The request body has more than {MOST_BYTES} bytes.")
    return received


def _secret(body: bytes) -> dict[str, str]:
    """Read the body. What was sent is not repeated in an error."""
    try:
        values = json.loads(body)
    except ValueError:
        values = None
    names = set(values) if isinstance(values, dict) else set()
    name = next(iter(names), "")
    if len(names) != 1 or name not in {"passphrase", "share"} or not isinstance(values[name], str):
        raise BadParameter('The request body is {"passphrase": "..."} or {"share": "..."}.')
    return {name: values[name]}
