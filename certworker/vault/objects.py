"""What keys, secrets and certificates have in common: names, versions, attributes, tags, deletion."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from certworker.errors import BadParameter, CertificateNotFound, KeyNotFound, NotFound, SecretNotFound

_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
MAX_TAGS = 15
MAX_TAG_LENGTH = 512

Tags = Mapping[str, str]


class ObjectKind(StrEnum):
    """The three kinds of objects in a vault."""

    KEY = "key"
    SECRET = "secret"  # noqa: S105  # a kind, not a password
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Attributes:
    """Key Vault's attributes of one version. All times are aware UTC in whole seconds."""

    created: datetime
    updated: datetime
    enabled: bool = True
    not_before: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Deletion:
    """When an object was deleted, and when it will be purged."""

    deleted_at: datetime
    purge_at: datetime


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """What all versions of an object share. `name` keeps the case in which it was made."""

    vault_id: str
    kind: ObjectKind
    name: str
    current_version: str | None
    created: datetime
    managed: bool = False
    deletion: Deletion | None = None


@dataclass(frozen=True, slots=True)
class KeyReleasePolicy:
    """Under which conditions a key may leave the vault. `data` is JSON, as it was sent; an immutable one stays as it is."""

    content_type: str
    data: str
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of a key. `kty` is Key Vault's word, with `-HSM` for a key that lies in a token.

    `public_key` is a DER SubjectPublicKeyInfo, empty for `oct`. `sealed_key` opens to a DER PKCS#8, to the octets of an `oct`
    key, or, where `hsm_key_id` names a key of the token, to that id. `notice_at` is when its next notice is due.
    """

    vault_id: str
    name: str
    version: str
    kty: str
    public_key: bytes
    sealed_key: bytes
    key_ops: tuple[str, ...]
    attributes: Attributes
    exportable: bool
    managed: bool = False
    tags: Tags = field(default_factory=dict)
    hsm_key_id: str | None = None
    release_policy: KeyReleasePolicy | None = None
    notice_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """One version of a secret. `sealed_value` opens to the UTF-8 bytes of its value. `notice_at` is as for keys.

    A managed secret belongs to the certificate and the key of its own name and version.
    """

    vault_id: str
    name: str
    version: str
    sealed_value: bytes
    content_type: str | None
    attributes: Attributes
    managed: bool = False
    tags: Tags = field(default_factory=dict)
    notice_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CertificateVersion:
    """One version of a certificate: the leaf and its chain, each as DER.

    The leaf's issuer comes first, or with `preserve_order` whatever came first.
    """

    vault_id: str
    name: str
    version: str
    der: bytes
    chain: tuple[bytes, ...]
    content_type: str
    attributes: Attributes
    tags: Tags = field(default_factory=dict)
    preserve_order: bool = False


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A version of a key or a secret, current and not deleted, whose notice is due since `notice_at`."""

    kind: ObjectKind
    vault_id: str
    name: str
    version: str
    attributes: Attributes
    notice_at: datetime


def check_name(name: str) -> str:
    """Give back `name` if an object may be called so.

    Raises BadParameter: Key Vault allows 1 to 127 of 0-9, a-z, A-Z and '-'.
    """
    if not _NAME.fullmatch(name):
        message = f"The request URI contains an invalid name: {name[:140]}. A name is 1 to 127 of 0-9, a-z, A-Z and '-'."
        raise BadParameter(message, "name")
    return name


def fold_name(name: str) -> str:
    """Fold a name for comparison and order: Key Vault ignores case and lists by upper-cased name."""
    return name.upper()


def new_version() -> str:
    """Make up a version: 32 hex digits from the operating system."""
    return secrets.token_hex(16)


def check_tags(tags: Tags) -> Tags:
    """Give back `tags` if they keep Key Vault's limits: 15 tags, names and values of 512 characters.

    Raises BadParameter.
    """
    if len(tags) > MAX_TAGS:
        raise BadParameter(f"tags has {len(tags)} entries; at most {MAX_TAGS} are allowed.", "tags")
    for name, value in tags.items():
        if not 0 < len(name) <= MAX_TAG_LENGTH or len(value) > MAX_TAG_LENGTH:
            raise BadParameter(
                f"tags: a tag's name has 1 to {MAX_TAG_LENGTH} characters, its value at most {MAX_TAG_LENGTH}: {name[:40]!r}.",
                "tags",
            )
    return tags


def not_found(kind: ObjectKind, name: str, version: str | None = None) -> NotFound:
    """Make the error that says that there is no such object, in Key Vault's words."""
    error = {ObjectKind.KEY: KeyNotFound, ObjectKind.SECRET: SecretNotFound, ObjectKind.CERTIFICATE: CertificateNotFound}[kind]
    identifier = f"{name}/versions/{version}" if version else name
    return error(
        f"A {kind} with (name/id) {identifier} was not found in this key vault. If you recently deleted this {kind} you may be "
        "able to recover it using the correct recovery command."
    )
