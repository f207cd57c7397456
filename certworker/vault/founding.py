"""The first start: a tenant, its first vaults, and its administrator."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.errors import Conflict, SetupError
from certworker.vault.directory import Directory
from certworker.vault.identities.credentials import new_client_secret
from certworker.vault.keyring import Keyring
from certworker.vault.rights.built_in_roles import KEY_VAULT_ADMINISTRATOR, OWNER
from certworker.vault.rights.roles import PrincipalType, RoleAssignment
from certworker.vault.rights.scopes import subscription_scope
from certworker.vault.store import Store, Writer
from certworker.vault.vault_properties import NewVault
from certworker.vault.vaults import SYSTEM_VAULT, Principal, ResourceGroup, Subscription, Vault, check_vault_name

DEFAULT_SUBSCRIPTION = "certworker"
DEFAULT_RESOURCE_GROUP = "certworker"
DEFAULT_LOCATION = "local"
PLAIN = NewVault()


@dataclass(frozen=True, slots=True, repr=False)
class Founded:
    """What the first start made. The client secret is shown this once."""

    vault: Vault
    administrator: Principal
    client_secret: str


class Founding:
    """Sets a deployment up, once."""

    def __init__(self, store: Store, keyring: Keyring, directory: Directory, clock: Clock) -> None:
        self._store = store
        self._keyring = keyring
        self._directory = directory
        self._clock = clock

    def is_done(self) -> bool:
        """Whether the first start was carried out already. Raises SetupError where the master key is another."""
        with self._store.reading() as reader:
            system, in_force = reader.vault_by_name(SYSTEM_VAULT), reader.master_key_id()
        if system:
            self._keyring.check(system.id)
            if in_force is None:
                self._take_master_key_over(system)
        return system is not None

    def system_vault(self) -> Vault | None:
        """Find the service's own vault."""
        with self._store.reading() as reader:
            return reader.vault_by_name(SYSTEM_VAULT)

    def found(self, vault_name: str, administrator_name: str, new: NewVault = PLAIN) -> Founded:
        """Make tenant, subscription, the service's own vault, the first vault and the administrator, all or nothing.

        Raises Conflict where it was done already, BadParameter for a name that a vault cannot have.
        """
        check_vault_name(vault_name)
        return self._keyring.adding(lambda: self._found(vault_name, administrator_name, new))

    def _found(self, vault_name: str, administrator_name: str, new: NewVault) -> Founded:
        tenant_id, subscription_id = str(uuid4()), str(uuid4())
        system_id, vault_id = uuid4().hex, uuid4().hex
        at = whole_second(self._clock())
        keys = [self._keyring.new_vault_key(one, at) for one in (system_id, vault_id)]
        signing_key = self._directory.new_signing_key(tenant_id, system_id)
        with self._store.writing() as writer:
            if writer.vault_by_name(SYSTEM_VAULT):
                raise Conflict("This deployment has been set up already.")
            self._add_vault(writer, system_id, SYSTEM_VAULT, tenant_id, subscription_id, PLAIN)
            vault = self._add_vault(writer, vault_id, vault_name, tenant_id, subscription_id, new)
            writer.set_master_key_id(keys[0].master_key_id, at)
            for key in keys:
                writer.add_wrapped_key(key)
            writer.add_signing_key(signing_key)
            self._add_places(writer, tenant_id, subscription_id, at)
            administrator, secret = self._directory.add_application(writer, tenant_id, administrator_name, administrator=True)
            assign_administrator(writer, administrator, subscription_id, at)
        return Founded(vault, administrator, secret)

    def _add_places(self, writer: Writer, tenant_id: str, subscription_id: str, at: datetime) -> None:
        writer.add_subscription(Subscription(subscription_id, tenant_id, DEFAULT_SUBSCRIPTION, at))
        writer.put_resource_group(ResourceGroup(subscription_id, DEFAULT_RESOURCE_GROUP, DEFAULT_LOCATION, at))

    def renew_secret(self) -> tuple[Principal, str]:
        """Give the first administrator a new client secret; the old one ends at once. Raises SetupError without one."""
        with self._store.writing() as writer:
            administrator = next((found for found in writer.principals() if found.administrator), None)
            if administrator is None:
                raise SetupError("This deployment has no administrator.")
            secret, hashed = new_client_secret()
            writer.set_principal_secret(administrator.object_id, hashed)
        return administrator, secret

    def _take_master_key_over(self, system: Vault) -> None:
        """Note the master key in force, where an older release has not."""
        with self._store.writing() as writer:
            if writer.master_key_id() is None:
                newest = writer.wrapped_keys(system.id)[-1]
                writer.set_master_key_id(newest.master_key_id, whole_second(self._clock()))

    def _add_vault(
        self, writer: Writer, vault_id: str, name: str, tenant_id: str, subscription_id: str, new: NewVault
    ) -> Vault:
        vault = Vault(
            vault_id,
            name,
            tenant_id,
            subscription_id,
            DEFAULT_RESOURCE_GROUP,
            DEFAULT_LOCATION,
            whole_second(self._clock()),
            new.retention_days,
            new.sku,
            new.purge_protection,
        )
        writer.add_vault(vault)
        return vault


def assign_administrator(writer: Writer, principal: Principal, subscription_id: str, at: datetime) -> None:
    """Let an application do everything in a subscription: manage it, and use what is in its vaults."""
    for role_id in (OWNER, KEY_VAULT_ADMINISTRATOR):
        assignment = RoleAssignment(
            id=str(uuid4()),
            tenant_id=principal.tenant_id,
            scope=subscription_scope(subscription_id),
            role_id=role_id,
            principal_id=principal.object_id,
            principal_type=PrincipalType.SERVICE_PRINCIPAL,
            created=at,
            updated=at,
        )
        writer.add_role_assignment(assignment)
