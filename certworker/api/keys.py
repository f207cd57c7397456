"""Keys: list, show."""

from functools import partial

from starlette.responses import Response

from certworker.api.call import Call, answer, route
from certworker.api.wire_objects import key_item_wire, key_version_wire, key_wire


async def show(call: Call) -> Response:
    """GET /keys/{name}, and one version of it."""
    return answer(key_wire(call.view, await call.read(call.house.keys.get, call.name, call.version)))


async def list_all(call: Call) -> Response:
    """GET /keys."""
    page = await call.run(call.house.keys.list_, call.after(), call.max_results())
    return call.page(page, partial(key_item_wire, call.view))


async def list_versions(call: Call) -> Response:
    """GET /keys/{name}/versions."""
    page = await call.run(call.house.keys.versions, call.name, call.after(), call.max_results())
    return call.page(page, partial(key_version_wire, call.view))


ROUTES = (
    route("GET", "/keys/{name}", show),
    route("GET", "/keys/{name}/versions", list_versions),
    route("GET", "/keys/{name}/{version}", show),
    route("GET", "/keys", list_all),
)
