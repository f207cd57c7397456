"""Stores of audit records, and what is routed to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import MappingText, OrderedText, UnixTime, WordsText
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.management.stores import DiagnosticSetting, StorageAccount
from certworker.vault.objects import fold_name


class StorageAccountRow(Row, table=True):
    """A store, found by its folded name. It goes with its resource group."""

    __tablename__ = "storage_account"
    __table_args__ = (belongs_to("resource_group", "subscription_id", "folded_group", to=("subscription_id", "folded")),)

    folded: str = Field(primary_key=True, sa_type=OrderedText)
    name: str
    tenant_id: str
    subscription_id: str
    resource_group: str
    folded_group: str = Field(sa_type=OrderedText)
    location: str
    sku: str
    tags: Mapping[str, str] = Field(sa_type=MappingText)
    created: datetime = Field(sa_type=UnixTime)
    created_by: str


class DiagnosticSettingRow(Row, table=True):
    """A setting of a vault. It goes with the vault, and with the store."""

    __tablename__ = "diagnostic_setting"
    __table_args__: tuple[ForeignKeyConstraint, ...] = (
        belongs_to("vault", "vault_id", to=("id",)),
        belongs_to("storage_account", "storage_account", to=("folded",)),
    )

    vault_id: str = Field(primary_key=True)
    folded: str = Field(primary_key=True, sa_type=OrderedText)
    name: str
    storage_account: str = Field(sa_type=OrderedText, index=True)
    categories: tuple[str, ...] = Field(sa_type=WordsText)
    groups: tuple[str, ...] = Field(sa_type=WordsText)
    since: datetime = Field(sa_type=UnixTime)
    created: datetime = Field(sa_type=UnixTime)
    updated: datetime = Field(sa_type=UnixTime)
    created_by: str
    updated_by: str


STORAGE_ACCOUNT = table_of(StorageAccountRow)
DIAGNOSTIC_SETTING = table_of(DiagnosticSettingRow)


def storage_account_record(row: Found[Any]) -> StorageAccount:
    """Make the record of a store."""
    return StorageAccount(
        name=row.name,
        tenant_id=row.tenant_id,
        subscription_id=row.subscription_id,
        resource_group=row.resource_group,
        location=row.location,
        sku=row.sku,
        created=row.created,
        created_by=row.created_by,
        tags=row.tags,
    )


def storage_account_values(account: StorageAccount) -> Values:
    """Make the row of a store."""
    return {
        "folded": fold_name(account.name),
        "name": account.name,
        "tenant_id": account.tenant_id,
        "subscription_id": account.subscription_id,
        "resource_group": account.resource_group,
        "folded_group": fold_name(account.resource_group),
        "location": account.location,
        "sku": account.sku,
        "tags": account.tags,
        "created": account.created,
        "created_by": account.created_by,
    }


def diagnostic_setting_record(row: Found[Any]) -> DiagnosticSetting:
    """Make the record of a setting."""
    return DiagnosticSetting(
        vault_id=row.vault_id,
        name=row.name,
        storage_account=row.storage_account.lower(),
        categories=row.categories,
        groups=row.groups,
        since=row.since,
        created=row.created,
        updated=row.updated,
        created_by=row.created_by,
        updated_by=row.updated_by,
    )


def diagnostic_setting_values(setting: DiagnosticSetting) -> Values:
    """Make the row of a setting."""
    return {
        "vault_id": setting.vault_id,
        "folded": fold_name(setting.name),
        "name": setting.name,
        "storage_account": fold_name(setting.storage_account),
        "categories": setting.categories,
        "groups": setting.groups,
        "since": setting.since,
        "created": setting.created,
        "updated": setting.updated,
        "created_by": setting.created_by,
        "updated_by": setting.updated_by,
    }
