"""What roles and access policies come to for a caller. Each decision is remembered until something that it rests on changes."""

from typing import Final

from certworker.vault.rights.built_in_roles import built_in_roles
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.port import RightsGlance
from certworker.vault.rights.roles import RoleAssignment, RoleDefinition
from certworker.vault.rights.scopes import covers, fold_scope, vault_scope
from certworker.vault.vaults import Vault

WHOLE_VAULT: Final = ""
"""Stands for a vault and all that is in it, among the places of `places_in`."""

Held = tuple[RoleAssignment, RoleDefinition]


def principals_of(reader: RightsGlance, caller: Caller) -> frozenset[str]:
    """List the object ids that a caller goes by: their own, and those of all groups that they are in."""
    return reader.groups_of(caller.object_id) | caller.groups | {caller.object_id}


def roles_of(reader: RightsGlance, caller: Caller) -> list[Held]:
    """List the roles that a caller has anywhere in their tenant, by themselves or by a group."""
    found = []
    for assignment in reader.role_assignments(caller.tenant_id, principals_of(reader, caller)):
        role = role_of(reader, assignment)
        if role:
            found.append((assignment, role))
    return found


def role_of(reader: RightsGlance, assignment: RoleAssignment) -> RoleDefinition | None:
    """Find the role that is assigned; none where it is a custom one that is gone."""
    return built_in_roles().get(assignment.role_id) or reader.role_definition(assignment.tenant_id, assignment.role_id)


def roles_at(reader: RightsGlance, caller: Caller, folded: str) -> list[Held]:
    """List the roles that a caller has at a folded scope, by themselves or by a group."""
    return [held for held in roles_of(reader, caller) if covers(fold_scope(held[0].scope), folded)]


def permits(reader: RightsGlance, caller: Caller, scope: str, action: str, *, data: bool) -> bool:
    """Tell whether a role that is assigned to the caller, or to a group of theirs, permits an action at a scope."""
    name = ("permits", caller.tenant_id, caller.object_id, caller.groups, scope, action, data)
    return reader.remember(name, _permits, reader, caller, scope, action, data=data)


def places_in(reader: RightsGlance, caller: Caller, vault: Vault, action: str) -> frozenset[str]:
    """List where in a vault a role permits the caller a data action: `WHOLE_VAULT`, or folded scopes of single objects.

    One answer holds for all objects, so that what is remembered does not grow with them.
    """
    name = ("places", caller.tenant_id, caller.object_id, caller.groups, vault.id, action)
    return reader.remember(name, _places, reader, caller, vault, action)


def granted(reader: RightsGlance, caller: Caller, vault: Vault, noun: str, permission: str) -> bool:
    """Tell whether an access policy of the vault grants the caller a permission."""
    name = ("granted", vault.id, caller.object_id, caller.client_id, caller.is_user, caller.groups, noun, permission)
    return reader.remember(name, _granted, reader, caller, vault, noun, permission)


def policies_for(reader: RightsGlance, caller: Caller, vault: Vault) -> list[AccessPolicy]:
    """List the access policies of a vault that hold for a caller."""
    principals = principals_of(reader, caller)
    return [policy for policy in reader.access_policies(vault.id) if policy.holds_for(caller, principals)]


def _permits(reader: RightsGlance, caller: Caller, scope: str, action: str, *, data: bool) -> bool:
    return any(role.permits(action, data=data) for _, role in roles_at(reader, caller, fold_scope(scope)))


def _places(reader: RightsGlance, caller: Caller, vault: Vault, action: str) -> frozenset[str]:
    here, found = fold_scope(vault_scope(vault)), set()
    for assignment, role in roles_of(reader, caller):
        scope = fold_scope(assignment.scope)
        is_above = covers(scope, here)
        if (is_above or covers(here, scope)) and role.permits(action, data=True):
            found.add(WHOLE_VAULT if is_above else scope)
    return frozenset(found)


def _granted(reader: RightsGlance, caller: Caller, vault: Vault, noun: str, permission: str) -> bool:
    return any(policy.grants(noun, permission) for policy in policies_for(reader, caller, vault))
