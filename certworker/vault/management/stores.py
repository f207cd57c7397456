"""Where the audit log can be read: storage accounts, and the diagnostic settings that route a vault's records there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from certworker.vault.rights.scopes import group_scope

STORAGE_PROVIDER = "Microsoft.Storage"


def store_scope(subscription_id: str, resource_group: str, name: str) -> str:
    """Name a store: its resource id."""
    return f"{group_scope(subscription_id, resource_group)}/providers/{STORAGE_PROVIDER}/storageAccounts/{name}"


@dataclass(frozen=True, slots=True)
class StorageAccount:
    """A store of audit records, as a resource. Nothing lies in it: it is where the log is read, by whoever may."""

    name: str
    tenant_id: str
    subscription_id: str
    resource_group: str
    location: str
    sku: str
    created: datetime
    created_by: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def resource_id(self) -> str:
        """The id by which roles are assigned for it."""
        return store_scope(self.subscription_id, self.resource_group, self.name)


@dataclass(frozen=True, slots=True)
class DiagnosticSetting:
    """A setting that routes a vault's records to a store, from `since` on: when it was made, or came to route there."""

    vault_id: str
    name: str
    storage_account: str
    """The store's name, which is unique."""
    categories: tuple[str, ...]
    groups: tuple[str, ...]
    since: datetime
    created: datetime
    updated: datetime
    created_by: str = ""
    updated_by: str = ""

    @property
    def routes(self) -> bool:
        """Whether anything is turned on."""
        return bool(self.categories or self.groups)


class StoreReader(Protocol):
    """What can be asked."""

    def storage_account(self, name: str) -> StorageAccount | None:
        """Find a store by its name, without regard to case."""

    def storage_accounts(self, subscription_id: str) -> tuple[StorageAccount, ...]:
        """List a subscription's stores by name."""

    def diagnostic_settings(self, vault_id: str) -> tuple[DiagnosticSetting, ...]:
        """List a vault's settings by name."""

    def settings_for_store(self, name: str) -> tuple[DiagnosticSetting, ...]:
        """List the settings that name a store, the oldest first."""


class StoreWriter(StoreReader, Protocol):
    """What can be changed, inside one transaction."""

    def put_storage_account(self, account: StorageAccount) -> None:
        """Add or replace a store."""

    def delete_storage_account(self, name: str) -> None:
        """Delete a store, which no setting names."""

    def put_diagnostic_setting(self, setting: DiagnosticSetting) -> None:
        """Add a vault's setting, or replace the one of the name."""

    def delete_diagnostic_setting(self, vault_id: str, name: str) -> bool:
        """Delete a vault's setting; tell whether it was there."""
