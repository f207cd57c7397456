"""The certificate operation: Key Vault's pending certificate, and the journal of one issuance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from certworker.correlation import correlating
from certworker.vault.objects import Tags
from certworker.vault.policy import Policy

Progress = Mapping[str, str]
"""How far a provider has come: ids, URLs and step names. Never a token, a header, a password or a key."""

CERTIFIED = "certified"
"""In the journal of an operation that failed: the CA has issued for its key, or may have."""

BACK_OFF = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100))
LAST_BACK_OFF = timedelta(days=1)


class OperationStatus(StrEnum):
    """Key Vault's own words, in its own spelling."""

    IN_PROGRESS = "inProgress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class OperationReason(StrEnum):
    """Why a certificate is being issued."""

    CREATE = "create"
    REVOKED = "revoked"
    KEY_COMPROMISED = "key_compromised"
    POLICY_CHANGED = "policy_changed"
    ISSUER_CHANGED = "issuer_changed"
    ADVISED = "advised"
    LIFETIME_ACTION = "lifetime_action"
    DEFAULT = "default"
    BACKSTOP = "backstop"
    OVERDUE = "overdue"
    REQUESTED = "requested"

    @property
    def is_asked_for(self) -> bool:
        """Whether it is somebody's own errand; what failed is theirs to ask for again. A renewal is tried again by itself."""
        return self is OperationReason.CREATE


@dataclass(frozen=True, slots=True)
class Operation:
    """One issuance, from the key to the merged certificate.

    `version` is given on the first day: the sealed key already lies at the place that it will have as a version.
    `due_at` is when a worker should look next; none means that nobody but the owner can go on (issuer Unknown).
    `warnings` tell what was accepted although it is not quite what was asked for. `preserve_order` keeps the chain as it came.
    `fence` counts the leases; a result is recorded only under the fence that it was claimed with. `hsm_key_id` names the key
    where it lies in a token. `deadline` is as for a renewal. `correlation_id` is that of what began it; none in records of an
    earlier release.
    """

    id: str
    vault_id: str
    name: str
    version: str
    reason: OperationReason
    policy: Policy
    csr: bytes
    public_key: bytes
    sealed_key: bytes
    created: datetime
    updated: datetime
    status: OperationStatus = OperationStatus.IN_PROGRESS
    enabled: bool = True
    tags: Tags = field(default_factory=dict)
    progress: Progress = field(default_factory=dict)
    due_at: datetime | None = None
    failures: int = 0
    cancellation_requested: bool = False
    status_details: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    warnings: tuple[str, ...] = ()
    preserve_order: bool = False
    fence: int = 0
    hsm_key_id: str | None = None
    deadline: datetime | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One step of an operation, recorded before the next begins."""

    operation_id: str
    sequence: int
    at: datetime
    step: str
    detail: Progress


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a CA sent and was refused: sealed, and at most 64 KiB of it. `kind` says what it is, in a word."""

    operation_id: str
    at: datetime
    kind: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Renewal is held until somebody resumes it. `by` is who paused it, `why` what for, in one sentence."""

    since: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """When a certificate's next version falls due, and what came of earlier attempts.

    `jitter` in [0, 1) is drawn once for each version and kept, so that a look again gives the same answer. `deadline` is when
    it is too late: of what is due at once, the earliest goes first. `requested_at` is since when somebody wants it at once.
    `blamed_since` is since when every failure has been one of configuration.
    """

    due_at: datetime | None
    reason: OperationReason | None
    jitter: float
    failures: int = 0
    last_error: str | None = None
    deadline: datetime | None = None
    pause: Pause | None = None
    requested_at: datetime | None = None
    blamed_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What all versions of a certificate share besides its head: the policy and the renewal to come.

    `route` is the issuer that the next renewal is sent to in the place of the policy's; it is the store's own, as `fence` is.
    """

    vault_id: str
    name: str
    policy: Policy
    policy_created: datetime
    policy_updated: datetime
    renewal: Renewal
    fence: int = 0
    route: str | None = None

    @property
    def asked_issuer(self) -> str:
        """The issuer that the next renewal asks."""
        return self.route or self.policy.issuer.name


def working_on(operation: Operation) -> correlating:
    """Let what is logged and recorded in the block belong to an operation, and to what has begun it."""
    # of an operation of an earlier release, nobody knows that
    return correlating(operation.correlation_id or operation.id, operation.id, operation.failures + 1)


def back_off(failures: int) -> timedelta:
    """Say how long to wait after the given number of failures in a row: 1, 10, 100 minutes, then a day."""
    return BACK_OFF[failures - 1] if failures <= len(BACK_OFF) else LAST_BACK_OFF
