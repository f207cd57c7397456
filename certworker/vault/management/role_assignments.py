"""Who has which role where (Microsoft.Authorization/roleAssignments)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.errors import AuthorizationFailed, Conflict, InvalidResource, ResourceConflict, ResourceNotFound
from certworker.vault.access import Access, roles_at
from certworker.vault.management.role_definitions import check_guid, find_role
from certworker.vault.management.scopes import find_scope
from certworker.vault.rights.built_in_roles import OWNER, USER_ACCESS_ADMINISTRATOR
from certworker.vault.rights.caller import Caller
from certworker.vault.rights.roles import (
    DELETE_ASSIGNMENTS,
    READ_ASSIGNMENTS,
    WRITE_ASSIGNMENTS,
    Permission,
    PrincipalType,
    RoleAssignment,
    RoleDefinition,
)
from certworker.vault.rights.scopes import ROOT, covers, fold_scope
from certworker.vault.store import Reader, Store, Writer

_LONGEST_DESCRIPTION = 1024


@dataclass(frozen=True, slots=True)
class NewAssignment:
    """What is asked for: a role, by its GUID, for a principal. Whoever is not in the directory needs a type."""

    role_id: str
    principal_id: str
    principal_type: PrincipalType | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class AssignmentFilter:
    """Which assignments are asked for: all that hold at a scope or below it, or `at_scope` alone; or of one principal.

    `assigned_to` has also what the groups have that the principal is in.
    """

    at_scope: bool = False
    principal_id: str | None = None
    assigned_to: str | None = None


class RoleAssignments:
    """Assigns roles and takes them back. Scopes are resource ids, as clients write them."""

    def __init__(self, store: Store, access: Access, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._clock = clock

    def get(self, caller: Caller, scope: str, name: str) -> RoleAssignment:
        """Find the assignment of a name at a scope. Raises AuthorizationFailed, ResourceNotFound."""
        with self._store.reading() as reader:
            self._access.require_action(caller, scope, READ_ASSIGNMENTS, reader)
            found = _find(reader, caller.tenant_id, scope, name)
        if found is None:
            raise ResourceNotFound(f"The role assignment '{name[:64]}' is not found.", "RoleAssignmentNotFound")
        return found

    def list(self, caller: Caller, scope: str, wanted: AssignmentFilter) -> tuple[RoleAssignment, ...]:
        """List what is assigned at a scope, above it, and, unless it is ruled out, below. Raises AuthorizationFailed."""
        with self._store.reading() as reader:
            self._access.require_action(caller, scope, READ_ASSIGNMENTS, reader)
            target = fold_scope(find_scope(reader, caller.tenant_id, scope))
            principals = {wanted.principal_id} if wanted.principal_id else None
            if wanted.assigned_to:
                principals = {wanted.assigned_to, *reader.groups_of(wanted.assigned_to)}
            return tuple(
                found
                for found in reader.all_role_assignments(caller.tenant_id)
                if _is_near(fold_scope(found.scope), target, below=not wanted.at_scope)
                and (principals is None or found.principal_id in principals)
            )

    def put(self, caller: Caller, scope: str, name: str, new: NewAssignment) -> tuple[RoleAssignment, bool]:
        """Assign a role, or describe anew why it is assigned; tell whether the assignment is new.

        Raises AuthorizationFailed, ResourceNotFound, InvalidResource, ResourceConflict.
        """
        name = check_guid(name, "roleAssignmentName")
        with self._store.writing() as writer:
            writer.hold_rights()  # whose right is being taken away meanwhile has none to give
            self._access.require_action(caller, scope, WRITE_ASSIGNMENTS, writer)
            _check_delegation(writer, caller, scope, new.role_id, WRITE_ASSIGNMENTS)
            place = find_scope(writer, caller.tenant_id, scope)
            role = find_role(writer, caller.tenant_id, new.role_id)
            _check_assignable(role, place)
            assignment = self._made(writer, caller, place, name, new)
            before = writer.role_assignment(caller.tenant_id, name)
            if before is None:
                _add(writer, assignment)
            else:
                assignment = _describe(writer, before, assignment)
            find_role(writer, caller.tenant_id, new.role_id)  # it may have been deleted until our row was there
        return assignment, before is None

    def delete(self, caller: Caller, scope: str, name: str) -> RoleAssignment | None:
        """Take an assignment back and give it; none where there was none. Raises AuthorizationFailed, ResourceConflict."""
        with self._store.writing() as writer:
            writer.hold_rights()
            self._access.require_action(caller, scope, DELETE_ASSIGNMENTS, writer)
            found = _find(writer, caller.tenant_id, scope, name)
            if found is None:
                return None
            _check_delegation(writer, caller, found.scope, found.role_id, DELETE_ASSIGNMENTS)
            writer.delete_role_assignment(caller.tenant_id, found.id)
            if found.role_id == OWNER:
                _check_owned(writer, found)  # after the deletion: of two at once, the second waits for the first
        return found

    def permissions(self, caller: Caller, scope: str) -> tuple[Permission, ...]:
        """List what the caller's own roles permit at a scope. Everybody may ask."""
        with self._store.glance() as reader:
            roles = roles_at(reader, caller, fold_scope(scope))
        return tuple(permission for _, role in roles for permission in role.permissions)

    def elevate(self, caller: Caller) -> None:
        """Make whoever administers the directory User Access Administrator of the tenant. Raises AuthorizationFailed."""
        with self._store.writing() as writer:
            writer.hold_rights()
            who = writer.identity(caller.object_id)
            if who is None or not who.administrator:
                action = "Microsoft.Authorization/elevateAccess/action"
                raise AuthorizationFailed(
                    f"The client with object id '{caller.object_id}' may not perform action '{action}' over scope '/': "
                    "whoever administers the directory may."
                )
            new = NewAssignment(USER_ACCESS_ADMINISTRATOR, who.object_id, who.kind)
            taken = _same(writer, self._made(writer, caller, ROOT, str(uuid4()), new))
            if taken is None:
                writer.add_role_assignment(self._made(writer, caller, ROOT, str(uuid4()), new))

    def _made(self, reader: Reader, caller: Caller, scope: str, name: str, new: NewAssignment) -> RoleAssignment:
        at, principal_id = whole_second(self._clock()), check_guid(new.principal_id, "principalId")
        if new.description and len(new.description) > _LONGEST_DESCRIPTION:
            message = f"The description is longer than {_LONGEST_DESCRIPTION} characters."
            raise InvalidResource("InvalidRoleAssignmentDescription", message, "description")
        return RoleAssignment(
            id=name,
            tenant_id=caller.tenant_id,
            scope=scope,
            role_id=new.role_id,
            principal_id=principal_id,
            principal_type=_type_of(reader, caller.tenant_id, principal_id, new.principal_type),
            created=at,
            updated=at,
            created_by=caller.object_id,
            updated_by=caller.object_id,
            description=new.description,
        )


