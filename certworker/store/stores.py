"""Stores of audit records, and what is routed to them: what is asked and what is changed."""

from sqlalchemy import bindparam, select

from certworker.store.tables.stores import (
    DIAGNOSTIC_SETTING,
    STORAGE_ACCOUNT,
    diagnostic_setting_record,
    diagnostic_setting_values,
    storage_account_record,
    storage_account_values,
)
from certworker.store.transaction import Transaction
from certworker.vault.management.stores import DiagnosticSetting, StorageAccount
from certworker.vault.objects import fold_name

_ACCOUNT = select(STORAGE_ACCOUNT).where(STORAGE_ACCOUNT.c.folded == bindparam("folded"))
_ACCOUNTS = (
    select(STORAGE_ACCOUNT)
    .where(STORAGE_ACCOUNT.c.subscription_id == bindparam("subscription_id"))
    .order_by(STORAGE_ACCOUNT.c.folded)
)
_SETTINGS = (
    select(DIAGNOSTIC_SETTING)
    .where(DIAGNOSTIC_SETTING.c.vault_id == bindparam("vault_id"))
    .order_by(DIAGNOSTIC_SETTING.c.folded)
)
_FOR_STORE = (
    select(DIAGNOSTIC_SETTING)
    .where(DIAGNOSTIC_SETTING.c.storage_account == bindparam("storage_account"))
    .order_by(DIAGNOSTIC_SETTING.c.created, DIAGNOSTIC_SETTING.c.vault_id, DIAGNOSTIC_SETTING.c.folded)
)


class StoreReader(Transaction):
    """What can be asked of stores."""

    def storage_account(self, name: str) -> StorageAccount | None:
        """Find a store by its name, without regard to case."""
        row = self._one(_ACCOUNT, folded=fold_name(name))
        return storage_account_record(row) if row else None

    def storage_accounts(self, subscription_id: str) -> tuple[StorageAccount, ...]:
        """List a subscription's stores by name."""
        return tuple(map(storage_account_record, self._all(_ACCOUNTS, subscription_id=subscription_id)))

    def diagnostic_settings(self, vault_id: str) -> tuple[DiagnosticSetting, ...]:
        """List a vault's settings by name."""
        return tuple(map(diagnostic_setting_record, self._all(_SETTINGS, vault_id=vault_id)))

    def settings_for_store(self, name: str) -> tuple[DiagnosticSetting, ...]:
        """List the settings that name a store, the oldest first."""
        return tuple(map(diagnostic_setting_record, self._all(_FOR_STORE, storage_account=fold_name(name))))


class StoreWriter(StoreReader):
    """What can be changed in stores."""

    def put_storage_account(self, account: StorageAccount) -> None:
        """Add or replace a store."""
        self._put(STORAGE_ACCOUNT, storage_account_values(account), key=("folded",))

    def delete_storage_account(self, name: str) -> None:
        """Delete a store, which no setting names."""
        self._delete(STORAGE_ACCOUNT, {"folded": fold_name(name)})

    def put_diagnostic_setting(self, setting: DiagnosticSetting) -> None:
        """Add a vault's setting, or replace the one of the name."""
        self._put(DIAGNOSTIC_SETTING, diagnostic_setting_values(setting), key=("vault_id", "folded"))

    def delete_diagnostic_setting(self, vault_id: str, name: str) -> bool:
        """Delete a vault's setting; tell whether it was there."""
        return self._delete(DIAGNOSTIC_SETTING, {"vault_id": vault_id, "folded": fold_name(name)}) > 0
