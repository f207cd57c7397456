"""The port to the directory: users, groups, applications and their credentials."""

from typing import Protocol

from certworker.vault.identities.records import Application, Credential, FederatedCredential, Group, Identity, User
from certworker.vault.vaults import Principal


class IdentityGlance(Protocol):
    """What every request asks for."""

    def identity(self, object_id: str) -> Identity | None:
        """Find a user, a group or a service principal by its object id."""

    def client_identity(self, client_id: str) -> Identity | None:
        """Find a service principal by its application's client id."""


class IdentityReader(IdentityGlance, Protocol):
    """What can be asked. What lists give is in the order of its making."""

    def user(self, object_id: str) -> User | None:
        """Find a user."""

    def user_by_name(self, tenant_id: str, user_name: str) -> User | None:
        """Find a user by the user principal name, without regard to case."""

    def users(self, tenant_id: str) -> tuple[User, ...]:
        """List a tenant's users."""

    def group(self, object_id: str) -> Group | None:
        """Find a group."""

    def groups(self, tenant_id: str) -> tuple[Group, ...]:
        """List a tenant's groups."""

    def application(self, client_id: str) -> Application | None:
        """Find an application by its client id."""

    def application_by_object(self, object_id: str) -> Application | None:
        """Find an application by the object id of its own, which is not that of its service principal."""

    def applications(self, tenant_id: str) -> tuple[Application, ...]:
        """List a tenant's applications."""

    def credentials(self, client_id: str) -> tuple[Credential, ...]:
        """List the secrets and certificates of an application, those that have ended among them."""

    def all_credentials(self, tenant_id: str) -> tuple[Credential, ...]:
        """List the secrets and certificates of all applications of a tenant."""

    def federated_credentials(self, client_id: str) -> tuple[FederatedCredential, ...]:
        """List the foreign tokens that an application may show."""

    def owners(self, object_id: str) -> tuple[str, ...]:
        """List the object ids of those who own a group or an application."""

    def owned_by(self, owner_id: str) -> tuple[str, ...]:
        """List the object ids of what somebody owns."""

    def direct_groups_of(self, object_id: str) -> tuple[str, ...]:
        """List the groups that a principal is in by itself."""


class IdentityWriter(IdentityReader, Protocol):
    """What can be changed, inside one transaction."""

    def add_user(self, user: User) -> None:
        """Add a user. Raises Conflict where the name is taken."""

    def replace_user(self, user: User) -> None:
        """Put other properties in the place of those of the user of the same id. Raises Conflict where the name is taken."""

    def add_group(self, group: Group) -> None:
        """Add a group. Raises Conflict where there is one of the id."""

    def replace_group(self, group: Group) -> None:
        """Put other properties in the place of those of the group of the same id."""

    def add_application(self, application: Application) -> None:
        """Add an application. Raises Conflict where one of its ids is taken."""

    def replace_application(self, application: Application) -> None:
        """Put other properties in the place of those of the application of the same id; the client id stays."""

    def replace_principal(self, principal: Principal) -> None:
        """Put other properties in the place of those of the service principal of the same object id; its ids stay."""

    def delete_identity(self, object_id: str) -> None:
        """Delete a user, a group or a service principal, with its memberships, its members, and what it owns or is owned by."""

    def delete_application(self, object_id: str) -> None:
        """Delete an application and its credentials; its service principal stays."""

    def put_credential(self, credential: Credential) -> None:
        """Add or replace a secret or a certificate."""

    def delete_credential(self, client_id: str, key_id: str) -> bool:
        """Take a secret or a certificate away; tell whether it was there."""

    def add_federated_credential(self, credential: FederatedCredential) -> None:
        """Add a foreign token that an application may show. Raises Conflict where its name is taken there."""

    def replace_federated_credential(self, credential: FederatedCredential) -> None:
        """Put other properties in the place of those of the one of the same id; application and name stay."""

    def delete_federated_credential(self, client_id: str, credential_id: str) -> None:
        """Take one away."""

    def add_owner(self, object_id: str, owner_id: str) -> None:
        """Give a group or an application another owner. Raises Conflict where it owns it already."""

    def delete_owner(self, object_id: str, owner_id: str) -> bool:
        """Take an owner away; tell whether it was one."""
