"""Heads, and the versions of keys, secrets and certificates.

A version's name is its head's, so that all versions are called as the object was called first. `kind` is the same in all
rows of a table of versions; it is there for the foreign key to the head.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, false, text
from sqlalchemy import Row as Found
from sqlmodel import Field

from certworker.store.columns import ChainBytes, KindText, MappingText, OrderedText, ReleaseText, UnixTime, WordsText
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.objects import (
    Attributes,
    CertificateVersion,
    Deletion,
    DueNotice,
    KeyReleasePolicy,
    KeyVersion,
    ObjectHead,
    ObjectKind,
    SecretVersion,
    Tags,
    fold_name,
)

_DELETED = text("deleted_at IS NOT NULL")
_NOTICED = text("notice_at IS NOT NULL")
IN_TOKEN = text("hsm_key_id IS NOT NULL")


class HeadRow(Row, table=True):
    """What all versions of an object share."""

    __tablename__ = "head"
    __table_args__ = (
        belongs_to("vault", "vault_id", to=("id",)),
        Index("ix_head_purge_at", "purge_at", sqlite_where=_DELETED, postgresql_where=_DELETED),
    )

    vault_id: str = Field(primary_key=True)
    kind: ObjectKind = Field(primary_key=True, sa_type=KindText)
    folded: str = Field(primary_key=True, sa_type=OrderedText)
    name: str
    current_version: str | None
    created: datetime = Field(sa_type=UnixTime)
    managed: bool
    deleted_at: datetime | None = Field(sa_type=UnixTime)
    purge_at: datetime | None = Field(sa_type=UnixTime)


class VersionRow(Row):
    """What the three tables of versions have in common."""

    vault_id: str = Field(primary_key=True)
    folded: str = Field(primary_key=True, sa_type=OrderedText)
    version: str = Field(primary_key=True, sa_type=OrderedText)
    kind: ObjectKind = Field(sa_type=KindText)
    created: datetime = Field(sa_type=UnixTime)
    updated: datetime = Field(sa_type=UnixTime)
    enabled: bool
    not_before: datetime | None = Field(sa_type=UnixTime)
    expires: datetime | None = Field(sa_type=UnixTime)
    tags: Tags = Field(sa_type=MappingText)


class KeyVersionRow(VersionRow, table=True):
    """One version of a key."""

    __tablename__ = "key_version"
    __table_args__ = (
        belongs_to("head", "vault_id", "kind", "folded"),
        Index("ix_key_version_notice_at", "notice_at", sqlite_where=_NOTICED, postgresql_where=_NOTICED),
        Index("ix_key_version_hsm_key_id", "hsm_key_id", sqlite_where=IN_TOKEN, postgresql_where=IN_TOKEN),
    )

    kty: str
    public_key: bytes
    sealed_key: bytes
    key_ops: tuple[str, ...] = Field(sa_type=WordsText)
    exportable: bool
    managed: bool
    hsm_key_id: str | None
    release_policy: KeyReleasePolicy | None = Field(sa_type=ReleaseText)
    notice_at: datetime | None = Field(sa_type=UnixTime)


class SecretVersionRow(VersionRow, table=True):
    """One version of a secret."""

    __tablename__ = "secret_version"
    __table_args__ = (
        belongs_to("head", "vault_id", "kind", "folded"),
        Index("ix_secret_version_notice_at", "notice_at", sqlite_where=_NOTICED, postgresql_where=_NOTICED),
    )

    sealed_value: bytes
    content_type: str | None
    managed: bool
    notice_at: datetime | None = Field(sa_type=UnixTime)


class CertificateVersionRow(VersionRow, table=True):
    """One version of a certificate."""

    __tablename__ = "certificate_version"
    __table_args__ = (belongs_to("head", "vault_id", "kind", "folded"),)

    der: bytes
    chain: tuple[bytes, ...] = Field(sa_type=ChainBytes)
    content_type: str
    preserve_order: bool = Field(sa_column_kwargs={"server_default": false()})


HEAD = table_of(HeadRow)
KEY_VERSION = table_of(KeyVersionRow)
SECRET_VERSION = table_of(SecretVersionRow)
CERTIFICATE_VERSION = table_of(CertificateVersionRow)


def head_record(row: Found[Any]) -> ObjectHead:
    """Make the record of a head."""
    return ObjectHead(
        vault_id=row.vault_id,
        kind=row.kind,
        name=row.name,
        current_version=row.current_version,
        created=row.created,
        managed=row.managed,
        deletion=None if row.deleted_at is None else Deletion(row.deleted_at, row.purge_at),
    )


def head_values(head: ObjectHead) -> Values:
    """Make the row of a head."""
    return {
        "vault_id": head.vault_id,
        "kind": head.kind,
        "folded": fold_name(head.name),
        "name": head.name,
        "current_version": head.current_version,
        "created": head.created,
        "managed": head.managed,
        **deletion_values(head.deletion),
    }


def deletion_values(deletion: Deletion | None) -> Values:
    """Make the two columns of a deletion."""
    if deletion is None:
        return {"deleted_at": None, "purge_at": None}
    return {"deleted_at": deletion.deleted_at, "purge_at": deletion.purge_at}


def attributes_values(attributes: Attributes, tags: Tags) -> Values:
    """Make the columns of a version that its owner may change."""
    return {
        "created": attributes.created,
        "updated": attributes.updated,
        "enabled": attributes.enabled,
        "not_before": attributes.not_before,
        "expires": attributes.expires,
        "tags": tags,
    }


def key_record(row: Found[Any]) -> KeyVersion:
    """Make the record of a key's version."""
    return KeyVersion(
        vault_id=row.vault_id,
        name=row.name,
        version=row.version,
        kty=row.kty,
        public_key=row.public_key,
        sealed_key=row.sealed_key,
        key_ops=row.key_ops,
        attributes=_attributes(row),
        exportable=row.exportable,
        managed=row.managed,
        tags=row.tags,
        hsm_key_id=row.hsm_key_id,
        release_policy=row.release_policy,
        notice_at=row.notice_at,
    )


