"""Keys: backup, restore."""

from starlette.responses import Response

from certworker.api.blobs import answer_blob, read_blob
from certworker.api.call import Call, answer, route
from certworker.api.wire_keys import key_wire


async def backup(call: Call) -> Response:
    """POST /keys/{name}/backup."""
    return answer_blob(await call.run(call.house.backups.keys.backup, call.name))


async def restore(call: Call) -> Response:
    """POST /keys/restore."""
    key = await call.run(call.house.backups.keys.restore, await read_blob(call))
    return answer(key_wire(call.view, key))


ROUTES = (
    route("POST", "/keys/restore", restore),
    route("POST", "/keys/{name}/backup", backup),
)
