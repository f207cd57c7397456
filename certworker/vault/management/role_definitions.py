"""Roles: the built-in ones, and those that a tenant makes (Microsoft.Authorization/roleDefinitions)."""

import re
from dataclasses import dataclass, replace

from certworker.clock import Clock, whole_second
from certworker.errors import AuthorizationFailed, InvalidResource, ResourceConflict, ResourceNotFound
from certworker.vault.access import Access
from certworker.vault.identities.rules import is_guid
from certworker.vault.management.scopes import find_scope, subscription_of
from certworker.vault.rights.built_in_roles import built_in_roles
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.roles import Permission, RoleDefinition
from certworker.vault.rights.scopes import ROOT, covers, fold_scope
from certworker.vault.store import HotReader, Reader, Store

READ = "Microsoft.Authorization/roleDefinitions/read"
WRITE = "Microsoft.Authorization/roleDefinitions/write"
DELETE = "Microsoft.Authorization/roleDefinitions/delete"
MOST_SCOPES = 2000
MOST_ACTIONS = 2000
LONGEST_NAME = 512
LONGEST_DESCRIPTION = 2048
_ACTION = re.compile(r"\*|[A-Za-z*][A-Za-z0-9.*-]*(?:/[A-Za-z0-9._*$-]+)+")


@dataclass(frozen=True, slots=True)
class NewRole:
    """What is asked for: a custom role."""

    name: str
    description: str
    permissions: tuple[Permission, ...]
    assignable_scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoleFilter:
    """Which roles are asked for: those that can be assigned at a scope; with `below`, also those for scopes below it."""

    below: bool = False
    name: str | None = None
    built_in: bool | None = None


