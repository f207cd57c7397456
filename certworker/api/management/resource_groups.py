"""Resource groups, and the resources in them and in a subscription."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import answer
from certworker.api.management.call import ArmCall, no_content
from certworker.api.management.filters import read_filter
from certworker.api.management.resource_types import RESOURCE_LISTS, RESOURCES
from certworker.api.management.routing import route
from certworker.api.management.storage_accounts import account_wire
from certworker.api.management.wire_vaults import vault_item_wire
from certworker.errors import ResourceNotFound
from certworker.vault.management.places import fold_location
from certworker.vault.objects import fold_name
from certworker.vault.rights.scopes import group_scope
from certworker.vault.vaults import ResourceGroup

_GROUPS: Final = "/subscriptions/{subscription}/resourceGroups"
_GROUP: Final = f"{_GROUPS}/{{group}}"
_SHOWN: Final = ("id", "name", "type", "location", "tags")
_FIELDS: Final = ("resourceType", "name", "resourceGroup", "location", "tagName", "tagValue")


class GroupBody(Body):
    """What makes a resource group, or changes it."""

    location: Text | None = None
    tags: dict[Text, Text] | None = None


async def list_groups(call: ArmCall) -> Response:
    """GET resource groups."""
    found = await call.run(call.house.resources.groups.list_, call["subscription"])
    wanted = read_filter(call, *_FIELDS)
    kept = [group for group in found if _has_tags(group.tags, wanted)]
    return call.page(kept, lambda group: fold_name(group.name), group_wire)


async def show(call: ArmCall) -> Response:
    """GET a resource group."""
    return answer(group_wire(await call.run(call.house.resources.groups.get, call["subscription"], call["group"])))


async def exists(call: ArmCall) -> Response:
    """HEAD: tell whether there is a resource group."""
    try:
        await call.run(call.house.resources.groups.get, call["subscription"], call["group"])
    except ResourceNotFound:
        return no_content(404)
    return no_content()


async def put(call: ArmCall) -> Response:
    """PUT a resource group."""
    body = await call.body(GroupBody)
    service = call.house.resources.groups
    group, is_new = await call.run(service.put, call["subscription"], call["group"], body.location, body.tags or {})
    return answer(group_wire(group), 201 if is_new else 200)


async def patch(call: ArmCall) -> Response:
    """PATCH a resource group's tags."""
    body = await call.body(GroupBody)
    found = await call.run(call.house.resources.groups.patch, call["subscription"], call["group"], body.tags)
    return answer(group_wire(found))


async def delete(call: ArmCall) -> Response:
    """DELETE a resource group, with all that is in it."""
    await call.run(call.house.resources.groups.delete, call["subscription"], call["group"])
    return no_content(200)


async def list_resources(call: ArmCall) -> Response:
    """GET the resources of a subscription that the caller may read."""
    return _page(call, await _resources(call))


async def list_resources_of_group(call: ArmCall) -> Response:
    """GET the resources of a resource group, likewise."""
    await call.run(call.house.resources.groups.get, call["subscription"], call["group"])
    here = call["group"].lower()
    return _page(call, [found for found in await _resources(call) if _group_of(found) == here])


def group_wire(group: ResourceGroup) -> dict[str, Any]:
    """Show a resource group."""
    return {
        "id": group_scope(group.subscription_id, group.name),
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": dict(group.tags),
        "properties": {"provisioningState": "Succeeded"},
    }


async def _resources(call: ArmCall) -> list[dict[str, Any]]:
    vaults = await call.run(call.house.resources.vaults.list_readable, call["subscription"])
    stores = await call.run(call.house.governance.storage_accounts.list, call["subscription"])
    return [*map(vault_item_wire, vaults), *map(account_wire, stores)]


def _page(call: ArmCall, resources: list[dict[str, Any]]) -> Response:
    wanted = read_filter(call, *_FIELDS)
    kept = sorted((found for found in resources if _fits(found, wanted)), key=_key)
    return call.page(kept, _key, lambda found: {name: found[name] for name in _SHOWN if name in found})


def _key(resource: Mapping[str, Any]) -> str:
    return fold_name(resource["id"])


def _group_of(resource: Mapping[str, Any]) -> str:
    group: str = resource["id"].split("/")[4]
    return group.lower()


def _fits(resource: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    facts = {
        "resourcetype": resource["type"].lower(),
        "name": resource["name"].lower(),
        "resourcegroup": _group_of(resource),
        "location": fold_location(resource["location"]),
    }
    same = all(fact == _fold(name, wanted[name]) for name, fact in facts.items() if name in wanted)
    return same and _has_tags(resource.get("tags") or {}, wanted)


def _fold(name: str, value: str) -> str:
    return fold_location(value) if name == "location" else value.lower()


def _has_tags(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    if "tagname" not in wanted:
        return True
    found = {name.lower(): value for name, value in tags.items()}.get(wanted["tagname"].lower())
    return found is not None and wanted.get("tagvalue", found) == found


ROUTES = (
    route("GET", _GROUPS, list_groups, RESOURCES),
    route("GET", _GROUP, show, RESOURCES),
    route("HEAD", _GROUP, exists, RESOURCES),
    route("PUT", _GROUP, put, RESOURCES),
    route("PATCH", _GROUP, patch, RESOURCES),
    route("DELETE", _GROUP, delete, RESOURCES),
    route("GET", f"{_GROUP}/resources", list_resources_of_group, RESOURCE_LISTS),
    route("GET", "/subscriptions/{subscription}/resources", list_resources, RESOURCE_LISTS),
)
