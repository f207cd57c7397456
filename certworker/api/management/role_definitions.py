"""Roles over HTTP, at any scope and by their id."""

from typing import Final

from pydantic import Field
from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import answer
from certworker.api.management.call import ArmCall, listing, no_content
from certworker.api.management.filters import read_filter
from certworker.api.management.routing import ResourceType, route
from certworker.api.management.wire_roles import PROVIDER, permission_wire, role_wire
from certworker.errors import InvalidResource
from certworker.vault.management.role_definitions import NewRole, RoleFilter
from certworker.vault.rights.roles import Permission, RoleDefinition

VERSIONS: Final = (
    "2015-07-01",
    "2018-01-01-preview",
    "2018-07-01-preview",
    "2018-07-01",
    "2022-04-01",
    "2022-05-01-preview",
    "2023-07-01-preview",
)
DEFINITIONS = ResourceType(f"{PROVIDER}/roleDefinitions", VERSIONS)
PERMISSIONS = ResourceType(f"{PROVIDER}/permissions", VERSIONS)
DENY_ASSIGNMENTS = ResourceType(f"{PROVIDER}/denyAssignments", ("2018-07-01-preview", "2022-04-01", "2024-07-01-preview"))
CLASSIC = ResourceType(f"{PROVIDER}/classicAdministrators", ("2015-06-01", "2015-07-01"))
_TYPES: Final = {"customrole": False, "builtinrole": True}
_ANY: Final = f"/{{scope:path}}/providers/{PROVIDER}/roleDefinitions"
_ONE: Final = f"{_ANY}/{{name}}"


class PermissionBody(Body):
    """What a role permits."""

    actions: tuple[Text, ...] | None = None
    not_actions: tuple[Text, ...] | None = Field(None, alias="notActions")
    data_actions: tuple[Text, ...] | None = Field(None, alias="dataActions")
    not_data_actions: tuple[Text, ...] | None = Field(None, alias="notDataActions")
    condition: Text | None = None

    def permission(self) -> Permission:
        """Say it in the service's terms. Raises InvalidResource."""
        if self.condition:
            message = "Custom roles with conditions are not supported: leave condition out."
            raise InvalidResource("ConditionNotSupported", message, "condition")
        return Permission(self.actions or (), self.not_actions or (), self.data_actions or (), self.not_data_actions or ())


class RoleProperties(Body):
    """`properties` of a role."""

    name: Text = Field(alias="roleName")
    kind: Text | None = Field(None, alias="type")
    description: Text | None = None
    permissions: tuple[PermissionBody, ...] | None = None
    assignable_scopes: tuple[Text, ...] | None = Field(None, alias="assignableScopes")


class RoleBody(Body):
    """What makes a role, or changes it."""

    properties: RoleProperties


async def list_roles(call: ArmCall) -> Response:
    """GET the roles that can be assigned at a scope."""
    wanted = read_filter(call, "roleName", "type", "atScope()", "atScopeAndBelow()")
    kind = wanted.get("type")
    if kind is not None and kind.lower() not in _TYPES:
        message = f"type has the value '{kind[:40]}' in $filter: it is CustomRole or BuiltInRole."
        raise InvalidResource("InvalidFilterInQueryString", message, "$filter")
    built_in = _TYPES[kind.lower()] if kind else None
    asked = RoleFilter("atscopeandbelow" in wanted, wanted.get("rolename"), built_in)
    found = await call.run(call.house.governance.role_definitions.list, call["scope"], asked)
    return listing([role_wire(role, call["scope"]) for role in found])


async def show(call: ArmCall) -> Response:
    """GET a role."""
    return _answer(call, await call.run(call.house.governance.role_definitions.get, call["scope"], call["name"]))


async def put(call: ArmCall) -> Response:
    """PUT a custom role."""
    sent = (await call.body(RoleBody)).properties
    if sent.kind and sent.kind.lower() != "customrole":
        raise InvalidResource("InvalidRoleType", "The type of a role that is made is CustomRole.", "type")
    new = NewRole(
        sent.name.strip(),
        sent.description or "",
        tuple(one.permission() for one in sent.permissions or ()),
        sent.assignable_scopes or (),
    )
    role = await call.run(call.house.governance.role_definitions.put, call["scope"], call["name"], new)
    return _answer(call, role, 201)  # also where it was changed: clients take nothing else


async def delete(call: ArmCall) -> Response:
    """DELETE a custom role."""
    found = await call.run(call.house.governance.role_definitions.delete, call["scope"], call["name"])
    return _answer(call, found) if found else no_content()


async def list_permissions(call: ArmCall) -> Response:
    """GET what the caller may do at a scope."""
    found = await call.run(call.house.governance.role_assignments.permissions, call["scope"])
    return listing([permission_wire(one) for one in found])


async def list_nothing(_call: ArmCall) -> Response:
    """GET what there is none of here: deny assignments, classic administrators."""
    return listing([])


def _answer(call: ArmCall, role: RoleDefinition, status: int = 200) -> Response:
    return answer(role_wire(role, call["scope"]), status)


ROUTES = (
    route("GET", _ANY, list_roles, DEFINITIONS),
    route("GET", _ONE, show, DEFINITIONS),
    route("PUT", _ONE, put, DEFINITIONS),
    route("DELETE", _ONE, delete, DEFINITIONS),
    route("GET", f"/{{scope:path}}/providers/{PROVIDER}/permissions", list_permissions, PERMISSIONS),
    route("GET", f"/{{scope:path}}/providers/{PROVIDER}/denyAssignments", list_nothing, DENY_ASSIGNMENTS),
    route("GET", f"/{{scope:path}}/providers/{PROVIDER}/classicAdministrators", list_nothing, CLASSIC),
)
