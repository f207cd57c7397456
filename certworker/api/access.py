"""Who may do what, and by which assignment or access policy: under the path of our own, on a vault's host."""

from typing import Any

from starlette.responses import Response

from certworker.api.call import Call, answer, route
from certworker.api.own import PREFIX
from certworker.errors import BadParameter
from certworker.vault.identities.rules import is_guid
from certworker.vault.objects import check_name
from certworker.vault.rights.explanation import Explanation, Ground, Holding, Right
from certworker.vault.rights.scopes import vault_scope


async def explain(call: Call) -> Response:
    """GET /certworker/v1/access?objectId=&applicationId=&name=: the caller's own rights without an objectId."""
    who = (_id(call, "objectId"), _id(call, "applicationId"))
    return answer(explanation_wire(await call.run(call.house.explanations.explain, *who, _name(call))))


async def list_(call: Call) -> Response:
    """GET /certworker/v1/access/holdings?name=: all that gives anybody something in the vault."""
    found = await call.run(call.house.explanations.holdings, _name(call))
    return answer({"value": [_holding_wire(holding) for holding in found]})


def _name(call: Call) -> str | None:
    name = call.query.get("name")
    return check_name(name) if name else None


def _id(call: Call, field: str) -> str | None:
    text = call.query.get(field.lower(), "")
    if text and not is_guid(text):  # a name would be told that it may do nothing
        raise BadParameter(f"{field} is no id of the directory: it is a GUID, and no name.", field)
    return text or None


def explanation_wire(found: Explanation) -> dict[str, Any]:
    """Show what somebody may do, and why."""
    return {
        "vault": found.vault.name,
        "vaultId": vault_scope(found.vault),
        "model": "roles" if found.vault.rbac else "access policies",
        "objectId": found.object_id,
        "applicationId": found.application_id,
        "name": found.name,
        "groups": list(found.groups),
        "value": [_right_wire(right) for right in found.rights],
    }


def _right_wire(right: Right) -> dict[str, Any]:
    return {
        "noun": right.noun,
        "permission": right.permission,
        "dataAction": right.data_action,
        "by": [_ground_wire(ground) for ground in right.grounds],
    }


def _holding_wire(holding: Holding) -> dict[str, Any]:
    permissions = {noun: list(words) for noun, words in holding.permissions.items()}
    return {**_ground_wire(holding.ground), "permissions": permissions}


def _ground_wire(ground: Ground) -> dict[str, Any]:
    wire = {"kind": ground.kind.value, "principalId": ground.principal_id, "scope": ground.scope}
    more = {"role": ground.role, "assignmentId": ground.assignment_id, "applicationId": ground.application_id}
    return wire | {name: value for name, value in more.items() if value is not None}


ROUTES = (route("GET", PREFIX + "access", explain), route("GET", PREFIX + "access/holdings", list_))
