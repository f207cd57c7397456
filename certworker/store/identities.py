"""The directory: what is asked and what is changed."""

from typing import Any

from sqlalchemy import Row, bindparam, delete, false, literal, or_, select, true, union_all

from certworker.errors import Conflict
from certworker.store.tables.identities import (
    APPLICATION,
    CREDENTIAL,
    FEDERATED_CREDENTIAL,
    GROUP,
    OWNER,
    USER,
    application_record,
    application_values,
    credential_record,
    credential_values,
    federated_credential_record,
    federated_credential_values,
    group_record,
    group_values,
    user_record,
    user_values,
)
from certworker.store.tables.rights import GROUP_MEMBER
from certworker.store.tables.vaults import PRINCIPAL, principal_values
from certworker.store.transaction import Transaction
from certworker.vault.identities.records import (
    Application,
    Credential,
    FederatedCredential,
    Group,
    Identity,
    User,
    fold_user_name,
)
from certworker.vault.rights.roles import PrincipalType
from certworker.vault.vaults import Principal

_NONE = literal("")
_SERVICE_PRINCIPALS = select(
    PRINCIPAL.c.object_id,
    literal(PrincipalType.SERVICE_PRINCIPAL.value).label("kind"),
    PRINCIPAL.c.tenant_id,
    PRINCIPAL.c.display_name,
    PRINCIPAL.c.enabled,
    PRINCIPAL.c.administrator,
    PRINCIPAL.c.client_id,
    _NONE.label("user_name"),
)
_IDENTITY_OF_CLIENT = _SERVICE_PRINCIPALS.where(PRINCIPAL.c.client_id == bindparam("client_id"))
_IDENTITY = union_all(
    _SERVICE_PRINCIPALS.where(PRINCIPAL.c.object_id == bindparam("object_id")),
    select(
        USER.c.object_id,
        literal(PrincipalType.USER.value),
        USER.c.tenant_id,
        USER.c.display_name,
        USER.c.enabled,
        USER.c.administrator,
        _NONE,
        USER.c.user_name,
    ).where(USER.c.object_id == bindparam("object_id")),
    select(
        GROUP.c.object_id,
        literal(PrincipalType.GROUP.value),
        GROUP.c.tenant_id,
        GROUP.c.display_name,
        true(),
        false(),
        _NONE,
        _NONE,
    ).where(GROUP.c.object_id == bindparam("object_id")),
)
_USER = select(USER).where(USER.c.object_id == bindparam("object_id"))
_USERS = select(USER).where(USER.c.tenant_id == bindparam("tenant_id")).order_by(USER.c.number)
_USER_BY_NAME = _USERS.where(USER.c.folded == bindparam("folded"))
_GROUP = select(GROUP).where(GROUP.c.object_id == bindparam("object_id"))
_GROUPS = select(GROUP).where(GROUP.c.tenant_id == bindparam("tenant_id")).order_by(GROUP.c.number)
_APPLICATION = select(APPLICATION).where(APPLICATION.c.client_id == bindparam("client_id"))
_APPLICATION_BY_OBJECT = select(APPLICATION).where(APPLICATION.c.object_id == bindparam("object_id"))
_APPLICATIONS = select(APPLICATION).where(APPLICATION.c.tenant_id == bindparam("tenant_id")).order_by(APPLICATION.c.number)
_CREDENTIALS = select(CREDENTIAL).where(CREDENTIAL.c.client_id == bindparam("client_id")).order_by(CREDENTIAL.c.number)
_ALL_CREDENTIALS = (
    select(CREDENTIAL)
    .join(APPLICATION, APPLICATION.c.client_id == CREDENTIAL.c.client_id)
    .where(APPLICATION.c.tenant_id == bindparam("tenant_id"))
    .order_by(CREDENTIAL.c.number)
)
_FEDERATED = (
    select(FEDERATED_CREDENTIAL)
    .where(FEDERATED_CREDENTIAL.c.client_id == bindparam("client_id"))
    .order_by(FEDERATED_CREDENTIAL.c.number)
)
_OWNERS = select(OWNER.c.owner_id).where(OWNER.c.object_id == bindparam("object_id")).order_by(OWNER.c.number)
_OWNED = select(OWNER.c.object_id).where(OWNER.c.owner_id == bindparam("owner_id")).order_by(OWNER.c.number)
_DIRECT_GROUPS = (
    select(GROUP_MEMBER.c.group_id).where(GROUP_MEMBER.c.member_id == bindparam("object_id")).order_by(GROUP_MEMBER.c.number)
)


