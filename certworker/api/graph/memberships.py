"""In which groups somebody is: the same for users, groups, service principals and whoever calls."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from certworker.api.bodies import Text
from certworker.api.graph.call import GraphCall
from certworker.api.graph.routing import GraphRoute, route
from certworker.api.graph.wire import GraphBody, show_group
from certworker.errors import BadParameter
from certworker.vault.identities.records import Group

WhoseId = Callable[[GraphCall], Awaitable[str]]
"""Finds the object id of whom a request is about."""
_MOST_GROUPS = 20


class MemberGroups(GraphBody):
    """What `getMemberGroups` and `getMemberObjects` take."""

    security_enabled_only: bool = False


class CheckGroups(GraphBody):
    """What `checkMemberGroups` and `checkMemberObjects` take."""

    group_ids: list[Text] | None = None
    ids: list[Text] | None = None


def membership_routes(prefix: str, whose: WhoseId) -> tuple[GraphRoute, ...]:
    """Make the routes that stand behind `prefix`, about whom `whose` finds."""

    async def found(call: GraphCall, *, transitive: bool) -> tuple[Group, ...]:
        return await call.run(call.house.identities.groups.groups_of, await whose(call), transitive=transitive)

    async def member_of(call: GraphCall) -> Response:
        return call.many(_shown(await found(call, transitive=False)), "directoryObjects")

    async def transitive_member_of(call: GraphCall) -> Response:
        return call.many(_shown(await found(call, transitive=True)), "directoryObjects")

    async def member_groups(call: GraphCall) -> Response:
        wanted = await call.body(MemberGroups)
        groups = await found(call, transitive=True)
        ids = [one.object_id for one in groups if one.security_enabled or not wanted.security_enabled_only]
        return call.value(ids, "Collection(Edm.String)")

    async def check_groups(call: GraphCall) -> Response:
        body = await call.body(CheckGroups)
        asked = body.group_ids if body.group_ids is not None else body.ids
        if asked is None or len(asked) > _MOST_GROUPS:
            raise BadParameter(f"groupIds lists at most {_MOST_GROUPS} groups.", "groupIds")
        wanted = {one.lower() for one in asked}
        ids = [one.object_id for one in await found(call, transitive=True) if one.object_id in wanted]
        return call.value(ids, "Collection(Edm.String)")

    return (
        route("GET", f"{prefix}/memberOf", member_of),
        route("GET", f"{prefix}/transitiveMemberOf", transitive_member_of),
        route("POST", f"{prefix}/getMemberGroups", member_groups),
        route("POST", f"{prefix}/getMemberObjects", member_groups),
        route("POST", f"{prefix}/checkMemberGroups", check_groups),
        route("POST", f"{prefix}/checkMemberObjects", check_groups),
    )


def _shown(groups: tuple[Group, ...]) -> list[dict[str, object]]:
    return [{"@odata.type": "#microsoft.graph.group", **show_group(one)} for one in groups]
