"""Certificate issuers: set, list, show, delete."""

from functools import partial

from starlette.responses import Response

from certworker.api.call import Call, answer, route
from certworker.api.wire_certificates import IssuerSetBody, issuer_item_wire, issuer_wire


async def list_all(call: Call) -> Response:
    """GET /certificates/issuers."""
    page = await call.run(call.house.issuers.list_, call.after(), call.max_results())
    return call.page(page, partial(issuer_item_wire, call.view))


async def show(call: Call) -> Response:
    """GET /certificates/issuers/{name}."""
    return answer(issuer_wire(call.view, await call.run(call.house.issuers.get, call.name)))


async def set_(call: Call) -> Response:
    """PUT /certificates/issuers/{name}."""
    body = await call.body(IssuerSetBody)
    return answer(issuer_wire(call.view, await call.run(call.house.issuers.set, call.name, body.parameters())))


async def delete(call: Call) -> Response:
    """DELETE /certificates/issuers/{name}: answers with what was deleted."""
    return answer(issuer_wire(call.view, await call.run(call.house.issuers.delete, call.name)))


ROUTES = (
    route("GET", "/certificates/issuers", list_all),
    route("GET", "/certificates/issuers/{name}", show),
    route("PUT", "/certificates/issuers/{name}", set_),
    route("DELETE", "/certificates/issuers/{name}", delete),
)
