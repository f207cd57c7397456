"""Service principals: applications as they act in the tenant, and managed identities."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from certworker.api.bodies import Text
from certworker.api.graph import applications
from certworker.api.graph.call import GraphCall, no_content
from certworker.api.graph.memberships import membership_routes
from certworker.api.graph.owners import owner_routes
from certworker.api.graph.routing import Handler, route
from certworker.api.graph.wire import GraphBody, KeyCredential, show_principal
from certworker.errors import BadParameter


class PrincipalBody(GraphBody):
    """A service principal, or what is to be changed of one."""

    app_id: Text | None = None
    account_enabled: bool | None = None
    display_name: Text | None = None
    key_credentials: list[KeyCredential] | None = None
    service_principal_type: Text | None = None
    alternative_names: list[Text] | None = None

    def changes(self) -> dict[str, Any]:
        """Give what was sent, by the names of the record."""
        sent = {"enabled": self.account_enabled, "display_name": self.display_name}
        return {name: value for name, value in sent.items() if value is not None}


async def list_principals(call: GraphCall) -> Response:
    """List the service principals."""
    found = await call.run(call.house.identities.service_principals.list)
    return call.many(map(show_principal, found), "servicePrincipals")


async def create_principal(call: GraphCall) -> Response:
    """Let an application act in the tenant."""
    body, enabled = await call.body(PrincipalBody), True
    if body.service_principal_type == "ManagedIdentity":
        return await _create_managed_identity(call, body)
    if body.app_id is None:
        raise BadParameter("A service principal has the appId of its application.", "appId")
    if body.account_enabled is not None:
        enabled = body.account_enabled
    view = await call.run(call.house.identities.service_principals.create, body.app_id, enabled=enabled)
    return call.one(show_principal(view), "servicePrincipals", 201)


async def _create_managed_identity(call: GraphCall, body: PrincipalBody) -> Response:
    """Add a managed identity. Microsoft's Graph does not do so; its resource manager has a provider for it."""
    if body.display_name is None or len(body.alternative_names or ()) != 1:
        raise BadParameter("A managed identity has a displayName, and in alternativeNames the one id of its resource.")
    service, (resource_id,) = call.house.identities.service_principals, body.alternative_names or ("",)
    made = await call.run(service.create_managed_identity, body.display_name, resource_id)
    view = await call.run(service.get, made.object_id)
    return call.one(show_principal(view), "servicePrincipals", 201)


async def get_principal(call: GraphCall) -> Response:
    """Show a service principal."""
    view = await call.run(call.house.identities.service_principals.get, call["id"])
    return call.one(show_principal(view), "servicePrincipals")


async def update_principal(call: GraphCall) -> Response:
    """Change a service principal; its certificates are those of its application."""
    body, identities = await call.body(PrincipalBody), call.house.identities
    if body.changes() or body.key_credentials is None:  # whoever sends nothing has to be let in as well
        await call.run(identities.service_principals.update, call["id"], body.changes())
    if body.key_credentials is not None:
        view = await call.run(identities.service_principals.get, call["id"])
        certificates = [one.read() for one in body.key_credentials]
        await call.run(identities.applications.update, view.principal.client_id, {}, certificates)
    return no_content()


async def delete_principal(call: GraphCall) -> Response:
    """Delete a service principal; its application stays."""
    await call.run(call.house.identities.service_principals.delete, call["id"])
    return no_content()


async def principal_id(call: GraphCall) -> str:
    """Give the object id of the service principal that a path names."""
    return (await call.run(call.house.identities.service_principals.get, call["id"])).principal.object_id


def _of_application(handler: Handler) -> Callable[[GraphCall], Any]:
    """Do with the application what is asked of its service principal."""

    async def of_application(call: GraphCall) -> Response:
        view = await call.run(call.house.identities.service_principals.get, call["id"])
        asked = {**call.params, "id": view.principal.client_id}
        return await handler(GraphCall(call.house, call.threads, call.place, call.caller, call.query, call.request, asked))

    return of_application


_ONE = "/servicePrincipals/{id}"
ROUTES = (
    route("GET", "/servicePrincipals", list_principals),
    route("POST", "/servicePrincipals", create_principal),
    route("GET", _ONE, get_principal),
    route("PATCH", _ONE, update_principal),
    route("DELETE", _ONE, delete_principal),
    route("POST", f"{_ONE}/addPassword", _of_application(applications.add_password)),
    route("POST", f"{_ONE}/removePassword", _of_application(applications.remove_password)),
    *owner_routes(_ONE, principal_id),
    *membership_routes(_ONE, principal_id),
)