class IdentityReader(Transaction):
    """What can be asked of the directory."""

    def identity(self, object_id: str) -> Identity | None:
        """Find a user, a group or a service principal by its object id."""
        row = self._one(_IDENTITY, object_id=object_id)
        return _identity_record(row) if row else None

    def client_identity(self, client_id: str) -> Identity | None:
        """Find a service principal by its application's client id."""
        row = self._one(_IDENTITY_OF_CLIENT, client_id=client_id)
        return _identity_record(row) if row else None

    def user(self, object_id: str) -> User | None:
        """Find a user."""
        row = self._one(_USER, object_id=object_id)
        return user_record(row) if row else None

    def user_by_name(self, tenant_id: str, user_name: str) -> User | None:
        """Find a user by the user principal name, without regard to case."""
        row = self._one(_USER_BY_NAME, tenant_id=tenant_id, folded=fold_user_name(user_name))
        return user_record(row) if row else None

    def users(self, tenant_id: str) -> tuple[User, ...]:
        """List a tenant's users, the oldest first."""
        return tuple(map(user_record, self._all(_USERS, tenant_id=tenant_id)))

    def group(self, object_id: str) -> Group | None:
        """Find a group."""
        row = self._one(_GROUP, object_id=object_id)
        return group_record(row) if row else None

    def groups(self, tenant_id: str) -> tuple[Group, ...]:
        """List a tenant's groups, the oldest first."""
        return tuple(map(group_record, self._all(_GROUPS, tenant_id=tenant_id)))

    def application(self, client_id: str) -> Application | None:
        """Find an application by its client id."""
        row = self._one(_APPLICATION, client_id=client_id)
        return application_record(row) if row else None

    def application_by_object(self, object_id: str) -> Application | None:
        """Find an application by its own object id."""
        row = self._one(_APPLICATION_BY_OBJECT, object_id=object_id)
        return application_record(row) if row else None

    def applications(self, tenant_id: str) -> tuple[Application, ...]:
        """List a tenant's applications, the oldest first."""
        return tuple(map(application_record, self._all(_APPLICATIONS, tenant_id=tenant_id)))

    def credentials(self, client_id: str) -> tuple[Credential, ...]:
        """List the secrets and certificates of an application, those that have ended among them."""
        return tuple(map(credential_record, self._all(_CREDENTIALS, client_id=client_id)))

    def all_credentials(self, tenant_id: str) -> tuple[Credential, ...]:
        """List the secrets and certificates of all applications of a tenant."""
        return tuple(map(credential_record, self._all(_ALL_CREDENTIALS, tenant_id=tenant_id)))

    def federated_credentials(self, client_id: str) -> tuple[FederatedCredential, ...]:
        """List the foreign tokens that an application may show."""
        return tuple(map(federated_credential_record, self._all(_FEDERATED, client_id=client_id)))

    def owners(self, object_id: str) -> tuple[str, ...]:
        """List the object ids of those who own a group or an application."""
        return tuple(row.owner_id for row in self._all(_OWNERS, object_id=object_id))

    def owned_by(self, owner_id: str) -> tuple[str, ...]:
        """List the object ids of what somebody owns."""
        return tuple(row.object_id for row in self._all(_OWNED, owner_id=owner_id))

    def direct_groups_of(self, object_id: str) -> tuple[str, ...]:
        """List the groups that a principal is in by itself."""
        return tuple(row.group_id for row in self._all(_DIRECT_GROUPS, object_id=object_id))


