"""Subscriptions, resource groups, and vaults as resources: what is asked and what is changed."""

from datetime import datetime

from sqlalchemy import bindparam, delete, func, or_, select

from certworker.store.columns import UnixTime
from certworker.store.tables.events import EVENT
from certworker.store.tables.resources import (
    RESOURCE_GROUP,
    SUBSCRIPTION,
    resource_group_record,
    resource_group_values,
    subscription_record,
    subscription_values,
)
from certworker.store.tables.rights import ROLE_ASSIGNMENT
from certworker.store.tables.vaults import VAULT, vault_record, vault_values
from certworker.store.transaction import Transaction
from certworker.vault.objects import fold_name
from certworker.vault.rights.scopes import fold_scope, vault_scope
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
_HELD = select(VAULT).where(VAULT.c.id == bindparam("id")).with_for_update()
_EVERY_VAULT = select(VAULT).order_by(VAULT.c.folded)
_VAULTS_IN = (
    select(VAULT)
    .where(VAULT.c.subscription_id == bindparam("subscription_id"), VAULT.c.deleted.is_(None))
    .order_by(VAULT.c.folded)
)
_PURGEABLE = (
    _DELETED.where(VAULT.c.purge_at <= bindparam("at", type_=UnixTime()))
    .order_by(VAULT.c.purge_at, VAULT.c.folded)
    .limit(bindparam("most", type_=None))
)
_NEXT_PURGE = select(func.min(VAULT.c.purge_at).label("at")).where(VAULT.c.deleted.is_not(None))
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

    def vaults_in(self, subscription_id: str) -> tuple[Vault, ...]:
        """List a subscription's vaults by name, but for deleted ones."""
        return tuple(map(vault_record, self._all(_VAULTS_IN, subscription_id=subscription_id)))

    def every_vault(self) -> tuple[Vault, ...]:
        """List all vaults by name, deleted ones among them."""
        return tuple(map(vault_record, self._all(_EVERY_VAULT)))

    def purgeable_vaults(self, at: datetime, limit: int) -> tuple[Vault, ...]:
        """List deleted vaults whose purge is due, those that wait the longest first."""
        return tuple(map(vault_record, self._all(_PURGEABLE, at=at, most=limit)))

    def next_vault_purge(self) -> datetime | None:
        """Tell when the next deleted vault is to be purged."""
        row = self._one(_NEXT_PURGE)
        return row.at if row else None

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

    def hold_vault(self, vault_id: str) -> Vault | None:
        """Find a vault, deleted or not, and keep others from changing it until the transaction ends."""
        row = self._one(_HELD, id=vault_id)
        return vault_record(row) if row else None

    def replace_vault(self, vault: Vault) -> None:
        """Put other properties in the place of those of the vault of the same id; id, name and tenant stay."""
        changed = {name: value for name, value in vault_values(vault).items() if name not in _LASTING}
        self._update(VAULT, {"id": vault.id}, changed)

    def purge_vault(self, vault: Vault) -> None:
        """Delete a vault and all that belongs to it, for good: objects, keys, access policies, roles at it, its events."""
        # what has a foreign key goes with it
        self._change(delete(EVENT).where(EVENT.c.vault_id == vault.id))
        self.delete_assignments_at(vault_scope(vault), below=True)
        self._change(delete(VAULT).where(VAULT.c.id == vault.id))

    def delete_assignments_at(self, scope: str, *, below: bool) -> int:
        """Take back the role assignments at a scope, or at it and below; give the count."""
        folded = fold_scope(scope)
        column = ROLE_ASSIGNMENT.c.folded_scope
        there = or_(column == folded, column.startswith(f"{folded}/", autoescape=True)) if below else column == folded
        return self._change(delete(ROLE_ASSIGNMENT).where(there))
