"""Certificates that come from elsewhere, go elsewhere, or change: import, update, backup, restore."""

from datetime import UTC, datetime
from functools import partial

from pydantic import Field
from starlette.responses import Response

from certworker.api.blobs import answer_blob, read_blob
from certworker.api.bodies import Body, Text
from certworker.api.call import Call, answer, route
from certworker.api.wire_certificates import EnabledBody, bundle_wire
from certworker.api.wire_policy import PolicyBody, apply_policy
from certworker.vault.imports import Arrival
from certworker.vault.updates import Update

LAST_SECOND = 253_402_300_799
"""The end of the year 9999."""


class ImportBody(Body):
    """What brings a certificate."""

    value: Text = Field(repr=False)
    pwd: Text | None = Field(None, repr=False)
    policy: PolicyBody | None = None
    attributes: EnabledBody | None = None
    tags: dict[Text, Text] | None = None
    preserve_order: bool | None = Field(None, alias="preserveCertOrder")


class UpdateAttributesBody(EnabledBody):
    """`attributes` of a certificate; the times can only be repeated."""

    nbf: int | None = Field(None, ge=0, le=LAST_SECOND)
    exp: int | None = Field(None, ge=0, le=LAST_SECOND)


class UpdateBody(Body):
    """What changes a version of a certificate, and the policy of all."""

    policy: PolicyBody | None = None
    attributes: UpdateAttributesBody | None = None
    tags: dict[Text, Text] | None = None


async def import_(call: Call) -> Response:
    """POST /certificates/{name}/import."""
    body = await call.body(ImportBody)
    arrival = Arrival(
        body.value,
        body.pwd,
        partial(apply_policy, body.policy or PolicyBody()),
        body.tags or {},
        enabled=body.attributes is None or body.attributes.enabled is not False,
        preserve_order=bool(body.preserve_order),
    )
    return answer(bundle_wire(call.view, await call.run(call.house.imports.import_, call.name, arrival)))


async def update(call: Call) -> Response:
    """PATCH /certificates/{name}, and one version of it."""
    body = await call.body(UpdateBody)
    change = None
    if body.policy is not None:
        change = partial(apply_policy, body.policy, knows_uris_and_addresses=call.api_version.knows_uris_and_addresses)
    attributes = body.attributes or UpdateAttributesBody()
    wanted = Update(attributes.enabled, _time(attributes.nbf), _time(attributes.exp), body.tags, change)
    return answer(bundle_wire(call.view, await call.run(call.house.updates.update, call.name, call.version, wanted)))


async def backup(call: Call) -> Response:
    """POST /certificates/{name}/backup."""
    return answer_blob(await call.run(call.house.backups.certificates.backup, call.name))


async def restore(call: Call) -> Response:
    """POST /certificates/restore."""
    bundle = await call.run(call.house.backups.certificates.restore, await read_blob(call))
    return answer(bundle_wire(call.view, bundle))


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


ROUTES = (
    route("POST", "/certificates/restore", restore),
    route("POST", "/certificates/{name}/import", import_),
    route("POST", "/certificates/{name}/backup", backup),
    route("PATCH", "/certificates/{name}", update),
    route("PATCH", "/certificates/{name}/{version}", update),
)
