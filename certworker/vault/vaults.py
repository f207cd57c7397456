"""Vaults and the people of this slice: who there is, and where things live."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from certworker.errors import BadParameter

SYSTEM_VAULT = "certworker-system"
"""The vault in which the service keeps what is its own: its TLS certificate, the keys that sign tokens."""

_VAULT_NAME = re.compile(r"(?=.{3,24}$)[a-zA-Z](?:-?[a-zA-Z0-9])*")
DEFAULT_RETENTION_DAYS = 90
LEAST_RETENTION_DAYS = 7
MOST_RETENTION_DAYS = 90


class Sku(StrEnum):
    """What a vault can hold: keys in a hardware token are for premium ones."""

    STANDARD = "standard"
    PREMIUM = "premium"


@dataclass(frozen=True, slots=True)
class NetworkRules:
    """From where a vault may be called. Without `allow_by_default` only from what a rule names.

    `addresses` are IP addresses and CIDR ranges, `subnets` resource ids of subnets, which the settings give ranges to.
    """

    allow_by_default: bool = True
    bypass_trusted: bool = True
    """Trusted services are let in from anywhere, if they may do what they ask for."""
    addresses: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """What else may fetch secrets while it deploys: virtual machines, disk encryption, templates."""

    machines: bool = False
    disk_encryption: bool = False
    templates: bool = False


@dataclass(frozen=True, slots=True)
class Vault:
    """A vault. `retention_days` is how long a deleted object, or the vault itself, can be recovered.

    With `purge_protection` nothing is gone before that time, whoever asks. With `rbac` it goes by role assignments, else by its
    access policies. `purge_at` is there once it was deleted: until then it can be recovered, and nobody can call it.
    """

    id: str
    name: str
    tenant_id: str
    subscription_id: str
    resource_group: str
    location: str
    created: datetime
    retention_days: int = DEFAULT_RETENTION_DAYS
    sku: Sku = Sku.STANDARD
    purge_protection: bool = False
    rbac: bool = True
    public_access: bool = True
    network: NetworkRules = NetworkRules()
    deployment: Deployment = Deployment()
    tags: Mapping[str, str] = field(default_factory=dict)
    created_by: str = ""
    updated: datetime | None = None
    updated_by: str = ""
    deleted: datetime | None = None
    purge_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """What resource groups and vaults are in."""

    id: str
    tenant_id: str
    display_name: str
    created: datetime


@dataclass(frozen=True, slots=True)
class ResourceGroup:
    """A group of vaults, to assign roles for them together. Names are compared without regard to case."""

    subscription_id: str
    name: str
    location: str
    created: datetime
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Principal:
    """A service principal: an application, or a managed identity, as it acts in a tenant.

    `secret_hash` is a salted hash of the client secret that it was founded with; others are credentials of its application. A
    managed identity has the `resource_id` of what it belongs to, and no credential. The `administrator` administers the
    directory: users, groups and applications. It is no role at any scope.
    """

    object_id: str
    client_id: str
    tenant_id: str
    display_name: str
    secret_hash: str
    administrator: bool
    created: datetime
    enabled: bool = True
    resource_id: str = ""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs tokens: its DER public half, and the sealed private half. The newest one signs.

    What an older one has signed is believed until it `retires`.
    """

    id: str
    tenant_id: str
    public_key: bytes
    sealed_key: bytes
    created: datetime
    retires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """Key Vault's issuer record. The credential is sealed and never given back."""

    vault_id: str
    name: str
    provider: str
    account_id: str
    sealed_credential: bytes | None
    organization: str | None
    enabled: bool
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody whom a vault tells of its certificates."""

    email: str
    name: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class SealedAccount:
    """An account at a CA, as it lies in the store."""

    sealed_key: bytes
    url: str | None = None
    document: bytes | None = None


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A vault key wrapped by the master key that `master_key_id` names."""

    vault_id: str
    term: int
    wrapped: bytes
    master_key_id: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last run of a job, in any process. `seconds` is how long it took."""

    job: str
    at: datetime
    seconds: float
    failed: bool


def check_vault_name(name: str) -> str:
    """Give back `name` if a vault may be called so: 3 to 24 letters, digits and single hyphens, a letter first.

    Raises BadParameter.
    """
    if not _VAULT_NAME.fullmatch(name):
        message = (
            f"The vault name '{name[:40]}' is invalid. A vault's name has 3 to 24 letters, digits and hyphens, begins with a "
            "letter, ends with a letter or digit, and has no two hyphens in a row."
        )
        raise BadParameter(message, "name")
    return name


def check_retention(days: int) -> int:
    """Give back `days` if a vault may keep what was deleted for so long. Raises BadParameter."""
    if not LEAST_RETENTION_DAYS <= days <= MOST_RETENTION_DAYS:
        message = f"softDeleteRetentionInDays is {LEAST_RETENTION_DAYS} to {MOST_RETENTION_DAYS}, and not {days}."
        raise BadParameter(message, "softDeleteRetentionInDays")
    return days