class IdentityWriter(IdentityReader):
    """What can be changed in the directory."""

    def add_user(self, user: User) -> None:
        """Add a user. Raises Conflict where the name is taken."""
        self._add(USER, user_values(user), f"Another user has the name '{user.user_name}'.")

    def replace_user(self, user: User) -> None:
        """Put other properties in the place of those of the user of the same id. Raises Conflict where the name is taken."""
        named = self.user_by_name(user.tenant_id, user.user_name)
        if named and named.object_id != user.object_id:
            raise Conflict(f"Another user has the name '{user.user_name}'.")
        self._update(USER, {"object_id": user.object_id}, user_values(user))

    def add_group(self, group: Group) -> None:
        """Add a group. Raises Conflict where there is one of the id."""
        self._add(GROUP, group_values(group), "There is a group of that id.")

    def replace_group(self, group: Group) -> None:
        """Put other properties in the place of those of the group of the same id."""
        self._update(GROUP, {"object_id": group.object_id}, group_values(group))

    def add_application(self, application: Application) -> None:
        """Add an application. Raises Conflict where one of its ids is taken."""
        self._add(APPLICATION, application_values(application), "The object id or client id is already in use.")

    def replace_application(self, application: Application) -> None:
        """Put other properties in the place of those of the application of the same id; the client id stays."""
        changed = {name: value for name, value in application_values(application).items() if name != "client_id"}
        self._update(APPLICATION, {"object_id": application.object_id}, changed)

    def replace_principal(self, principal: Principal) -> None:
        """Put other properties in the place of those of the service principal of the same object id; its ids stay."""
        changed = {name: value for name, value in principal_values(principal).items() if not name.endswith("_id")}
        self._update(PRINCIPAL, {"object_id": principal.object_id}, changed)

    def delete_identity(self, object_id: str) -> None:
        """Delete a user, a group or a service principal, with its memberships, its members, and what it owns or is owned by."""
        for table in (USER, GROUP, PRINCIPAL):
            self._delete(table, {"object_id": object_id})
        members = or_(GROUP_MEMBER.c.member_id == object_id, GROUP_MEMBER.c.group_id == object_id)
        self._change(delete(GROUP_MEMBER).where(members))
        self._forget_owners(object_id)

    def delete_application(self, object_id: str) -> None:
        """Delete an application and its credentials; its service principal stays."""
        self._delete(APPLICATION, {"object_id": object_id})
        self._forget_owners(object_id)

    def put_credential(self, credential: Credential) -> None:
        """Add or replace a secret or a certificate."""
        self._put(CREDENTIAL, credential_values(credential), key=("client_id", "key_id"))

    def delete_credential(self, client_id: str, key_id: str) -> bool:
        """Take a secret or a certificate away; tell whether it was there."""
        return self._delete(CREDENTIAL, {"client_id": client_id, "key_id": key_id}) > 0

    def add_federated_credential(self, credential: FederatedCredential) -> None:
        """Add a foreign token that an application may show. Raises Conflict where its name is taken there."""
        taken = f"The application has a federated credential named '{credential.name}' already."
        self._add(FEDERATED_CREDENTIAL, federated_credential_values(credential), taken)

    def replace_federated_credential(self, credential: FederatedCredential) -> None:
        """Put other properties in the place of those of the one of the same id; application and name stay."""
        values = federated_credential_values(credential)
        changed = {name: value for name, value in values.items() if name not in {"id", "client_id", "name"}}
        self._update(FEDERATED_CREDENTIAL, {"client_id": credential.client_id, "id": credential.id}, changed)

    def delete_federated_credential(self, client_id: str, credential_id: str) -> None:
        """Take one away."""
        self._delete(FEDERATED_CREDENTIAL, {"client_id": client_id, "id": credential_id})

    def add_owner(self, object_id: str, owner_id: str) -> None:
        """Give a group or an application another owner. Raises Conflict where it owns it already."""
        self._add(OWNER, {"object_id": object_id, "owner_id": owner_id}, "The object is an owner already.")

    def delete_owner(self, object_id: str, owner_id: str) -> bool:
        """Take an owner away; tell whether it was one."""
        return self._delete(OWNER, {"object_id": object_id, "owner_id": owner_id}) > 0

    def _forget_owners(self, object_id: str) -> None:
        self._change(delete(OWNER).where(or_(OWNER.c.object_id == object_id, OWNER.c.owner_id == object_id)))


def _identity_record(row: Row[Any]) -> Identity:
    return Identity(
        row.object_id,
        PrincipalType(row.kind),
        row.tenant_id,
        row.display_name,
        bool(row.enabled),
        bool(row.administrator),
        row.client_id,
        row.user_name,
    )
