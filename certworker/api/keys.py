"""Keys: create, import, list, show, update, rotate, and their rotation policies."""

from functools import partial

from starlette.responses import Response

from certworker.api.call import Call, answer, route
from certworker.api.wire_keys import CreateBody, ImportBody, SettingsBody, key_item_wire, key_version_wire, key_wire
from certworker.api.wire_rotation import RotationPolicyBody, rotation_policy_wire


async def create(call: Call) -> Response:
    """POST /keys/{name}/create."""
    body = await call.body(CreateBody)
    made = await call.run(call.house.key_life.creation.create, call.name, body.wanted(), body.settings())
    return answer(key_wire(call.view, made))


async def import_(call: Call) -> Response:
    """PUT /keys/{name}."""
    body = await call.body(ImportBody)
    taken = await call.run(call.house.key_life.creation.import_, call.name, body.arriving(), body.settings())
    return answer(key_wire(call.view, taken))


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


async def attest(call: Call) -> Response:
    """GET /keys/{name}/{version}/attestation."""
    return answer(key_wire(call.view, await call.run(call.house.attestations.attest, call.name, call.version)))


async def update(call: Call) -> Response:
    """PATCH /keys/{name}, and one version of it."""
    settings = (await call.body(SettingsBody)).settings()
    return answer(key_wire(call.view, await call.run(call.house.key_life.updates.update, call.name, call.version, settings)))


async def rotate(call: Call) -> Response:
    """POST /keys/{name}/rotate."""
    return answer(key_wire(call.view, await call.run(call.house.key_life.rotations.rotate, call.name)))


async def show_rotation_policy(call: Call) -> Response:
    """GET /keys/{name}/rotationpolicy."""
    rotation = await call.run(call.house.key_life.rotations.policy, call.name)
    return answer(rotation_policy_wire(call.view, call.name, rotation))


async def set_rotation_policy(call: Call) -> Response:
    """PUT /keys/{name}/rotationpolicy."""
    policy = (await call.body(RotationPolicyBody)).policy()
    rotation = await call.run(call.house.key_life.rotations.set_policy, call.name, policy)
    return answer(rotation_policy_wire(call.view, call.name, rotation))


ROUTES = (
    route("PUT", "/keys/{name}", import_),
    route("GET", "/keys/{name}", show),
    route("PATCH", "/keys/{name}", update),
    route("POST", "/keys/{name}/create", create),
    route("POST", "/keys/{name}/rotate", rotate),
    route("GET", "/keys/{name}/rotationpolicy", show_rotation_policy),
    route("PUT", "/keys/{name}/rotationpolicy", set_rotation_policy),
    route("GET", "/keys/{name}/versions", list_versions),
    route("GET", "/keys/{name}/{version}", show),
    route("GET", "/keys/{name}/{version}/attestation", attest),
    route("PATCH", "/keys/{name}/{version}", update),
    route("GET", "/keys", list_all),
)
