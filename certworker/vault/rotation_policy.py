"""The rotation policy of a key: when it is to be rotated, when its owner is told of its end, and how long a version lives."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """What Key Vault's lifetime actions say. Durations are ISO 8601, as they were sent: P90D, P1Y6M.

    A key is rotated so long after its creation, or so long before it expires; at most one of the two is set.
    """

    rotate_after_create: str | None = None
    rotate_before_expiry: str | None = None
    notify_before_expiry: str | None = None
    expiry_time: str | None = None


@dataclass(frozen=True, slots=True)
class KeyRotation:
    """A key's rotation policy and the rotation to come. `fence` counts the leases; it is the store's own."""

    vault_id: str
    name: str
    policy: RotationPolicy
    created: datetime
    updated: datetime
    due_at: datetime | None = None
    failures: int = 0
    last_error: str | None = None
    fence: int = 0
