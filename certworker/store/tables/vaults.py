"""Vaults, their wrapped keys, and who there is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, UniqueConstraint, false, text, true
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import DeploymentText, MappingText, NetworkText, OrderedText, Serial, SkuText, UnixTime
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.objects import fold_name
from certworker.vault.vaults import Deployment, NetworkRules, Principal, SigningKey, Sku, Vault, WrappedKey


class VaultRow(Row, table=True):
    """A vault, found by its folded name."""

    __tablename__ = "vault"
    __table_args__ = (UniqueConstraint("folded"),)

    id: str = Field(primary_key=True)
    folded: str = Field(sa_type=OrderedText)
    name: str
    tenant_id: str
    subscription_id: str
    resource_group: str
    location: str
    created: datetime = Field(sa_type=UnixTime)
    retention_days: int
    sku: Sku = Field(sa_type=SkuText, sa_column_kwargs={"server_default": "standard"})
    purge_protection: bool = Field(sa_column_kwargs={"server_default": false()})
    rbac: bool = Field(sa_column_kwargs={"server_default": true()})
    public_access: bool = Field(sa_column_kwargs={"server_default": true()})
    network: NetworkRules = Field(sa_type=NetworkText, sa_column_kwargs={"server_default": "{}"})
    deployment: Deployment = Field(sa_type=DeploymentText, sa_column_kwargs={"server_default": "{}"})
    tags: Mapping[str, str] = Field(sa_type=MappingText, sa_column_kwargs={"server_default": "{}"})
    created_by: str = Field(sa_column_kwargs={"server_default": text("''")})
    updated: datetime | None = Field(sa_type=UnixTime)
    updated_by: str = Field(sa_column_kwargs={"server_default": text("''")})
    deleted: datetime | None = Field(sa_type=UnixTime)
    purge_at: datetime | None = Field(sa_type=UnixTime)


class VaultKeyRow(Row, table=True):
    """A vault key, wrapped by a master key."""

    __tablename__ = "vault_key"
    __table_args__ = (belongs_to("vault", "vault_id", to=("id",)),)

    vault_id: str = Field(primary_key=True)
    term: int = Field(primary_key=True)
    wrapped: bytes
    master_key_id: str
    created: datetime = Field(sa_type=UnixTime)


class PrincipalRow(Row, table=True):
    """A service principal. `number` tells the oldest where two were made in one second."""

    __tablename__ = "principal"
    __table_args__ = (UniqueConstraint("object_id"), UniqueConstraint("client_id"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    object_id: str
    client_id: str
    tenant_id: str
    display_name: str
    secret_hash: str
    administrator: bool
    created: datetime = Field(sa_type=UnixTime)
    enabled: bool = Field(sa_column_kwargs={"server_default": true()})
    resource_id: str = Field(sa_column_kwargs={"server_default": text("''")})


class SigningKeyRow(Row, table=True):
    """A key that signs tokens. `number` tells the newest likewise."""

    __tablename__ = "signing_key"
    __table_args__ = (UniqueConstraint("id"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    id: str
    tenant_id: str = Field(index=True)
    public_key: bytes
    sealed_key: bytes
    created: datetime = Field(sa_type=UnixTime)
    retires: datetime | None = Field(sa_type=UnixTime)


class RegistryRow(Row, table=True):
    """One row, whose count moves on with every change of the tables above; what was read of them is remembered meanwhile.

    Triggers count, so that nobody can forget to.
    """

    __tablename__ = "registry"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    generation: int = Field(sa_type=BigInteger)


VAULT = table_of(VaultRow)
VAULT_KEY = table_of(VaultKeyRow)
PRINCIPAL = table_of(PrincipalRow)
SIGNING_KEY = table_of(SigningKeyRow)
REGISTRY = table_of(RegistryRow)


def vault_record(row: Found[Any]) -> Vault:
    """Make the record of a vault."""
    return Vault(
        id=row.id,
        name=row.name,
        tenant_id=row.tenant_id,
        subscription_id=row.subscription_id,
        resource_group=row.resource_group,
        location=row.location,
        created=row.created,
        retention_days=row.retention_days,
        sku=row.sku,
        purge_protection=row.purge_protection,
        rbac=row.rbac,
        public_access=row.public_access,
        network=row.network,
        deployment=row.deployment,
        tags=row.tags,
        created_by=row.created_by,
        updated=row.updated,
        updated_by=row.updated_by,
        deleted=row.deleted,
        purge_at=row.purge_at,
    )


def vault_values(vault: Vault) -> Values:
    """Make the row of a vault."""
    return {
        "id": vault.id,
        "folded": fold_name(vault.name),
        "name": vault.name,
        "tenant_id": vault.tenant_id,
        "subscription_id": vault.subscription_id,
        "resource_group": vault.resource_group,
        "location": vault.location,
        "created": vault.created,
        "retention_days": vault.retention_days,
        "sku": vault.sku,
        "purge_protection": vault.purge_protection,
        "rbac": vault.rbac,
        "public_access": vault.public_access,
        "network": vault.network,
        "deployment": vault.deployment,
        "tags": vault.tags,
        "created_by": vault.created_by,
        "updated": vault.updated,
        "updated_by": vault.updated_by,
        "deleted": vault.deleted,
        "purge_at": vault.purge_at,
    }


def wrapped_key_record(row: Found[Any]) -> WrappedKey:
    """Make the record of a wrapped key."""
    return WrappedKey(
        vault_id=row.vault_id, term=row.term, wrapped=row.wrapped, master_key_id=row.master_key_id, created=row.created
    )


def wrapped_key_values(key: WrappedKey) -> Values:
    """Make the row of a wrapped key."""
    return {
        "vault_id": key.vault_id,
        "term": key.term,
        "wrapped": key.wrapped,
        "master_key_id": key.master_key_id,
        "created": key.created,
    }


def principal_record(row: Found[Any]) -> Principal:
    """Make the record of a principal."""
    return Principal(
        object_id=row.object_id,
        client_id=row.client_id,
        tenant_id=row.tenant_id,
        display_name=row.display_name,
        secret_hash=row.secret_hash,
        administrator=row.administrator,
        created=row.created,
        enabled=row.enabled,
        resource_id=row.resource_id,
    )


def principal_values(principal: Principal) -> Values:
    """Make the row of a principal."""
    return {
        "object_id": principal.object_id,
        "client_id": principal.client_id,
        "tenant_id": principal.tenant_id,
        "display_name": principal.display_name,
        "secret_hash": principal.secret_hash,
        "administrator": principal.administrator,
        "created": principal.created,
        "enabled": principal.enabled,
        "resource_id": principal.resource_id,
    }


def signing_key_record(row: Found[Any]) -> SigningKey:
    """Make the record of a signing key."""
    return SigningKey(
        id=row.id,
        tenant_id=row.tenant_id,
        public_key=row.public_key,
        sealed_key=row.sealed_key,
        created=row.created,
        retires=row.retires,
    )


def signing_key_values(key: SigningKey) -> Values:
    """Make the row of a signing key."""
    return {
        "id": key.id,
        "tenant_id": key.tenant_id,
        "public_key": key.public_key,
        "sealed_key": key.sealed_key,
        "created": key.created,
        "retires": key.retires,
    }
