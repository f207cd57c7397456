"""The port to what vaults lie in, subscriptions and resource groups, and to vaults as resources."""

from datetime import datetime
from typing import Protocol

from certworker.vault.vaults import ResourceGroup, Subscription, Vault


class ResourceReader(Protocol):
    """What can be asked."""

    def subscription(self, subscription_id: str) -> Subscription | None:
        """Find a subscription."""

    def subscriptions(self, tenant_id: str) -> tuple[Subscription, ...]:
        """List a tenant's subscriptions, the oldest first."""

    def resource_group(self, subscription_id: str, name: str) -> ResourceGroup | None:
        """Find a resource group by its name, without regard to case."""

    def resource_groups(self, subscription_id: str) -> tuple[ResourceGroup, ...]:
        """List a subscription's resource groups by name."""

    def vaults_in(self, subscription_id: str) -> tuple[Vault, ...]:
        """List a subscription's vaults by name, but for deleted ones."""

    def every_vault(self) -> tuple[Vault, ...]:
        """List all vaults by name, deleted ones among them."""

    def purgeable_vaults(self, at: datetime, limit: int) -> tuple[Vault, ...]:
        """List deleted vaults whose purge is due, those that wait the longest first."""

    def next_vault_purge(self) -> datetime | None:
        """Tell when the next deleted vault is to be purged."""

    def deleted_vaults(self, subscription_id: str) -> tuple[Vault, ...]:
        """List a subscription's deleted vaults by name."""

    def deleted_vault(self, name: str) -> Vault | None:
        """Find a deleted vault by its name."""


class ResourceWriter(ResourceReader, Protocol):
    """What can be changed, inside one transaction."""

    def add_subscription(self, subscription: Subscription) -> None:
        """Add a subscription. Raises Conflict where there is one of the id."""

    def put_resource_group(self, group: ResourceGroup) -> None:
        """Add or replace a resource group."""

    def delete_resource_group(self, subscription_id: str, name: str) -> None:
        """Delete a resource group, which has no vaults."""

    def hold_vault(self, vault_id: str) -> Vault | None:
        """Find a vault, deleted or not, and keep others from changing it until the transaction ends."""

    def replace_vault(self, vault: Vault) -> None:
        """Put other properties in the place of those of the vault of the same id; id, name and tenant stay."""

    def purge_vault(self, vault: Vault) -> None:
        """Delete a vault and all that belongs to it, for good: objects, keys, access policies, roles at it, its events.

        Keys in a token stay noted until they are destroyed there. What is known to be compromised stays known.
        """

    def delete_assignments_at(self, scope: str, *, below: bool) -> int:
        """Take back the role assignments at a scope, or at it and below; give the count."""
