"""Deleted keys: delete, list, show, recover, purge."""

from functools import partial

from starlette.responses import Response

from certworker.api.call import Call, answer, route
from certworker.api.wire_keys import deleted_key_wire, key_item_wire


async def delete(call: Call) -> Response:
    """DELETE /keys/{name}."""
    return answer(deleted_key_wire(call.view, await call.run(call.house.key_life.deletions.delete, call.name)))


async def list_deleted(call: Call) -> Response:
    """GET /deletedkeys."""
    page = await call.run(call.house.key_life.deletions.list_deleted, call.after(), call.max_results())
    return call.page(page, partial(key_item_wire, call.view))


async def show_deleted(call: Call) -> Response:
    """GET /deletedkeys/{name}."""
    return answer(deleted_key_wire(call.view, await call.run(call.house.key_life.deletions.deleted, call.name)))


async def recover(call: Call) -> Response:
    """POST /deletedkeys/{name}/recover."""
    return answer(deleted_key_wire(call.view, await call.run(call.house.key_life.deletions.recover, call.name)))


async def purge(call: Call) -> Response:
    """DELETE /deletedkeys/{name}."""
    await call.run(call.house.key_life.deletions.purge, call.name)
    return Response(status_code=204)


ROUTES = (
    route("DELETE", "/keys/{name}", delete),
    route("GET", "/deletedkeys", list_deleted),
    route("GET", "/deletedkeys/{name}", show_deleted),
    route("POST", "/deletedkeys/{name}/recover", recover),
    route("DELETE", "/deletedkeys/{name}", purge),
)
