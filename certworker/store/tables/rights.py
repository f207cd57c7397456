"""Access policies, roles, role assignments, and who is in which group."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import GrantsText, OrderedText, PermissionsText, PrincipalTypeText, Serial, UnixTime, WordsText
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.objects import fold_name
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.roles import Permission, PrincipalType, RoleAssignment, RoleDefinition
from certworker.vault.rights.scopes import fold_scope


class AccessPolicyRow(Row, table=True):
    """An access policy of a vault. `application_id` is empty where it holds through any application."""

    __tablename__ = "access_policy"
    __table_args__ = (belongs_to("vault", "vault_id", to=("id",)),)

    vault_id: str = Field(primary_key=True)
    object_id: str = Field(primary_key=True)
    application_id: str = Field(primary_key=True)
    position: int
    tenant_id: str
    permissions: Mapping[str, tuple[str, ...]] = Field(sa_type=GrantsText)


class RoleDefinitionRow(Row, table=True):
    """A custom role."""

    __tablename__ = "role_definition"
    __table_args__ = (UniqueConstraint("tenant_id", "folded"),)

    tenant_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    folded: str = Field(sa_type=OrderedText)
    name: str
    description: str
    permissions: tuple[Permission, ...] = Field(sa_type=PermissionsText)
    assignable_scopes: tuple[str, ...] = Field(sa_type=WordsText)
    created: datetime = Field(sa_type=UnixTime)
    updated: datetime = Field(sa_type=UnixTime)
    created_by: str
    updated_by: str


class RoleAssignmentRow(Row, table=True):
    """A role assignment. `number` tells the oldest."""

    __tablename__ = "role_assignment"
    __table_args__ = (
        UniqueConstraint("tenant_id", "id"),
        UniqueConstraint("principal_id", "role_id", "folded_scope"),
        Index("ix_role_assignment_principal_id", "principal_id"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    id: str
    tenant_id: str
    scope: str
    folded_scope: str
    role_id: str
    principal_id: str
    principal_type: PrincipalType = Field(sa_type=PrincipalTypeText)
    created: datetime = Field(sa_type=UnixTime)
    updated: datetime = Field(sa_type=UnixTime)
    created_by: str
    updated_by: str
    description: str | None


class GroupMemberRow(Row, table=True):
    """A principal, or a group, that is in a group by itself. `number` keeps the order."""

    __tablename__ = "group_member"
    __table_args__ = (
        UniqueConstraint("group_id", "member_id"),
        Index("ix_group_member_member_id", "member_id"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    group_id: str
    member_id: str


ACCESS_POLICY = table_of(AccessPolicyRow)
ROLE_DEFINITION = table_of(RoleDefinitionRow)
ROLE_ASSIGNMENT = table_of(RoleAssignmentRow)
GROUP_MEMBER = table_of(GroupMemberRow)


def access_policy_record(row: Found[Any]) -> AccessPolicy:
    """Make the record of an access policy."""
    return AccessPolicy(row.tenant_id, row.object_id, row.permissions, row.application_id or None)


def access_policy_values(vault_id: str, position: int, policy: AccessPolicy) -> Values:
    """Make the row of an access policy."""
    return {
        "vault_id": vault_id,
        "object_id": policy.object_id,
        "application_id": policy.application_id or "",
        "position": position,
        "tenant_id": policy.tenant_id,
        "permissions": policy.permissions,
    }


def role_definition_record(row: Found[Any]) -> RoleDefinition:
    """Make the record of a custom role."""
    return RoleDefinition(
        id=row.id,
        name=row.name,
        description=row.description,
        permissions=row.permissions,
        assignable_scopes=row.assignable_scopes,
        tenant_id=row.tenant_id,
        built_in=False,
        created=row.created,
        updated=row.updated,
        created_by=row.created_by,
        updated_by=row.updated_by,
    )


def role_definition_values(role: RoleDefinition) -> Values:
    """Make the row of a custom role."""
    return {
        "tenant_id": role.tenant_id,
        "id": role.id,
        "folded": fold_name(role.name),
        "name": role.name,
        "description": role.description,
        "permissions": role.permissions,
        "assignable_scopes": role.assignable_scopes,
        "created": role.created,
        "updated": role.updated,
        "created_by": role.created_by,
        "updated_by": role.updated_by,
    }


def role_assignment_record(row: Found[Any]) -> RoleAssignment:
    """Make the record of a role assignment."""
    return RoleAssignment(
        id=row.id,
        tenant_id=row.tenant_id,
        scope=row.scope,
        role_id=row.role_id,
        principal_id=row.principal_id,
        principal_type=row.principal_type,
        created=row.created,
        updated=row.updated,
        created_by=row.created_by,
        updated_by=row.updated_by,
        description=row.description,
    )


def role_assignment_values(assignment: RoleAssignment) -> Values:
    """Make the row of a role assignment."""
    return {
        "id": assignment.id,
        "tenant_id": assignment.tenant_id,
        "scope": assignment.scope,
        "folded_scope": fold_scope(assignment.scope),
        "role_id": assignment.role_id,
        "principal_id": assignment.principal_id,
        "principal_type": assignment.principal_type,
        "created": assignment.created,
        "updated": assignment.updated,
        "created_by": assignment.created_by,
        "updated_by": assignment.updated_by,
        "description": assignment.description,
    }
