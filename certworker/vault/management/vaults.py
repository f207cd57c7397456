"""Vaults as resources: made, shown, listed, changed, deleted and recovered, by whoever has a role that permits it.

What manages a vault gives no right to what is in it. But whoever may write a vault sets its access policies, as in Azure; from
roles to access policies, or back, it is switched only by who may also assign roles.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.errors import Conflict, InvalidResource
from certworker.vault.access import Access, Caller
from certworker.vault.event_lines import tell_vault
from certworker.vault.keyring import Keyring
from certworker.vault.management.names import check_name, find_taken
from certworker.vault.management.network import check_network
from certworker.vault.management.places import (
    Locations,
    VaultPlace,
    check_resource_tags,
    find_vault,
    fold_location,
    require_group,
    scope_of_subscription,
    subscription_of,
)
from certworker.vault.objects import fold_name
from certworker.vault.rights.policies import AccessPolicy
from certworker.vault.rights.policy_lists import PolicyChange, change_policies, parse_policies
from certworker.vault.rights.roles import WRITE_ASSIGNMENTS
from certworker.vault.rights.scopes import group_scope, vault_scope
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vault_properties import NewVault, VaultUpdate, changed_vault
from certworker.vault.vaults import DEFAULT_RETENTION_DAYS, SYSTEM_VAULT, ResourceGroup, Sku, Vault

READ: Final = "Microsoft.KeyVault/vaults/read"
WRITE: Final = "Microsoft.KeyVault/vaults/write"
DELETE: Final = "Microsoft.KeyVault/vaults/delete"
WRITE_POLICIES: Final = "Microsoft.KeyVault/vaults/accessPolicies/write"


@dataclass(frozen=True, slots=True)
class VaultWish:
    """What somebody sends of a vault. `policies` are as they were decoded from JSON; none leaves them as they are."""

    location: str | None = None
    tenant_id: str | None = None
    update: VaultUpdate = field(default_factory=VaultUpdate)
    policies: object = None
    soft_delete: bool | None = None
    recover: bool = False


@dataclass(frozen=True, slots=True)
class ShownVault:
    """A vault with its access policies. `is_new` once it was made, or recovered, by this."""

    vault: Vault
    policies: tuple[AccessPolicy, ...]
    is_new: bool = False


class ManagedVaults:
    """The vaults of a subscription. `recovered` is called with a vault that came back."""

    def __init__(
        self,
        store: Store,
        access: Access,
        keyring: Keyring,
        locations: Locations,
        recovered: Callable[[Vault], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._access = access
        self._keyring = keyring
        self._locations = locations
        self._recovered = recovered
        self._clock = clock

    def get(self, caller: Caller, place: VaultPlace) -> ShownVault:
        """Show a vault. Raises AuthorizationFailed, ResourceNotFound."""
        self._access.require_action(caller, place.scope, READ)
        with self._store.reading() as reader:
            return _shown(reader, find_vault(reader, place))

    def list_in_group(self, caller: Caller, subscription_id: str, resource_group: str) -> tuple[ShownVault, ...]:
        """List the vaults of a resource group by name. Raises AuthorizationFailed, ResourceNotFound."""
        self._access.require_action(caller, group_scope(subscription_of(subscription_id), resource_group), READ)
        with self._store.reading() as reader:
            group = require_group(reader, subscription_of(subscription_id), resource_group)
            return tuple(_shown(reader, vault) for vault in vaults_of_group(reader, group))

    def list_in_subscription(self, caller: Caller, subscription_id: str) -> tuple[ShownVault, ...]:
        """List the vaults of a subscription by name. Raises AuthorizationFailed."""
        self._access.require_action(caller, scope_of_subscription(subscription_id), READ)
        with self._store.reading() as reader:
            return tuple(_shown(reader, vault) for vault in vaults_of(reader, subscription_id))

    def list_readable(self, caller: Caller, subscription_id: str) -> tuple[Vault, ...]:
        """List those vaults of a subscription that the caller may read, by name: nobody is refused."""
        with self._store.reading() as reader:
            found = vaults_of(reader, subscription_id)
        return tuple(vault for vault in found if self._access.may(caller, vault_scope(vault), READ))

    def put(self, caller: Caller, place: VaultPlace, wish: VaultWish, *, rbac_by_default: bool) -> ShownVault:
        """Make a vault, recover it, or change it. What was not said of one that is there stays as it is, but for the tags.

        Raises AuthorizationFailed, ResourceNotFound, ResourceConflict, Conflict, BadParameter.
        """
        self._access.require_action(caller, place.scope, WRITE)
        check_name(place.name)
        with self._store.reading() as reader:
            group = require_group(reader, subscription_of(place.subscription_id), place.resource_group)
            known, deleted = reader.vault_by_name(place.name), reader.deleted_vault(place.name)
            tenant_id = self._tenant_of(reader, group, wish)
        location = self._locations.check(wish.location)
        if wish.recover and deleted:
            return self._recover(caller, place, deleted, location)
        if wish.recover and known is None:
            raise InvalidResource("BadRequest", f"There is no deleted vault '{place.name}' to recover.", "createMode")
        if known and place.is_of(known):
            if fold_location(known.location) != fold_location(location):
                message = f"The vault is in {known.location}, and cannot be moved to {location}."
                raise InvalidResource("InvalidResourceLocation", message, "location")
            tags = {} if wish.update.tags is None else wish.update.tags
            return self._change(caller, place, replace(wish, update=replace(wish.update, tags=tags)))
        with self._store.reading() as reader:
            if taken := find_taken(reader, place.name):
                raise taken
        return self._create(caller, place, group, wish, tenant_id, location, rbac_by_default=rbac_by_default)

    def patch(self, caller: Caller, place: VaultPlace, wish: VaultWish) -> ShownVault:
        """Change what was said of a vault. Raises as `put`."""
        self._access.require_action(caller, place.scope, WRITE)
        return self._change(caller, place, wish)

    def change_policies(self, caller: Caller, place: VaultPlace, sent: object, change: PolicyChange) -> ShownVault:
        """Add, replace or remove access policies. Raises AuthorizationFailed, ResourceNotFound, BadParameter."""
        self._access.require_action(caller, place.scope, WRITE_POLICIES)
        with self._store.writing() as writer:
            known = hold_vault(writer, place)
            writer.hold_rights()  # whose right is being taken away meanwhile has none to give
            self._access.require_action(caller, place.scope, WRITE_POLICIES, writer)
            policies = parse_policies(sent, known.tenant_id)
            changed = change_policies(writer.access_policies(known.id), policies, change)
            writer.put_access_policies(known.id, changed)
            vault = replace(known, updated=self._at(), updated_by=signature(caller))
            writer.replace_vault(vault)
            return ShownVault(vault, changed)

    def delete(self, caller: Caller, place: VaultPlace) -> bool:
        """Delete a vault: until its purge date it can be recovered. Tell whether there was one. Raises AuthorizationFailed."""
        self._access.require_action(caller, place.scope, DELETE)
        with self._store.writing() as writer:
            known = writer.vault_by_name(place.name)
            if known is None or not place.is_of(known):
                return False
            deleted = delete_held(writer, known.id, caller, self._at())
        if deleted:
            tell_vault(known, "was deleted")
        return deleted

    def _change(self, caller: Caller, place: VaultPlace, wish: VaultWish) -> ShownVault:
        update = _checked(wish)
        with self._store.writing() as writer:
            known = hold_vault(writer, place)
            writer.hold_rights()
            self._access.require_action(caller, place.scope, WRITE, writer)
            _check_tenant(wish, known.tenant_id)
            if update.rbac not in (None, known.rbac):
                self._access.require_action(caller, vault_scope(known), WRITE_ASSIGNMENTS, writer)
            changed = changed_vault(writer, known, update, is_retention_fixed=True)
            vault = replace(changed, updated=self._at(), updated_by=signature(caller))
            writer.replace_vault(vault)
            if wish.policies is not None:
                writer.put_access_policies(vault.id, parse_policies(wish.policies, vault.tenant_id))
            return _shown(writer, vault)

    def _create(
        self,
        caller: Caller,
        place: VaultPlace,
        group: ResourceGroup,
        wish: VaultWish,
        tenant_id: str,
        location: str,
        *,
        rbac_by_default: bool,
    ) -> ShownVault:
        update, at, vault_id = _checked(wish), self._at(), uuid4().hex
        new = NewVault(
            update.sku or Sku.STANDARD,
            DEFAULT_RETENTION_DAYS if update.retention_days is None else update.retention_days,
            bool(update.purge_protection),
        )
        made = Vault(vault_id, place.name, tenant_id, group.subscription_id, group.name, location, at, new.retention_days)
        policies = parse_policies(wish.policies, tenant_id)

        def add() -> ShownVault:
            key = self._keyring.new_vault_key(vault_id, at)
            with self._store.writing() as writer:
                rbac = rbac_by_default if update.rbac is None else update.rbac
                vault = changed_vault(writer, made, replace(update, rbac=rbac))
                vault = replace(vault, created_by=signature(caller), updated=at, updated_by=signature(caller))
                self._add(writer, vault)
                writer.add_wrapped_key(key)
                writer.put_access_policies(vault.id, policies)
            tell_vault(vault, "was made")
            return ShownVault(vault, policies, is_new=True)

        return self._keyring.adding(add)

    def _add(self, writer: Writer, vault: Vault) -> None:
        # as things are now: the group may have gone, and the name may have been taken, since they were looked up
        require_group(writer, vault.subscription_id, vault.resource_group)
        try:
            writer.add_vault(vault)
        except Conflict as error:
            raise find_taken(writer, vault.name) or error from None

    def _recover(self, caller: Caller, place: VaultPlace, deleted: Vault, location: str) -> ShownVault:
        if not place.is_of(deleted) or fold_location(deleted.location) != fold_location(location):
            message = (
                f"The deleted vault '{deleted.name}' was in the resource group '{deleted.resource_group}' and the location "
                f"'{deleted.location}', and is recovered there."
            )
            raise InvalidResource("BadRequest", message, "createMode")
        with self._store.writing() as writer:
            held = writer.hold_vault(deleted.id)
            if held is None or held.deleted is None:
                raise place.not_found()
            require_group(writer, held.subscription_id, held.resource_group)  # it may have gone since it was looked up
            vault = replace(held, deleted=None, purge_at=None, updated=self._at(), updated_by=signature(caller))
            writer.replace_vault(vault)
            shown = replace(_shown(writer, vault), is_new=True)
        tell_vault(vault, "was recovered")
        self._recovered(vault)
        return shown

    def _tenant_of(self, reader: Reader, group: ResourceGroup, wish: VaultWish) -> str:
        subscription = reader.subscription(group.subscription_id)
        tenant_id = subscription.tenant_id if subscription else ""
        if wish.tenant_id is None:
            raise InvalidResource("BadRequest", f"The property tenantId is required: it is '{tenant_id}'.", "tenantId")
        _check_tenant(wish, tenant_id)
        return tenant_id

    def _at(self) -> datetime:
        return whole_second(self._clock())


def vaults_of(reader: Reader, subscription_id: str) -> tuple[Vault, ...]:
    """List a subscription's vaults by name, but for the service's own."""
    return tuple(vault for vault in reader.vaults_in(subscription_of(subscription_id)) if vault.name != SYSTEM_VAULT)


def vaults_of_group(reader: Reader, group: ResourceGroup) -> tuple[Vault, ...]:
    """List a resource group's vaults by name, likewise."""
    found = vaults_of(reader, group.subscription_id)
    return tuple(vault for vault in found if fold_name(vault.resource_group) == fold_name(group.name))


