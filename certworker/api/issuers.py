"""Certificate issuers: set, change, list, show, delete."""

import json
from functools import partial

from pydantic import Field
from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import Call, answer, route
from certworker.api.wire_certificates import (
    CredentialsBody,
    EnabledBody,
    IssuerSetBody,
    OrganizationBody,
    issuer_item_wire,
    issuer_wire,
)
from certworker.vault.issuers import IssuerChange


class IssuerUpdateBody(Body):
    """What changes an issuer: only what is sent."""

    provider: Text | None = None
    credentials: CredentialsBody | None = None
    organization: OrganizationBody | None = Field(None, alias="org_details")
    attributes: EnabledBody | None = None

    def change(self) -> IssuerChange:
        """Say it in the service's terms."""
        sent = self.organization.model_dump(exclude_none=True) if self.organization else {}
        credentials = self.credentials or CredentialsBody()
        return IssuerChange(
            provider=self.provider,
            account_id=credentials.account_id,
            credential=credentials.pwd,
            organization=(lambda known: json.dumps({**json.loads(known or "{}"), **sent})) if sent else None,
            enabled=self.attributes.enabled if self.attributes else None,
        )


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


async def update(call: Call) -> Response:
    """PATCH /certificates/issuers/{name}."""
    body = await call.body(IssuerUpdateBody)
    return answer(issuer_wire(call.view, await call.run(call.house.issuers.update, call.name, body.change())))


async def delete(call: Call) -> Response:
    """DELETE /certificates/issuers/{name}: answers with what was deleted."""
    return answer(issuer_wire(call.view, await call.run(call.house.issuers.delete, call.name)))


ROUTES = (
    route("GET", "/certificates/issuers", list_all),
    route("GET", "/certificates/issuers/{name}", show),
    route("PUT", "/certificates/issuers/{name}", set_),
    route("PATCH", "/certificates/issuers/{name}", update),
    route("DELETE", "/certificates/issuers/{name}", delete),
)