class RoleDefinitions:
    """Shows roles, and makes custom ones."""

    def __init__(self, store: Store, access: Access, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._clock = clock

    def get(self, caller: Caller, scope: str, role_id: str) -> RoleDefinition:
        """Find a role by its GUID. Raises AuthorizationFailed, ResourceNotFound."""
        with self._store.reading() as reader:
            if fold_scope(scope) != ROOT:
                self._access.require_action(caller, scope, READ, reader)
            role = find_role(reader, caller.tenant_id, role_id.lower())
            if fold_scope(scope) == ROOT and not self._shows(reader, caller, role):
                raise _unknown(role_id)
        return role

    def list(self, caller: Caller, scope: str, wanted: RoleFilter) -> tuple[RoleDefinition, ...]:
        """List roles by name. At the tenant itself everybody sees the built-in ones. Raises AuthorizationFailed."""
        with self._store.reading() as reader:
            everywhere = fold_scope(scope) == ROOT
            if not everywhere:
                self._access.require_action(caller, scope, READ, reader)
            target = fold_scope(find_scope(reader, caller.tenant_id, scope))
            custom = reader.role_definitions(caller.tenant_id)
            shown = [role for role in custom if not everywhere or self._shows(reader, caller, role)]
        roles = sorted((*built_in_roles().values(), *shown), key=lambda role: role.name.casefold())
        return tuple(role for role in roles if _fits(role, target, wanted))

    def put(self, caller: Caller, scope: str, role_id: str, new: NewRole) -> RoleDefinition:
        """Make a custom role or change it. Needs the right at every scope that it is, or was, for.

        Raises AuthorizationFailed, InvalidResource, ResourceConflict, ResourceNotFound.
        """
        role_id = check_guid(role_id, "roleDefinitionId")
        with self._store.writing() as writer:
            writer.hold_rights()
            before = writer.role_definition(caller.tenant_id, role_id)
            for place in (scope, *new.assignable_scopes, *(before.assignable_scopes if before else ())):
                self._access.require_action(caller, place, WRITE, writer)
            if role_id in built_in_roles():
                raise _immutable(role_id)
            scopes = _check_scopes(writer, caller.tenant_id, new.assignable_scopes)
            _check_role(new)
            _check_name_free(writer, caller.tenant_id, role_id, new.name)
            at = whole_second(self._clock())
            role = RoleDefinition(
                id=role_id,
                name=new.name,
                description=new.description,
                permissions=new.permissions,
                assignable_scopes=scopes,
                tenant_id=caller.tenant_id,
                built_in=False,
                created=at,
                updated=at,
                created_by=caller.object_id,
                updated_by=caller.object_id,
            )
            if before:
                role = replace(role, created=before.created, created_by=before.created_by)
            writer.put_role_definition(role)
            _check_unassigned(writer, role, scopes)
        return role

    def delete(self, caller: Caller, scope: str, role_id: str) -> RoleDefinition | None:
        """Delete a custom role that nobody has, and give it; none where there was none.

        Raises AuthorizationFailed, ResourceConflict, InvalidResource.
        """
        with self._store.writing() as writer:
            found = writer.role_definition(caller.tenant_id, role_id.lower())
            for place in found.assignable_scopes if found else (scope,):
                self._access.require_action(caller, place, DELETE, writer)
            if role_id.lower() in built_in_roles():
                raise _immutable(role_id)
            if found:
                writer.delete_role_definition(caller.tenant_id, found.id)
                _check_unassigned(writer, found, ())  # after the deletion: whoever assigns it meanwhile waits, and finds none
        return found

    def _shows(self, reader: Reader, caller: Caller, role: RoleDefinition) -> bool:
        return role.built_in or any(self._access.may(caller, scope, READ, reader) for scope in role.assignable_scopes)


def find_role(reader: HotReader, tenant_id: str, role_id: str) -> RoleDefinition:
    """Find a role, built-in or custom. Raises ResourceNotFound."""
    role = built_in_roles().get(role_id) or reader.role_definition(tenant_id, role_id)
    if role is None:
        raise _unknown(role_id)
    return role


def check_guid(text: str, field: str) -> str:
    """Give a GUID in lower case. Raises InvalidResource."""
    if not is_guid(text):
        raise InvalidResource("InvalidGuid", f"{field} has the value '{text[:64]}': it is a GUID, with its hyphens.", field)
    return text.lower()


def _fits(role: RoleDefinition, target: str, wanted: RoleFilter) -> bool:
    if wanted.name is not None and role.name.casefold() != wanted.name.casefold():
        return False
    if wanted.built_in not in (None, role.built_in):
        return False
    scopes = [fold_scope(scope) for scope in role.assignable_scopes]
    below = wanted.below or target == ROOT
    return any(covers(scope, target) or (below and covers(target, scope)) for scope in scopes)


def _check_role(new: NewRole) -> None:
    if not new.name.strip() or len(new.name) > LONGEST_NAME or not new.name.isprintable():
        raise InvalidResource("InvalidRoleName", f"A role's name has 1 to {LONGEST_NAME} characters.", "roleName")
    if len(new.description) > LONGEST_DESCRIPTION:
        message = f"A role's description has at most {LONGEST_DESCRIPTION} characters."
        raise InvalidResource("InvalidRoleDescription", message, "description")
    if not new.permissions:
        raise InvalidResource("MissingPermissions", "A role has permissions: actions, or dataActions.", "permissions")
    named = {
        "actions": [action for one in new.permissions for action in one.actions],
        "notActions": [action for one in new.permissions for action in one.not_actions],
        "dataActions": [action for one in new.permissions for action in one.data_actions],
        "notDataActions": [action for one in new.permissions for action in one.not_data_actions],
    }
    for field, actions in named.items():
        wrong = next((action for action in actions if not _ACTION.fullmatch(action)), None)
        if wrong is not None:
            message = (
                f"'{wrong[:100]}' in {field} is no action. An action is like Microsoft.KeyVault/vaults/read; "
                "* stands for any characters."
            )
            raise InvalidResource("InvalidActionOrNotAction", message, field)
    if sum(map(len, named.values())) > MOST_ACTIONS:
        raise InvalidResource("TooManyActions", f"A role has at most {MOST_ACTIONS} actions.", "permissions")


def _check_scopes(reader: Reader, tenant_id: str, scopes: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(scopes) <= MOST_SCOPES:
        message = f"A role has 1 to {MOST_SCOPES} assignableScopes: those at which it can be assigned."
        raise InvalidResource("InvalidAssignableScopes", message, "assignableScopes")
    if any(subscription_of(scope) is None for scope in scopes):
        message = "assignableScopes are subscriptions, or what is in them; the tenant itself is for built-in roles."
        raise InvalidResource("InvalidAssignableScopes", message, "assignableScopes")
    try:
        return tuple(dict.fromkeys(find_scope(reader, tenant_id, scope) for scope in scopes))
    except ResourceNotFound as error:
        raise InvalidResource("InvalidAssignableScopes", f"assignableScopes: {error}", "assignableScopes") from None


def _check_name_free(reader: Reader, tenant_id: str, role_id: str, name: str) -> None:
    for role in (*built_in_roles().values(), *reader.role_definitions(tenant_id)):
        if role.id != role_id and role.name.casefold() == name.casefold():
            message = f"A role with the name '{name}' exists in this directory already. Use another name."
            raise ResourceConflict("RoleDefinitionWithSameNameExists", message)


def _check_unassigned(reader: Reader, role: RoleDefinition, but_at: tuple[str, ...]) -> None:
    """Refuse where a role is assigned outside of some scopes. Raises ResourceConflict."""
    kept = [fold_scope(scope) for scope in but_at]
    for found in reader.all_role_assignments(role.tenant_id):
        if found.role_id == role.id and not any(covers(scope, fold_scope(found.scope)) for scope in kept):
            message = f"The role '{role.name}' is assigned at '{found.scope}'. Take its assignments back first."
            raise ResourceConflict("RoleDefinitionHasAssignments", message)


def _immutable(role_id: str) -> AuthorizationFailed:
    return AuthorizationFailed(f"The role '{role_id}' is built in: it can be neither changed nor deleted. Make a custom role.")


def _unknown(role_id: str) -> ResourceNotFound:
    text = f"The specified role definition with ID '{role_id[:64]}' does not exist."
    return ResourceNotFound(text, "RoleDefinitionDoesNotExist")
