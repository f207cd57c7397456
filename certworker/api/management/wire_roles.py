"""Roles and their assignments on the wire."""

from collections.abc import Sequence
from typing import Any, Final

from certworker.api.management.times import iso
from certworker.vault.management.scopes import subscription_of
from certworker.vault.rights.roles import Permission, RoleAssignment, RoleDefinition
from certworker.vault.rights.scopes import ROOT

PROVIDER: Final = "Microsoft.Authorization"
_GIVING: Final = (("write", "Request"), ("delete", "Resource"))


def role_wire(role: RoleDefinition, scope: str) -> dict[str, Any]:
    """Show a role, with the id that it has at a scope."""
    return {
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole" if role.built_in else "CustomRole",
            "description": role.description,
            "assignableScopes": list(role.assignable_scopes),
            "permissions": [permission_wire(one, role.assignable_roles) for one in role.permissions],
            "createdOn": iso(role.created),
            "updatedOn": iso(role.updated),
            "createdBy": role.created_by or None,
            "updatedBy": role.updated_by or None,
        },
        "id": role_resource_id(role.id, scope),
        "type": f"{PROVIDER}/roleDefinitions",
        "name": role.id,
    }


def permission_wire(permission: Permission, assignable_roles: Sequence[str] = ()) -> dict[str, Any]:
    """Show what a role permits."""
    wire: dict[str, Any] = {
        "actions": list(permission.actions),
        "notActions": list(permission.not_actions),
        "dataActions": list(permission.data_actions),
        "notDataActions": list(permission.not_data_actions),
    }
    if assignable_roles:
        wire |= {"condition": _condition(assignable_roles), "conditionVersion": "2.0"}
    return wire


def assignment_wire(assignment: RoleAssignment, asked_at: str = ROOT) -> dict[str, Any]:
    """Show an assignment. The id of its role is that of the subscription that it was asked for in."""
    scope = "" if assignment.scope == ROOT else assignment.scope
    within = assignment.scope if subscription_of(assignment.scope) else asked_at
    return {
        "properties": {
            "roleDefinitionId": role_resource_id(assignment.role_id, within),
            "principalId": assignment.principal_id,
            "principalType": assignment.principal_type.value,
            "scope": assignment.scope,
            "condition": None,
            "conditionVersion": None,
            "createdOn": iso(assignment.created),
            "updatedOn": iso(assignment.updated),
            "createdBy": assignment.created_by or None,
            "updatedBy": assignment.updated_by or None,
            "delegatedManagedIdentityResourceId": None,
            "description": assignment.description,
        },
        "id": f"{scope}/providers/{PROVIDER}/roleAssignments/{assignment.id}",
        "type": f"{PROVIDER}/roleAssignments",
        "name": assignment.id,
    }


def role_resource_id(role_id: str, scope: str) -> str:
    """Name a role as it is named in the subscription that a scope is in, or in the tenant."""
    subscription = subscription_of(scope)
    within = f"/subscriptions/{subscription}" if subscription else ""
    return f"{within}/providers/{PROVIDER}/roleDefinitions/{role_id}"


def _condition(roles: Sequence[str]) -> str:
    """Say which roles alone may be given and taken, in the language of conditions."""
    parts = []
    for verb, source in _GIVING:
        action = f"{PROVIDER}/roleAssignments/{verb}"
        attribute = f"@{source}[{PROVIDER}/roleAssignments:RoleDefinitionId]"
        allowed = f"{attribute} ForAnyOfAnyValues:GuidEquals{{{', '.join(roles)}}}"
        parts.append(f"((!(ActionMatches{{'{action}'}})) OR ({allowed}))")
    return " AND ".join(parts)