def hold_vault(writer: Writer, place: VaultPlace) -> Vault:
    """Find the vault at a place, and keep others from changing it until the transaction ends. Raises ResourceNotFound."""
    held = writer.hold_vault(find_vault(writer, place).id)
    if held is None or held.deleted:
        raise place.not_found()
    return held


def delete_held(writer: Writer, vault_id: str, caller: Caller, at: datetime) -> bool:
    """Delete a vault as part of a larger transaction; tell whether it was not deleted before."""
    held = writer.hold_vault(vault_id)
    if held is None or held.deleted:
        return False
    purge_at = at + timedelta(days=held.retention_days)
    writer.replace_vault(replace(held, deleted=at, purge_at=purge_at, updated=at, updated_by=signature(caller)))
    return True


def signature(caller: Caller) -> str:
    """Name a caller for the record of who made or changed something: a user by name, an application by its client id."""
    return caller.user_name or caller.client_id


def _shown(reader: Reader, vault: Vault) -> ShownVault:
    return ShownVault(vault, reader.access_policies(vault.id))


def _checked(wish: VaultWish) -> VaultUpdate:
    if wish.soft_delete is False:
        message = (
            'The property "enableSoftDelete" cannot be set to false: every vault keeps what was deleted until its purge date.'
        )
        raise InvalidResource("BadRequest", message, "enableSoftDelete")
    update = wish.update
    network = None if update.network is None else check_network(update.network)
    tags = None if update.tags is None else check_resource_tags(dict(update.tags))
    return replace(update, network=network, tags=tags)


def _check_tenant(wish: VaultWish, tenant_id: str) -> None:
    if wish.tenant_id is not None and wish.tenant_id.lower() != tenant_id.lower():
        message = f"The property tenantId is '{tenant_id}', that of the subscription: a vault trusts no other tenant."
        raise InvalidResource("BadRequest", message, "tenantId")
