"""Vaults, their wrapped keys, and who there is."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, UniqueConstraint, false
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import OrderedText, Serial, SkuText, UnixTime
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.objects import fold_name
from certworker.vault.vaults import Principal, SigningKey, Sku, Vault, WrappedKey


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
    """An application. `number` tells the oldest where two were made in one second."""

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
    }


def signing_key_record(row: Found[Any]) -> SigningKey:
    """Make the record of a signing key."""
    return SigningKey(
        id=row.id, tenant_id=row.tenant_id, public_key=row.public_key, sealed_key=row.sealed_key, created=row.created
    )


def signing_key_values(key: SigningKey) -> Values:
    """Make the row of a signing key."""
    return {
        "id": key.id,
        "tenant_id": key.tenant_id,
        "public_key": key.public_key,
        "sealed_key": key.sealed_key,
        "created": key.created,
    }
