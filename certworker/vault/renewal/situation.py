"""What is known of a certificate when its renewal is decided. Nothing here asks for anything."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certworker.vault.operations import OperationReason
from certworker.vault.policy import ActionType, Policy


@dataclass(frozen=True, slots=True)
class Window:
    """The window in which a CA wants a certificate to be renewed, and the point in it that was chosen, once, for good."""

    start: datetime
    end: datetime
    point: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """A certificate's current version, as it stands at `at`.

    `issued_by` is the policy that it was issued by, none for one that was imported. `revoked_at` is since when it is known to
    be revoked, itself or something above it; `compromised_at` since when its key is known to others. `window` is its CA's
    advice. `renews_on_change` says that a changed policy is a reason to renew at once, and not just what the next version
    goes by.
    """

    policy: Policy
    not_before: datetime
    not_after: datetime
    jitter: float
    at: datetime
    issued_by: Policy | None = None
    revoked_at: datetime | None = None
    compromised_at: datetime | None = None
    window: Window | None = None
    renews_on_change: bool = False

    @property
    def lifetime(self) -> timedelta:
        """How long it is valid, from its first moment to its last."""
        return self.not_after - self.not_before

    @property
    def renews(self) -> bool:
        """Whether its owner wants it to be renewed by itself, and there is somebody to sign."""
        wanted = any(action.action is ActionType.AUTO_RENEW for action in self.policy.lifetime_actions)
        return wanted and not self.policy.is_manual


@dataclass(frozen=True, slots=True)
class Decision:
    """When it is renewed, and why then: `why` in one sentence. What is `urgent` does not wait for a maintenance window."""

    at: datetime
    reason: OperationReason
    why: str
    urgent: bool = False
