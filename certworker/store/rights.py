"""Access policies, roles and groups: what is asked and what is changed."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from sqlalchemy import BigInteger, bindparam, column, insert, select, table
from sqlalchemy.exc import SQLAlchemyError

from certworker.store.failures import fail
from certworker.store.tables.rights import (
    ACCESS_POLICY,
    GROUP_MEMBER,
    ROLE_ASSIGNMENT,
    ROLE_DEFINITION,
    access_policy_record,
    access_policy_values,
    role_assignment_record,
    role_assignment_values,
    role_definition_record,
    role_definition_values,
)
from certworker.store.transaction import Transaction
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.roles import RoleAssignment, RoleDefinition

P = ParamSpec("P")
T = TypeVar("T")

_WITHIN = select(GROUP_MEMBER.c.group_id).where(GROUP_MEMBER.c.member_id == bindparam("object_id")).cte(recursive=True)
_GROUPS_OF = select(
    # UNION, not UNION ALL: groups that are in each other end
    _WITHIN.union(select(GROUP_MEMBER.c.group_id).join(_WITHIN, GROUP_MEMBER.c.member_id == _WITHIN.c.group_id)).c.group_id
)
_POLICIES = select(ACCESS_POLICY).where(ACCESS_POLICY.c.vault_id == bindparam("vault_id")).order_by(ACCESS_POLICY.c.position)
_OF_TENANT = select(ROLE_ASSIGNMENT).where(ROLE_ASSIGNMENT.c.tenant_id == bindparam("tenant_id"))
_ASSIGNMENTS = _OF_TENANT.order_by(ROLE_ASSIGNMENT.c.number)
_ASSIGNMENTS_OF = _ASSIGNMENTS.where(ROLE_ASSIGNMENT.c.principal_id.in_(bindparam("principals", expanding=True)))
_ASSIGNMENT = _OF_TENANT.where(ROLE_ASSIGNMENT.c.id == bindparam("id"))
_ROLES = select(ROLE_DEFINITION).where(ROLE_DEFINITION.c.tenant_id == bindparam("tenant_id")).order_by(ROLE_DEFINITION.c.folded)
_ROLE = _ROLES.where(ROLE_DEFINITION.c.id == bindparam("id"))
_MEMBERS = (
    select(GROUP_MEMBER.c.member_id).where(GROUP_MEMBER.c.group_id == bindparam("group_id")).order_by(GROUP_MEMBER.c.number)
)
_ADD_POLICIES = insert(ACCESS_POLICY)
_HELD = select(column("generation", BigInteger())).select_from(table("registry")).with_for_update()


class RightsReader(Transaction):
    """What can be asked of rights."""

    def remember(self, name: tuple[object, ...], decide: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:  # noqa: ARG002
        """Give what `decide` gives: a transaction keeps nothing."""
        return decide(*args, **kwargs)

    def groups_of(self, object_id: str) -> frozenset[str]:
        """List all groups that a principal is in, by itself or by other groups."""
        return frozenset(row.group_id for row in self._all(_GROUPS_OF, object_id=object_id))

    def access_policies(self, vault_id: str) -> tuple[AccessPolicy, ...]:
        """List a vault's access policies, in the order in which they were set."""
        return tuple(map(access_policy_record, self._all(_POLICIES, vault_id=vault_id)))

    def role_assignments(self, tenant_id: str, principals: frozenset[str]) -> tuple[RoleAssignment, ...]:
        """List what is assigned to any of some principals, wherever it holds."""
        rows = self._all(_ASSIGNMENTS_OF, tenant_id=tenant_id, principals=sorted(principals))
        return tuple(map(role_assignment_record, rows))

    def all_role_assignments(self, tenant_id: str) -> tuple[RoleAssignment, ...]:
        """List a tenant's role assignments, the oldest first."""
        return tuple(map(role_assignment_record, self._all(_ASSIGNMENTS, tenant_id=tenant_id)))

    def role_assignment(self, tenant_id: str, assignment_id: str) -> RoleAssignment | None:
        """Find a role assignment by its GUID."""
        row = self._one(_ASSIGNMENT, tenant_id=tenant_id, id=assignment_id)
        return role_assignment_record(row) if row else None

    def role_definition(self, tenant_id: str, role_id: str) -> RoleDefinition | None:
        """Find a custom role."""
        row = self._one(_ROLE, tenant_id=tenant_id, id=role_id)
        return role_definition_record(row) if row else None

    def role_definitions(self, tenant_id: str) -> tuple[RoleDefinition, ...]:
        """List a tenant's custom roles by name."""
        return tuple(map(role_definition_record, self._all(_ROLES, tenant_id=tenant_id)))

    def group_members(self, group_id: str) -> tuple[str, ...]:
        """List the object ids of those who are in a group by themselves, in order."""
        return tuple(row.member_id for row in self._all(_MEMBERS, group_id=group_id))


class RightsWriter(RightsReader):
    """What can be changed in rights."""

    def hold_rights(self) -> None:
        """Keep others from changing what decisions rest on until the transaction ends, and see what they have changed."""
        self._one(_HELD)

    def put_access_policies(self, vault_id: str, policies: tuple[AccessPolicy, ...]) -> None:
        """Replace a vault's access policies."""
        self._delete(ACCESS_POLICY, {"vault_id": vault_id})
        rows = [access_policy_values(vault_id, position, policy) for position, policy in enumerate(policies)]
        if not rows:
            return
        try:
            self._connection.execute(_ADD_POLICIES, rows)
        except SQLAlchemyError as error:
            fail(error)

    def add_role_assignment(self, assignment: RoleAssignment) -> None:
        """Add a role assignment. Raises Conflict where its GUID, or the same assignment, is there already."""
        self._add(ROLE_ASSIGNMENT, role_assignment_values(assignment), "The role assignment already exists.")

    def delete_role_assignment(self, tenant_id: str, assignment_id: str) -> None:
        """Take a role assignment back."""
        self._delete(ROLE_ASSIGNMENT, {"tenant_id": tenant_id, "id": assignment_id})

    def put_role_definition(self, role: RoleDefinition) -> None:
        """Add or replace a custom role."""
        self._put(ROLE_DEFINITION, role_definition_values(role), key=("tenant_id", "id"))

    def delete_role_definition(self, tenant_id: str, role_id: str) -> None:
        """Delete a custom role."""
        self._delete(ROLE_DEFINITION, {"tenant_id": tenant_id, "id": role_id})

    def add_group_member(self, group_id: str, member_id: str) -> None:
        """Put a principal, or a group, into a group. Raises Conflict where it is in it already."""
        self._add(GROUP_MEMBER, {"group_id": group_id, "member_id": member_id}, "The member is in the group already.")

    def delete_group_member(self, group_id: str, member_id: str) -> bool:
        """Take a principal out of a group; tell whether it was in it."""
        return self._delete(GROUP_MEMBER, {"group_id": group_id, "member_id": member_id}) > 0