def key_values(key: KeyVersion) -> Values:
    """Make the row of a key's version."""
    return {
        **_version_values(ObjectKind.KEY, key),
        "kty": key.kty,
        "public_key": key.public_key,
        "sealed_key": key.sealed_key,
        "key_ops": key.key_ops,
        "exportable": key.exportable,
        "managed": key.managed,
        "hsm_key_id": key.hsm_key_id,
        "release_policy": key.release_policy,
        "notice_at": key.notice_at,
    }


def secret_record(row: Found[Any]) -> SecretVersion:
    """Make the record of a secret's version."""
    return SecretVersion(
        vault_id=row.vault_id,
        name=row.name,
        version=row.version,
        sealed_value=row.sealed_value,
        content_type=row.content_type,
        attributes=_attributes(row),
        managed=row.managed,
        tags=row.tags,
        notice_at=row.notice_at,
    )


def secret_values(secret: SecretVersion) -> Values:
    """Make the row of a secret's version."""
    return {
        **_version_values(ObjectKind.SECRET, secret),
        "sealed_value": secret.sealed_value,
        "content_type": secret.content_type,
        "managed": secret.managed,
        "notice_at": secret.notice_at,
    }


def due_notice_record(row: Found[Any]) -> DueNotice:
    """Make the record of a notice that is due."""
    return DueNotice(row.kind, row.vault_id, row.name, row.version, _attributes(row), row.notice_at)


def certificate_version_record(row: Found[Any]) -> CertificateVersion:
    """Make the record of a certificate's version."""
    return CertificateVersion(
        vault_id=row.vault_id,
        name=row.name,
        version=row.version,
        der=row.der,
        chain=row.chain,
        content_type=row.content_type,
        attributes=_attributes(row),
        tags=row.tags,
        preserve_order=row.preserve_order,
    )


def certificate_version_values(certificate: CertificateVersion) -> Values:
    """Make the row of a certificate's version."""
    return {
        **_version_values(ObjectKind.CERTIFICATE, certificate),
        "der": certificate.der,
        "chain": certificate.chain,
        "content_type": certificate.content_type,
        "preserve_order": certificate.preserve_order,
    }


def _attributes(row: Found[Any]) -> Attributes:
    return Attributes(row.created, row.updated, row.enabled, row.not_before, row.expires)


def _version_values(kind: ObjectKind, record: KeyVersion | SecretVersion | CertificateVersion) -> Values:
    return {
        "vault_id": record.vault_id,
        "folded": fold_name(record.name),
        "version": record.version,
        "kind": kind,
        **attributes_values(record.attributes, record.tags),
    }
