"""Issuer records, contacts, accounts at CAs, and the responses to their challenges."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import OrderedText, UnixTime
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.objects import fold_name
from certworker.vault.vaults import Issuer, SealedAccount


class IssuerRow(Row, table=True):
    """An issuer record."""

    __tablename__ = "issuer"
    __table_args__ = (belongs_to("vault", "vault_id", to=("id",)),)

    vault_id: str = Field(primary_key=True)
    folded: str = Field(primary_key=True, sa_type=OrderedText)
    name: str
    provider: str
    account_id: str
    sealed_credential: bytes | None
    organization: str | None
    enabled: bool
    created: datetime = Field(sa_type=UnixTime)
    updated: datetime = Field(sa_type=UnixTime)


class ContactRow(Row, table=True):
    """Somebody whom a vault tells of its certificates; they are counted from 1."""

    __tablename__ = "contact"
    __table_args__ = (belongs_to("vault", "vault_id", to=("id",)),)

    vault_id: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    email: str
    name: str | None
    phone: str | None


class AccountRow(Row, table=True):
    """An account at a CA. It belongs to the vault: a CA without an issuer record (the local one) has an account too."""

    __tablename__ = "account"
    __table_args__ = (belongs_to("vault", "vault_id", to=("id",)),)

    vault_id: str = Field(primary_key=True)
    folded: str = Field(primary_key=True, sa_type=OrderedText)
    authority: str = Field(primary_key=True)
    sealed_key: bytes
    url: str | None
    document: bytes | None


class ChallengeRow(Row, table=True):
    """A challenge's response, for any responder."""

    __tablename__ = "challenge"

    token: str = Field(primary_key=True)
    response: str
    expires: datetime = Field(sa_type=UnixTime, index=True)


ISSUER = table_of(IssuerRow)
CONTACT = table_of(ContactRow)
ACCOUNT = table_of(AccountRow)
CHALLENGE = table_of(ChallengeRow)


def issuer_record(row: Found[Any]) -> Issuer:
    """Make the record of an issuer."""
    return Issuer(
        vault_id=row.vault_id,
        name=row.name,
        provider=row.provider,
        account_id=row.account_id,
        sealed_credential=row.sealed_credential,
        organization=row.organization,
        enabled=row.enabled,
        created=row.created,
        updated=row.updated,
    )


def issuer_values(issuer: Issuer) -> Values:
    """Make the row of an issuer."""
    return {
        "vault_id": issuer.vault_id,
        "folded": fold_name(issuer.name),
        "name": issuer.name,
        "provider": issuer.provider,
        "account_id": issuer.account_id,
        "sealed_credential": issuer.sealed_credential,
        "organization": issuer.organization,
        "enabled": issuer.enabled,
        "created": issuer.created,
        "updated": issuer.updated,
    }


def account_record(row: Found[Any]) -> SealedAccount:
    """Make the record of an account."""
    return SealedAccount(sealed_key=row.sealed_key, url=row.url, document=row.document)


def account_values(account: SealedAccount) -> Values:
    """Make the part of an account's row that may change."""
    return {"sealed_key": account.sealed_key, "url": account.url, "document": account.document}
