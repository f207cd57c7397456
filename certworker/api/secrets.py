"""Secrets: list, show."""

from functools import partial

from starlette.responses import Response

from certworker.api.call import Call, answer, route
from certworker.api.wire_objects import secret_item_wire, secret_version_wire, secret_wire
from certworker.errors import BadParameter


async def show(call: Call) -> Response:
    """GET /secrets/{name}, and one version of it."""
    if call.query.get("outcontenttype"):
        raise BadParameter("outContentType: this release gives a secret in the form that its policy names.", "outContentType")
    return answer(secret_wire(call.view, await call.read(call.house.secrets.get, call.name, call.version)))


async def list_all(call: Call) -> Response:
    """GET /secrets."""
    page = await call.run(call.house.secrets.list_, call.after(), call.max_results())
    return call.page(page, partial(secret_item_wire, call.view))


async def list_versions(call: Call) -> Response:
    """GET /secrets/{name}/versions."""
    page = await call.run(call.house.secrets.versions, call.name, call.after(), call.max_results())
    return call.page(page, partial(secret_version_wire, call.view))


ROUTES = (
    route("GET", "/secrets/{name}", show),
    route("GET", "/secrets/{name}/versions", list_versions),
    route("GET", "/secrets/{name}/{version}", show),
    route("GET", "/secrets", list_all),
)
