"""What a backup of a certificate, a key or a secret holds, opened: records without the vault that they lay in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from pydantic import Base64Bytes, TypeAdapter, ValidationError

from certworker.errors import BadParameter
from certworker.vault.backup_format import MAX_VERSIONS, unreadable
from certworker.vault.objects import Attributes, KeyReleasePolicy, Tags
from certworker.vault.operations import Renewal
from certworker.vault.policy import Policy
from certworker.vault.rotation_policy import RotationPolicy
from certworker.vault.store import Page

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class SavedVersion:
    """One version of a certificate: what certificate, key and secret have in common, and what each has of its own."""

    version: str
    enabled: bool
    created: datetime
    updated: datetime
    not_before: datetime | None
    expires: datetime | None
    tags: Tags
    content_type: str
    preserve_order: bool
    leaf: Base64Bytes
    chain: tuple[Base64Bytes, ...]
    kty: str
    key_ops: tuple[str, ...]
    exportable: bool
    public_key: Base64Bytes
    private_key: Base64Bytes
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class SavedCertificate:
    """A certificate with all its versions."""

    name: str
    created: datetime
    current_version: str
    policy: Policy
    policy_created: datetime
    policy_updated: datetime
    renewal: Renewal
    versions: tuple[SavedVersion, ...]


@dataclass(frozen=True, slots=True, repr=False)
class SavedKeyVersion:
    """One version of a key. `private_key` is a DER PKCS#8, or the octets of an `oct` key."""

    version: str
    attributes: Attributes
    tags: Tags
    kty: str
    key_ops: tuple[str, ...]
    exportable: bool
    private_key: Base64Bytes
    release_policy: KeyReleasePolicy | None


@dataclass(frozen=True, slots=True, repr=False)
class SavedRotation:
    """A key's rotation policy, and what was planned by it."""

    policy: RotationPolicy
    created: datetime
    updated: datetime
    due_at: datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class SavedKey:
    """A key with all its versions."""

    name: str
    created: datetime
    current_version: str
    rotation: SavedRotation | None
    versions: tuple[SavedKeyVersion, ...]


@dataclass(frozen=True, slots=True, repr=False)
class SavedSecretVersion:
    """One version of a secret."""

    version: str
    attributes: Attributes
    tags: Tags
    content_type: str | None
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class SavedSecret:
    """A secret with all its versions."""

    name: str
    created: datetime
    current_version: str
    versions: tuple[SavedSecretVersion, ...]


CERTIFICATE: Final = TypeAdapter(SavedCertificate)
KEY: Final = TypeAdapter(SavedKey)
SECRET: Final = TypeAdapter(SavedSecret)


def read_saved(form: TypeAdapter[T], packed: bytes) -> T:
    """Read what a backup holds. Raises BadParameter where this release cannot."""
    try:
        return form.validate_json(packed)
    except ValidationError:
        raise unreadable() from None


def all_versions(page: Page[T], what: str) -> tuple[T, ...]:
    """Give all versions of an object, of which `page` has as many as a backup holds. Raises BadParameter for more."""
    if page.next:
        raise BadParameter(f"The {what} has more than {MAX_VERSIONS} versions: it cannot be backed up.")
    return page.items
