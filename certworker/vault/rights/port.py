"""The port to what rights rest on: groups, access policies, roles and their assignments."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.roles import RoleAssignment, RoleDefinition

P = ParamSpec("P")
T = TypeVar("T")


class RightsGlance(Protocol):
    """What every decision asks for."""

    def remember(self, name: tuple[object, ...], decide: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Give what `decide` gives; a glance keeps it by `name`, until anything changes that it may rest on."""

    def groups_of(self, object_id: str) -> frozenset[str]:
        """List all groups that a principal is in, by itself or by other groups."""

    def access_policies(self, vault_id: str) -> tuple[AccessPolicy, ...]:
        """List a vault's access policies, in the order in which they were set."""

    def role_assignments(self, tenant_id: str, principals: frozenset[str]) -> tuple[RoleAssignment, ...]:
        """List what is assigned to any of some principals, wherever it holds."""

    def role_definition(self, tenant_id: str, role_id: str) -> RoleDefinition | None:
        """Find a custom role."""


class RightsReader(RightsGlance, Protocol):
    """What can be asked."""

    def all_role_assignments(self, tenant_id: str) -> tuple[RoleAssignment, ...]:
        """List a tenant's role assignments, the oldest first."""

    def role_assignment(self, tenant_id: str, assignment_id: str) -> RoleAssignment | None:
        """Find a role assignment by its GUID."""

    def role_definitions(self, tenant_id: str) -> tuple[RoleDefinition, ...]:
        """List a tenant's custom roles by name."""

    def group_members(self, group_id: str) -> tuple[str, ...]:
        """List the object ids of those who are in a group by themselves, in order."""


class RightsWriter(RightsReader, Protocol):
    """What can be changed, inside one transaction."""

    def hold_rights(self) -> None:
        """Keep others from changing what decisions rest on until the transaction ends, and see what they have changed."""

    def put_access_policies(self, vault_id: str, policies: tuple[AccessPolicy, ...]) -> None:
        """Replace a vault's access policies."""

    def add_role_assignment(self, assignment: RoleAssignment) -> None:
        """Add a role assignment. Raises Conflict where its GUID, or the same assignment, is there already."""

    def delete_role_assignment(self, tenant_id: str, assignment_id: str) -> None:
        """Take a role assignment back."""

    def put_role_definition(self, role: RoleDefinition) -> None:
        """Add or replace a custom role."""

    def delete_role_definition(self, tenant_id: str, role_id: str) -> None:
        """Delete a custom role."""

    def add_group_member(self, group_id: str, member_id: str) -> None:
        """Put a principal, or a group, into a group. Raises Conflict where it is in it already."""

    def delete_group_member(self, group_id: str, member_id: str) -> bool:
        """Take a principal out of a group; tell whether it was in it."""
