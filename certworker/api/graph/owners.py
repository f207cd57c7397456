"""Who owns a group, an application or a service principal."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from certworker.api.graph.call import GraphCall, no_content
from certworker.api.graph.routing import GraphRoute, route
from certworker.api.graph.wire import Reference, show_identity

OwnedId = Callable[[GraphCall], Awaitable[str]]
"""Finds the object id of what a request is about."""


def owner_routes(prefix: str, owned: OwnedId) -> tuple[GraphRoute, ...]:
    """Make the routes that stand behind `prefix`, about what `owned` finds."""

    async def owners(call: GraphCall) -> Response:
        found = await call.run(call.house.identities.objects.owners, await owned(call))
        return call.many(map(show_identity, found), "directoryObjects")

    async def add(call: GraphCall) -> Response:
        reference = await call.body(Reference)
        call.about(reference.object_id)
        await call.run(call.house.identities.objects.add_owner, await owned(call), reference.object_id)
        return no_content()

    async def remove(call: GraphCall) -> Response:
        await call.run(call.house.identities.objects.remove_owner, await owned(call), call["owner"])
        return no_content()

    return (
        route("GET", f"{prefix}/owners", owners),
        route("POST", f"{prefix}/owners/$ref", add),
        route("DELETE", f"{prefix}/owners/{{owner}}/$ref", remove),
    )
