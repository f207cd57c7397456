"""Groups, and who is in them."""

from typing import Any

from pydantic import Field
from starlette.responses import Response

from certworker.api.bodies import Text
from certworker.api.graph.call import GraphCall, no_content
from certworker.api.graph.memberships import membership_routes
from certworker.api.graph.owners import owner_routes
from certworker.api.graph.routing import route
from certworker.api.graph.wire import GraphBody, Reference, id_of, show_group, show_identity
from certworker.errors import BadParameter

_FIELDS = ("display_name", "description", "mail_nickname", "mail_enabled", "security_enabled")
_MOST_BOUND = 20
_GRAPH = "microsoft.graph."


class GroupBody(GraphBody):
    """A group, or what is to be changed of one."""

    display_name: Text | None = None
    description: Text | None = None
    mail_nickname: Text | None = None
    mail_enabled: bool | None = None
    security_enabled: bool | None = None
    group_types: list[Text] | None = None
    members: list[Text] | None = Field(default=None, alias="members@odata.bind")
    owners: list[Text] | None = Field(default=None, alias="owners@odata.bind")

    def changes(self) -> dict[str, Any]:
        """Give what was sent, by the names of the record. Raises BadParameter for what no group here is."""
        if self.group_types or self.mail_enabled or self.security_enabled is False:
            raise BadParameter("Groups here are security groups: securityEnabled, not mailEnabled, and without groupTypes.")
        return {name: value for name, value in self.given(*_FIELDS).items() if value is not None or name == "description"}

    def bound(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Give the object ids of members and owners. Raises BadParameter for too many."""
        found = tuple(tuple(map(id_of, urls or ())) for urls in (self.members, self.owners))
        if any(len(ids) > _MOST_BOUND for ids in found):
            raise BadParameter(f"At most {_MOST_BOUND} members or owners are bound by one request.", "members@odata.bind")
        return found[0], found[1]


async def list_groups(call: GraphCall) -> Response:
    """List the groups."""
    return call.many(map(show_group, await call.run(call.house.identities.groups.list)), "groups")


async def create_group(call: GraphCall) -> Response:
    """Add a group."""
    body = await call.body(GroupBody)
    changes = body.changes()
    if "display_name" not in changes:
        raise BadParameter("A group has a displayName.", "displayName")
    return call.one(show_group(await call.run(call.house.identities.groups.create, changes, *body.bound())), "groups", 201)


async def get_group(call: GraphCall) -> Response:
    """Show a group."""
    return call.one(show_group(await call.run(call.house.identities.groups.get, call["id"])), "groups")


async def update_group(call: GraphCall) -> Response:
    """Change a group, and put bound members into it."""
    groups, body = call.house.identities.groups, await call.body(GroupBody)
    members, owners = body.bound()
    changes = body.changes()
    if changes or not (members or owners):
        await call.run(groups.update, call["id"], changes)
    call.about(*members, *owners)
    for member in members:
        await call.run(groups.add_member, call["id"], member)
    for owner in owners:
        await call.run(call.house.identities.objects.add_owner, call["id"], owner)
    return no_content()


async def delete_group(call: GraphCall) -> Response:
    """Delete a group."""
    await call.run(call.house.identities.groups.delete, call["id"])
    return no_content()


async def list_members(call: GraphCall) -> Response:
    """List who is in a group by itself."""
    return await _members(call, transitive=False)


async def list_transitive_members(call: GraphCall) -> Response:
    """List who is in a group, or in a group in it."""
    return await _members(call, transitive=True)


async def _members(call: GraphCall, *, transitive: bool) -> Response:
    found = await call.run(call.house.identities.groups.members, call["id"], transitive=transitive)
    shown, kind = list(map(show_identity, found)), call.params.get("cast", "").lower()
    if kind and not kind.startswith(_GRAPH):
        raise BadParameter(f"Resource not found for the segment '{kind[:60]}'.")
    return call.many([one for one in shown if not kind or one["@odata.type"][1:].lower() == kind], "directoryObjects")


async def add_member(call: GraphCall) -> Response:
    """Put somebody, or another group, into a group."""
    reference = await call.body(Reference)
    call.about(reference.object_id)
    await call.run(call.house.identities.groups.add_member, call["id"], reference.object_id)
    return no_content()


async def remove_member(call: GraphCall) -> Response:
    """Take somebody out of a group."""
    await call.run(call.house.identities.groups.remove_member, call["id"], call["member"])
    return no_content()


async def group_id(call: GraphCall) -> str:
    """Give the object id of the group that a path names."""
    return (await call.run(call.house.identities.groups.get, call["id"])).object_id


ROUTES = (
    route("GET", "/groups", list_groups),
    route("POST", "/groups", create_group),
    route("GET", "/groups/{id}", get_group),
    route("PATCH", "/groups/{id}", update_group),
    route("DELETE", "/groups/{id}", delete_group),
    route("POST", "/groups/{id}/members/$ref", add_member),
    route("DELETE", "/groups/{id}/members/{member}/$ref", remove_member),
    route("GET", "/groups/{id}/members", list_members),
    route("GET", "/groups/{id}/members/{cast}", list_members),
    route("GET", "/groups/{id}/transitiveMembers", list_transitive_members),
    route("GET", "/groups/{id}/transitiveMembers/{cast}", list_transitive_members),
    *owner_routes("/groups/{id}", group_id),
    *membership_routes("/groups/{id}", group_id),
)
