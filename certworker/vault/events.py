"""Events: rows, written in the transaction that they tell of. Ids, names and times only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from certworker.vault.objects import ObjectKind


class EventType(StrEnum):
    """What happened. Those that Event Grid names carry its names; the rest begin with `Certworker.`."""

    CERTIFICATE_NEW_VERSION = "Microsoft.KeyVault.CertificateNewVersionCreated"
    KEY_NEW_VERSION = "Microsoft.KeyVault.KeyNewVersionCreated"
    SECRET_NEW_VERSION = "Microsoft.KeyVault.SecretNewVersionCreated"  # noqa: S105  # a kind, not a password
    CERTIFICATE_NEAR_EXPIRY = "Microsoft.KeyVault.CertificateNearExpiry"
    CERTIFICATE_EXPIRED = "Microsoft.KeyVault.CertificateExpired"
    KEY_NEAR_EXPIRY = "Microsoft.KeyVault.KeyNearExpiry"
    KEY_EXPIRED = "Microsoft.KeyVault.KeyExpired"
    SECRET_NEAR_EXPIRY = "Microsoft.KeyVault.SecretNearExpiry"  # noqa: S105  # a kind, not a password
    SECRET_EXPIRED = "Microsoft.KeyVault.SecretExpired"  # noqa: S105  # a kind, not a password
    OPERATION_CREATED = "Certworker.OperationCreated"
    OPERATION_STEP = "Certworker.OperationStep"
    OPERATION_RETRY = "Certworker.OperationRetry"
    OPERATION_FAILED = "Certworker.OperationFailed"
    OPERATION_CANCELLED = "Certworker.OperationCancelled"
    RENEWAL_PLANNED = "Certworker.RenewalPlanned"
    RENEWAL_OVERDUE = "Certworker.RenewalOverdue"
    RENEWAL_STARTED = "Certworker.RenewalStarted"
    RENEWAL_PAUSED = "Certworker.RenewalPaused"
    RENEWAL_RESUMED = "Certworker.RenewalResumed"
    RENEWAL_ADVISED = "Certworker.RenewalAdvised"
    ISSUER_DOWN = "Certworker.IssuerDown"
    ISSUER_UP = "Certworker.IssuerUp"
    ISSUER_THROTTLED = "Certworker.IssuerThrottled"
    ISSUER_FAILED_OVER = "Certworker.IssuerFailedOver"
    CERTIFICATE_REVOKED = "Certworker.CertificateRevoked"
    CERTIFICATE_FOUND_REVOKED = "Certworker.CertificateFoundRevoked"
    KEY_COMPROMISED = "Certworker.KeyCompromised"
    REVOCATION_UNKNOWN = "Certworker.RevocationUnknown"
    KEY_RELEASED = "Certworker.KeyReleased"
    OBJECT_DELETED = "Certworker.ObjectDeleted"
    OBJECT_RECOVERED = "Certworker.ObjectRecovered"
    OBJECT_PURGED = "Certworker.ObjectPurged"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `sequence` is the store's own count, 0 until it is written. `detail` has a fixed schema for each type."""

    type: EventType
    at: datetime
    vault_id: str
    kind: ObjectKind
    name: str
    version: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict)
    sequence: int = 0
