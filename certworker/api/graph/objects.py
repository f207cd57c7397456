"""What can be asked whatever an object is; the tenant itself; and who administers the directory."""

from starlette.responses import Response

from certworker.api.bodies import Text
from certworker.api.graph.call import GraphCall, no_content
from certworker.api.graph.memberships import membership_routes
from certworker.api.graph.routing import route
from certworker.api.graph.wire import GraphBody, Reference, show_application, show_identity
from certworker.errors import BadParameter, DirectoryObjectNotFound
from certworker.vault.rights.roles import PrincipalType

ADMINISTRATOR_ROLE = "62e90394-69f5-4237-9190-012177145e10"
"""The template of the role of Global Administrator, which has one id in every tenant."""
_ROLE = {
    "id": ADMINISTRATOR_ROLE,
    "roleTemplateId": ADMINISTRATOR_ROLE,
    "displayName": "Global Administrator",
    "description": "Administers users, groups and applications of this directory. It is no role at any scope.",
}
_MOST_IDS = 1000
_APPLICATION = "application"


class GetByIds(GraphBody):
    """What `getByIds` takes."""

    ids: list[Text]
    types: list[Text] | None = None


async def get_by_ids(call: GraphCall) -> Response:
    """Show those of some objects that there are, of the types that are asked for."""
    body = await call.body(GetByIds)
    if len(body.ids) > _MOST_IDS:
        raise BadParameter(f"ids lists at most {_MOST_IDS} objects.", "ids")
    shown = [show_identity(one) for one in await call.run(call.house.identities.objects.find, body.ids)]
    types = {kind.lower() for kind in body.types or ()}
    if not types or _APPLICATION in types or "directoryobject" in types:
        wanted = {one.lower() for one in body.ids}
        views = await call.run(call.house.identities.applications.list)
        kind = {"@odata.type": "#microsoft.graph.application"}
        shown += [{**kind, **show_application(one)} for one in views if one.application.object_id in wanted]
    found = [one for one in shown if not types or types & {"directoryobject", one["@odata.type"].rpartition(".")[2].lower()}]
    return call.value(found, "directoryObjects")


async def get_object(call: GraphCall) -> Response:
    """Show an object by its id."""
    found = await call.run(call.house.identities.objects.get, call["id"])
    return call.one(show_identity(found), "directoryObjects")


async def object_id(call: GraphCall) -> str:
    """Give the object id that a path names."""
    return (await call.run(call.house.identities.objects.get, call["id"])).object_id


async def list_organizations(call: GraphCall) -> Response:
    """Show the tenant."""
    tenant = call.caller.tenant_id
    domain = {"name": call.house.settings.server.domain, "isDefault": True, "isInitial": True}
    shown = {"id": tenant, "displayName": "certworker", "tenantType": "AAD", "verifiedDomains": [domain]}
    return call.many([shown], "organization")


async def list_roles(call: GraphCall) -> Response:
    """List the roles of the directory: there is one."""
    return call.many([dict(_ROLE)], "directoryRoles")


async def list_administrators(call: GraphCall) -> Response:
    """List who administers the directory."""
    _check_role(call)
    identities = call.house.identities
    people = [one.object_id for one in await call.run(identities.users.list) if one.administrator]
    views = await call.run(identities.service_principals.list)
    ids = [*people, *(one.principal.object_id for one in views if one.principal.administrator)]
    return call.many(map(show_identity, await call.run(identities.objects.find, ids)), "directoryObjects")


async def add_administrator(call: GraphCall) -> Response:
    """Let a user or a service principal administer the directory."""
    _check_role(call)
    reference = await call.body(Reference)
    call.about(reference.object_id)
    await _set_administrator(call, reference.object_id, administrator=True)
    return no_content()


async def remove_administrator(call: GraphCall) -> Response:
    """Relieve somebody of it."""
    _check_role(call)
    await _set_administrator(call, call["member"], administrator=False)
    return no_content()


async def _set_administrator(call: GraphCall, who: str, *, administrator: bool) -> None:
    identities = call.house.identities
    found = await call.run(identities.objects.get, who)
    if found.kind is PrincipalType.GROUP:
        raise BadParameter("A group does not administer the directory: name users or service principals.")
    change = {"administrator": administrator}
    if found.kind is PrincipalType.USER:
        await call.run(identities.users.update, found.object_id, change)
    else:
        await call.run(identities.service_principals.update, found.object_id, change)


def _check_role(call: GraphCall) -> None:
    if call["id"].lower() != ADMINISTRATOR_ROLE:
        raise DirectoryObjectNotFound(f"There is no role '{call['id'][:60]}'; the one here is {ADMINISTRATOR_ROLE}.")


ROUTES = (
    route("GET", "/organization", list_organizations),
    route("POST", "/directoryObjects/getByIds", get_by_ids),
    route("GET", "/directoryObjects/{id}", get_object),
    *membership_routes("/directoryObjects/{id}", object_id),
    route("GET", "/directoryRoles", list_roles),
    route("GET", "/directoryRoles/{id}/members", list_administrators),
    route("POST", "/directoryRoles/{id}/members/$ref", add_administrator),
    route("DELETE", "/directoryRoles/{id}/members/{member}/$ref", remove_administrator),
)
