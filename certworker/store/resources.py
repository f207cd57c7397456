"""Subscriptions, resource groups, and vaults as resources: what is asked and what is changed."""

from sqlalchemy import bindparam, delete, select

from certworker.store.tables.resources import (
    RESOURCE_GROUP,
    SUBSCRIPTION,
    resource_group_record,
    resource_group_values,
    subscription_record,
    subscription_values,
)
from certworker.store.tables.vaults import VAULT, vault_record, vault_values
from certworker.store.transaction import Transaction
from certworker.vault.objects import fold_name
from certworker.vault.vaults import ResourceGroup, Subscription, Vault

_SUBSCRIPTION = select(SUBSCRIPTION).where(SUBSCRIPTION.c.id == bindparam("id"))
_SUBSCRIPTIONS = (
    select(SUBSCRIPTION)
    .where(SUBSCRIPTION.c.tenant_id == bindparam("tenant_id"))
    .order_by(SUBSCRIPTION.c.created, SUBSCRIPTION.c.id)
)
_GROUPS = (
    select(RESOURCE_GROUP)
    .where(RESOURCE_GROUP.c.subscription_id == bindparam("subscription_id"))
    .order_by(RESOURCE_GROUP.c.folded)
)
_GROUP = _GROUPS.where(RESOURCE_GROUP.c.folded == bindparam("folded"))
_DELETED = select(VAULT).where(VAULT.c.deleted.is_not(None))
_DELETED_VAULTS = _DELETED.where(VAULT.c.subscription_id == bindparam("subscription_id")).order_by(VAULT.c.folded)
_DELETED_VAULT = _DELETED.where(VAULT.c.folded == bindparam("folded"))
_LASTING = frozenset({"id", "folded", "name", "tenant_id"})


class ResourceReader(Transaction):
    """What can be asked of resources."""

    def subscription(self, subscription_id: str) -> Subscription | None:
        """Find a subscription."""
        row = self._one(_SUBSCRIPTION, id=subscription_id)
        return subscription_record(row) if row else None

    def subscriptions(self, tenant_id: str) -> tuple[Subscription, ...]:
        """List a tenant's subscriptions, the oldest first."""
        return tuple(map(subscription_record, self._all(_SUBSCRIPTIONS, tenant_id=tenant_id)))

    def resource_group(self, subscription_id: str, name: str) -> ResourceGroup | None:
        """Find a resource group by its name, without regard to case."""
        row = self._one(_GROUP, subscription_id=subscription_id, folded=fold_name(name))
        return resource_group_record(row) if row else None

    def resource_groups(self, subscription_id: str) -> tuple[ResourceGroup, ...]:
        """List a subscription's resource groups by name."""
        return tuple(map(resource_group_record, self._all(_GROUPS, subscription_id=subscription_id)))

    def deleted_vaults(self, subscription_id: str) -> tuple[Vault, ...]:
        """List a subscription's deleted vaults by name."""
        return tuple(map(vault_record, self._all(_DELETED_VAULTS, subscription_id=subscription_id)))

    def deleted_vault(self, name: str) -> Vault | None:
        """Find a deleted vault by its name."""
        row = self._one(_DELETED_VAULT, folded=fold_name(name))
        return vault_record(row) if row else None


class ResourceWriter(ResourceReader):
    """What can be changed in resources."""

    def add_subscription(self, subscription: Subscription) -> None:
        """Add a subscription. Raises Conflict where there is one of the id."""
        self._add(SUBSCRIPTION, subscription_values(subscription), f"There is a subscription {subscription.id} already.")

    def put_resource_group(self, group: ResourceGroup) -> None:
        """Add or replace a resource group."""
        self._put(RESOURCE_GROUP, resource_group_values(group), key=("subscription_id", "folded"))

    def delete_resource_group(self, subscription_id: str, name: str) -> None:
        """Delete a resource group, which has no vaults."""
        self._delete(RESOURCE_GROUP, {"subscription_id": subscription_id, "folded": fold_name(name)})

    def replace_vault(self, vault: Vault) -> None:
        """Put other properties in the place of those of the vault of the same id; id, name and tenant stay."""
        changed = {name: value for name, value in vault_values(vault).items() if name not in _LASTING}
        self._update(VAULT, {"id": vault.id}, changed)

    def purge_vault(self, vault_id: str) -> None:
        """Delete a vault and all that belongs to it, for good."""
        self._change(delete(VAULT).where(VAULT.c.id == vault_id))
