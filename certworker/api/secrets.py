"""Secrets: set, list, show, update, delete, recover, purge, backup, restore."""

from functools import partial

from starlette.responses import Response

from certworker.api.blobs import answer_blob, read_blob
from certworker.api.call import Call, answer, route
from certworker.api.wire_secrets import (
    SetBody,
    UpdateBody,
    deleted_secret_wire,
    secret_item_wire,
    secret_version_wire,
    secret_wire,
    version_wire,
)


async def set_(call: Call) -> Response:
    """PUT /secrets/{name}."""
    body = await call.body(SetBody)
    return answer(secret_wire(call.view, await call.run(call.house.secrets.set, call.name, body.new())))


async def show(call: Call) -> Response:
    """GET /secrets/{name}, and one version of it."""
    form = call.query.get("outcontenttype") if call.api_version.knows_out_content_type else None
    method = call.house.secrets.get
    if form:
        # what has to be converted takes its time
        return answer(secret_wire(call.view, await call.run(method, call.name, call.version, form)))
    told = call.api_version.knows_previous_version
    found = await call.read(method, call.name, call.version, with_previous=told, glance=call.glance)
    return answer(secret_wire(call.view, found))


async def list_all(call: Call) -> Response:
    """GET /secrets."""
    page = await call.run(call.house.secrets.list_, call.after(), call.max_results())
    return call.page(page, partial(secret_item_wire, call.view))


async def list_versions(call: Call) -> Response:
    """GET /secrets/{name}/versions."""
    page = await call.run(call.house.secrets.versions, call.name, call.after(), call.max_results())
    return call.page(page, partial(secret_version_wire, call.view))


async def update(call: Call) -> Response:
    """PATCH /secrets/{name}, and one version of it."""
    body = await call.body(UpdateBody)
    method = call.house.secrets.update
    return answer(version_wire(call.view, await call.run(method, call.name, call.version, body.update())))


async def delete(call: Call) -> Response:
    """DELETE /secrets/{name}."""
    return answer(deleted_secret_wire(call.view, await call.run(call.house.secrets.delete, call.name)))


async def list_deleted(call: Call) -> Response:
    """GET /deletedsecrets."""
    page = await call.run(call.house.secrets.list_deleted, call.after(), call.max_results())
    return call.page(page, partial(secret_item_wire, call.view))


async def show_deleted(call: Call) -> Response:
    """GET /deletedsecrets/{name}."""
    return answer(deleted_secret_wire(call.view, await call.run(call.house.secrets.deleted, call.name)))


async def recover(call: Call) -> Response:
    """POST /deletedsecrets/{name}/recover."""
    return answer(deleted_secret_wire(call.view, await call.run(call.house.secrets.recover, call.name)))


async def purge(call: Call) -> Response:
    """DELETE /deletedsecrets/{name}."""
    await call.run(call.house.secrets.purge, call.name)
    return Response(status_code=204)


async def backup(call: Call) -> Response:
    """POST /secrets/{name}/backup."""
    return answer_blob(await call.run(call.house.backups.secrets.backup, call.name))


async def restore(call: Call) -> Response:
    """POST /secrets/restore."""
    secret = await call.run(call.house.backups.secrets.restore, await read_blob(call))
    return answer(version_wire(call.view, secret))


ROUTES = (
    route("POST", "/secrets/restore", restore),
    route("POST", "/secrets/{name}/backup", backup),
    route("GET", "/secrets/{name}", show),
    route("GET", "/secrets/{name}/versions", list_versions),
    route("GET", "/secrets/{name}/{version}", show),
    route("GET", "/secrets", list_all),
    route("PUT", "/secrets/{name}", set_),
    route("PATCH", "/secrets/{name}", update),
    route("PATCH", "/secrets/{name}/{version}", update),
    route("DELETE", "/secrets/{name}", delete),
    route("GET", "/deletedsecrets", list_deleted),
    route("GET", "/deletedsecrets/{name}", show_deleted),
    route("POST", "/deletedsecrets/{name}/recover", recover),
    route("DELETE", "/deletedsecrets/{name}", purge),
)
