"""Role assignments over HTTP, at any scope and by their id."""

import re
from typing import Final

from pydantic import Field
from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import answer
from certworker.api.management.call import ArmCall, listing, no_content
from certworker.api.management.filters import read_filter
from certworker.api.management.routing import ResourceType, route
from certworker.api.management.wire_roles import PROVIDER, assignment_wire
from certworker.errors import InvalidResource
from certworker.vault.management.role_assignments import AssignmentFilter, NewAssignment
from certworker.vault.rights.roles import PrincipalType

ASSIGNMENTS = ResourceType(
    f"{PROVIDER}/roleAssignments",
    (
        "2015-07-01",
        "2017-10-01-preview",
        "2018-01-01-preview",
        "2018-07-01",
        "2018-09-01-preview",
        "2020-03-01-preview",
        "2020-04-01-preview",
        "2020-08-01-preview",
        "2020-10-01-preview",
        "2022-01-01-preview",
        "2022-04-01",
    ),
)
ELEVATE = ResourceType(f"{PROVIDER}/elevateAccess", ("2015-05-01-preview", "2015-06-01", "2015-07-01", "2016-07-01"))
_ANY: Final = f"/{{scope:path}}/providers/{PROVIDER}/roleAssignments"
_ONE: Final = f"{_ANY}/{{name}}"
_ROLE: Final = re.compile(r"(?:.*/providers/Microsoft\.Authorization/roleDefinitions/)?([0-9a-f-]{36})/?", re.IGNORECASE)


class AssignmentProperties(Body):
    """`properties` of an assignment."""

    role: Text = Field(alias="roleDefinitionId")
    principal_id: Text = Field(alias="principalId")
    principal_type: Text | None = Field(None, alias="principalType")
    description: Text | None = None
    condition: Text | None = None

    def assignment(self) -> NewAssignment:
        """Say it in the service's terms. Raises InvalidResource."""
        if self.condition:
            message = "Role assignments with conditions are not supported: leave condition out."
            raise InvalidResource("ConditionNotSupported", message, "condition")
        role = _ROLE.fullmatch(self.role)
        if role is None:
            message = f"roleDefinitionId has the value '{self.role[:200]}': it is the resource id of a role."
            raise InvalidResource("InvalidRoleDefinitionId", message, "roleDefinitionId")
        return NewAssignment(role[1].lower(), self.principal_id, self._type(), self.description)

    def _type(self) -> PrincipalType | None:
        if not self.principal_type:
            return None
        found = next((kind for kind in PrincipalType if kind.value.lower() == self.principal_type.lower()), None)
        if found is None:
            message = f"principalType has the value '{self.principal_type[:40]}': it is one of {', '.join(PrincipalType)}."
            raise InvalidResource("InvalidPrincipalType", message, "principalType")
        return found


class AssignmentBody(Body):
    """What assigns a role."""

    properties: AssignmentProperties


async def list_assignments(call: ArmCall) -> Response:
    """GET what is assigned at a scope, above it and below it, as far as the filter has it."""
    wanted = read_filter(call, "atScope()", "assignedTo()", "principalId")
    asked = AssignmentFilter(
        "atscope" in wanted,
        wanted["principalid"].lower() if "principalid" in wanted else None,
        wanted["assignedto"].lower() if "assignedto" in wanted else None,
    )
    found = await call.run(call.house.governance.role_assignments.list, call["scope"], asked)
    return listing([assignment_wire(one, call["scope"]) for one in found])


async def show(call: ArmCall) -> Response:
    """GET an assignment."""
    found = await call.run(call.house.governance.role_assignments.get, call["scope"], call["name"])
    return answer(assignment_wire(found))


async def put(call: ArmCall) -> Response:
    """PUT an assignment."""
    new = (await call.body(AssignmentBody)).properties.assignment()
    found, is_new = await call.run(call.house.governance.role_assignments.put, call["scope"], call["name"], new)
    return answer(assignment_wire(found), 201 if is_new else 200)


async def delete(call: ArmCall) -> Response:
    """DELETE an assignment."""
    found = await call.run(call.house.governance.role_assignments.delete, call["scope"], call["name"])
    return answer(assignment_wire(found)) if found else no_content()


async def elevate(call: ArmCall) -> Response:
    """POST: whoever administers the directory becomes User Access Administrator of the tenant."""
    await call.run(call.house.governance.role_assignments.elevate)
    return no_content(200)


ROUTES = (
    route("GET", _ANY, list_assignments, ASSIGNMENTS),
    route("GET", _ONE, show, ASSIGNMENTS),
    route("PUT", _ONE, put, ASSIGNMENTS),
    route("DELETE", _ONE, delete, ASSIGNMENTS),
    route("POST", f"/providers/{PROVIDER}/elevateAccess", elevate, ELEVATE),
)
