"""Users, groups, applications, and what applications show."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row as Found
from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from certworker.store.columns import GrantsText, JsonText, OrderedText, Serial, UnixTime, WordsText, WordText
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.identities.records import (
    Application,
    Credential,
    CredentialKind,
    FederatedCredential,
    Group,
    User,
    fold_user_name,
)


class ManifestText(JsonText):
    """What an application says of itself."""

    cache_ok = True
    shape = TypeAdapter(dict[str, Any])


class CredentialText(WordText):
    """What an application shows."""

    cache_ok = True
    words = CredentialKind


class UserRow(Row, table=True):
    """A user. `number` tells the oldest, here and below."""

    __tablename__ = "directory_user"
    __table_args__ = (UniqueConstraint("object_id"), UniqueConstraint("tenant_id", "folded"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    object_id: str
    tenant_id: str
    folded: str = Field(sa_type=OrderedText)
    user_name: str
    display_name: str
    created: datetime = Field(sa_type=UnixTime)
    password_hash: str | None
    enabled: bool
    administrator: bool
    must_change_password: bool
    mail: str | None
    mail_nickname: str
    given_name: str | None
    surname: str | None


class GroupRow(Row, table=True):
    """A group."""

    __tablename__ = "directory_group"
    __table_args__ = (UniqueConstraint("object_id"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    object_id: str
    tenant_id: str = Field(index=True)
    display_name: str
    created: datetime = Field(sa_type=UnixTime)
    description: str | None
    mail_nickname: str
    mail_enabled: bool
    security_enabled: bool


class ApplicationRow(Row, table=True):
    """An application."""

    __tablename__ = "application"
    __table_args__ = (UniqueConstraint("object_id"), UniqueConstraint("client_id"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    object_id: str
    client_id: str
    tenant_id: str = Field(index=True)
    display_name: str
    created: datetime = Field(sa_type=UnixTime)
    identifier_uris: tuple[str, ...] = Field(sa_type=WordsText)
    redirect_uris: Mapping[str, tuple[str, ...]] = Field(sa_type=GrantsText)
    public_client: bool
    manifest: Mapping[str, Any] = Field(sa_type=ManifestText)


class CredentialRow(Row, table=True):
    """A client secret, hashed, or a certificate."""

    __tablename__ = "application_credential"
    __table_args__ = (
        UniqueConstraint("client_id", "key_id"),
        belongs_to("application", "client_id"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    client_id: str
    key_id: str
    kind: CredentialKind = Field(sa_type=CredentialText)
    start: datetime = Field(sa_type=UnixTime)
    end: datetime | None = Field(sa_type=UnixTime)
    display_name: str | None
    secret_hash: str | None
    hint: str
    certificate: bytes | None
    thumbprint: str


class FederatedCredentialRow(Row, table=True):
    """A foreign token that an application may show."""

    __tablename__ = "federated_credential"
    __table_args__ = (
        UniqueConstraint("id"),
        UniqueConstraint("client_id", "name"),
        belongs_to("application", "client_id"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    id: str
    client_id: str
    name: str
    issuer: str
    subject: str
    audiences: tuple[str, ...] = Field(sa_type=WordsText)
    description: str | None


class OwnerRow(Row, table=True):
    """Somebody who owns a group or an application."""

    __tablename__ = "directory_owner"
    __table_args__ = (UniqueConstraint("object_id", "owner_id"), {"sqlite_autoincrement": True})

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    object_id: str
    owner_id: str = Field(index=True)


USER = table_of(UserRow)
GROUP = table_of(GroupRow)
APPLICATION = table_of(ApplicationRow)
CREDENTIAL = table_of(CredentialRow)
FEDERATED_CREDENTIAL = table_of(FederatedCredentialRow)
OWNER = table_of(OwnerRow)


def user_record(row: Found[Any]) -> User:
    """Make the record of a user."""
    return User(
        object_id=row.object_id,
        tenant_id=row.tenant_id,
        user_name=row.user_name,
        display_name=row.display_name,
        created=row.created,
        password_hash=row.password_hash,
        enabled=row.enabled,
        administrator=row.administrator,
        must_change_password=row.must_change_password,
        mail=row.mail,
        mail_nickname=row.mail_nickname,
        given_name=row.given_name,
        surname=row.surname,
    )


def user_values(user: User) -> Values:
    """Make the row of a user."""
    return {
        "object_id": user.object_id,
        "tenant_id": user.tenant_id,
        "folded": fold_user_name(user.user_name),
        "user_name": user.user_name,
        "display_name": user.display_name,
        "created": user.created,
        "password_hash": user.password_hash,
        "enabled": user.enabled,
        "administrator": user.administrator,
        "must_change_password": user.must_change_password,
        "mail": user.mail,
        "mail_nickname": user.mail_nickname,
        "given_name": user.given_name,
        "surname": user.surname,
    }


def group_record(row: Found[Any]) -> Group:
    """Make the record of a group."""
    return Group(
        object_id=row.object_id,
        tenant_id=row.tenant_id,
        display_name=row.display_name,
        created=row.created,
        description=row.description,
        mail_nickname=row.mail_nickname,
        mail_enabled=row.mail_enabled,
        security_enabled=row.security_enabled,
    )


def group_values(group: Group) -> Values:
    """Make the row of a group."""
    return {
        "object_id": group.object_id,
        "tenant_id": group.tenant_id,
        "display_name": group.display_name,
        "created": group.created,
        "description": group.description,
        "mail_nickname": group.mail_nickname,
        "mail_enabled": group.mail_enabled,
        "security_enabled": group.security_enabled,
    }


def application_record(row: Found[Any]) -> Application:
    """Make the record of an application."""
    return Application(
        object_id=row.object_id,
        client_id=row.client_id,
        tenant_id=row.tenant_id,
        display_name=row.display_name,
        created=row.created,
        identifier_uris=row.identifier_uris,
        redirect_uris=row.redirect_uris,
        public_client=row.public_client,
        manifest=row.manifest,
    )


def application_values(application: Application) -> Values:
    """Make the row of an application."""
    return {
        "object_id": application.object_id,
        "client_id": application.client_id,
        "tenant_id": application.tenant_id,
        "display_name": application.display_name,
        "created": application.created,
        "identifier_uris": application.identifier_uris,
        "redirect_uris": application.redirect_uris,
        "public_client": application.public_client,
        "manifest": dict(application.manifest),
    }


def credential_record(row: Found[Any]) -> Credential:
    """Make the record of a secret or a certificate."""
    return Credential(
        key_id=row.key_id,
        client_id=row.client_id,
        kind=row.kind,
        start=row.start,
        end=row.end,
        display_name=row.display_name,
        secret_hash=row.secret_hash,
        hint=row.hint,
        certificate=row.certificate,
        thumbprint=row.thumbprint,
    )


def credential_values(credential: Credential) -> Values:
    """Make the row of a secret or a certificate."""
    return {
        "key_id": credential.key_id,
        "client_id": credential.client_id,
        "kind": credential.kind,
        "start": credential.start,
        "end": credential.end,
        "display_name": credential.display_name,
        "secret_hash": credential.secret_hash,
        "hint": credential.hint,
        "certificate": credential.certificate,
        "thumbprint": credential.thumbprint,
    }


def federated_credential_record(row: Found[Any]) -> FederatedCredential:
    """Make the record of a foreign token that may be shown."""
    return FederatedCredential(row.id, row.client_id, row.name, row.issuer, row.subject, row.audiences, row.description)


def federated_credential_values(credential: FederatedCredential) -> Values:
    """Make the row of one."""
    return {
        "id": credential.id,
        "client_id": credential.client_id,
        "name": credential.name,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "audiences": credential.audiences,
        "description": credential.description,
    }