def _find(reader: Reader, tenant_id: str, scope: str, name: str) -> RoleAssignment | None:
    found = reader.role_assignment(tenant_id, name.lower())
    return found if found and fold_scope(found.scope) == fold_scope(scope) else None


def _is_near(scope: str, target: str, *, below: bool) -> bool:
    return covers(scope, target) or (below and covers(target, scope))


def _type_of(reader: Reader, tenant_id: str, principal_id: str, asked: PrincipalType | None) -> PrincipalType:
    """Look what a principal is. Raises InvalidResource for one that is not there, or is something else."""
    found = reader.identity(principal_id)
    if found is None or found.tenant_id != tenant_id:
        if asked is None:
            message = (
                f"Principal {principal_id} does not exist in the directory {tenant_id}. Check the id; for a principal of "
                "another identity provider set principalType to User, Group or ServicePrincipal."
            )
            raise InvalidResource("PrincipalNotFound", message, "principalId")
        return asked
    if asked not in (None, found.kind):
        message = f"The principal '{principal_id}' has the type '{found.kind}', which is not the principalType '{asked}'."
        raise InvalidResource("UnmatchedPrincipalType", message, "principalType")
    return found.kind


def _check_assignable(role: RoleDefinition, scope: str) -> None:
    target = fold_scope(scope)
    if not any(covers(fold_scope(within), target) for within in role.assignable_scopes):
        message = f"The role '{role.name}' cannot be assigned at '{scope}': its assignableScopes do not have it."
        raise InvalidResource("RoleAssignmentScopeNotAssignableToRoleDefinition", message, "roleDefinitionId")


def _check_delegation(reader: Reader, caller: Caller, scope: str, role_id: str, action: str) -> None:
    """Refuse where the roles that let the caller assign roles at all leave this one out. Raises AuthorizationFailed."""
    if caller.is_service:
        return
    letting = [role for _, role in roles_at(reader, caller, fold_scope(scope)) if role.permits(action)]
    if not any(not role.assignable_roles or role_id in role.assignable_roles for role in letting):
        raise AuthorizationFailed(
            f"The client '{caller.user_name or caller.client_id}' with object id '{caller.object_id}' has roles with "
            f"conditions that do not let it perform action '{action}' for the role '{role_id}' over scope '{scope}'."
        )


def _add(writer: Writer, assignment: RoleAssignment) -> None:
    taken = _same(writer, assignment)
    if taken is None:
        try:
            writer.add_role_assignment(assignment)
        except Conflict as error:
            raise ResourceConflict("RoleAssignmentExists", str(error)) from None
    else:
        message = f"The role assignment already exists. The ID of the existing role assignment is {taken.id.replace('-', '')}."
        raise ResourceConflict("RoleAssignmentExists", message)


def _same(reader: Reader, assignment: RoleAssignment) -> RoleAssignment | None:
    assigned: Iterable[RoleAssignment] = reader.role_assignments(assignment.tenant_id, frozenset({assignment.principal_id}))
    return next((found for found in assigned if _identity(found) == _identity(assignment)), None)


def _identity(assignment: RoleAssignment) -> tuple[str, str, str]:
    return fold_scope(assignment.scope), assignment.role_id, assignment.principal_id


def _describe(writer: Writer, before: RoleAssignment, asked: RoleAssignment) -> RoleAssignment:
    if _identity(before) != _identity(asked):
        message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
        raise InvalidResource("RoleAssignmentUpdateNotPermitted", message)
    described = replace(before, description=asked.description, updated=asked.updated, updated_by=asked.updated_by)
    writer.delete_role_assignment(before.tenant_id, before.id)
    writer.add_role_assignment(described)
    return described


def _check_owned(writer: Writer, gone: RoleAssignment) -> None:
    """Refuse to leave a subscription without anybody who owns it. Raises ResourceConflict."""
    scope = fold_scope(gone.scope)
    if scope.count("/") > 2:  # noqa: PLR2004  # below a subscription
        return
    for subscription in writer.subscriptions(gone.tenant_id):
        within = f"/subscriptions/{subscription.id}"
        owners = (found for found in writer.all_role_assignments(gone.tenant_id) if found.role_id == OWNER)
        if covers(scope, within) and not any(covers(fold_scope(found.scope), within) for found in owners):
            message = (
                "Cannot delete the last RBAC admin assignment: nobody would own the subscription "
                f"'{subscription.id}' any more. Assign Owner to somebody else first."
            )
            raise ResourceConflict("LastOwnerCannotBeRemoved", message)
