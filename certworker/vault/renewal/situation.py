"""What is known of a certificate when its renewal is decided. Nothing here asks for anything."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from certworker.vault.operations import OperationReason
from certworker.vault.policy import ActionType, Policy
from certworker.vault.renewal.windows import Windows


@dataclass(frozen=True, slots=True)
class Window:
    """The window in which a CA wants a certificate to be renewed, and the point in it that was chosen, once, for good."""

    start: datetime
    end: datetime
    point: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """A certificate's current version, as it stands at `at`. `since` is when that version came.

    `issued_by` is the policy that it was issued by, and `issued_for` why; none for one that was imported. `changed_at` is
    since when the policy is another one, where that is a reason to renew at once and not just what the next version goes by.
    `revoked_at` is since when it is known to be revoked: itself, or something above it (`revoked_above`). `compromised_at` is
    since when its key is known to others. `window` is its CA's advice, `requested_at` since when somebody wants it renewed.
    `is_paused`: nothing is renewed but what is asked for. `is_foreign`: a CA signed it, its policy says that it signs itself,
    and nobody has looked at that since it was imported. `maintenance` are the windows in which a renewal may begin.
    """

    policy: Policy
    not_before: datetime
    not_after: datetime
    jitter: float
    at: datetime
    since: datetime
    issued_by: Policy | None = None
    issued_for: OperationReason | None = None
    changed_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_above: bool = False
    compromised_at: datetime | None = None
    window: Window | None = None
    requested_at: datetime | None = None
    is_paused: bool = False
    is_foreign: bool = False
    maintenance: Windows = ()

    @property
    def lifetime(self) -> timedelta:
        """How long it is valid, from its first moment to its last."""
        return self.not_after - self.not_before

    @property
    def stays(self) -> str | None:
        """Why it is never renewed by itself, in one sentence; none where it is."""
        if self.policy.is_manual:
            return "Its issuer is Unknown: a person takes its certificate signing request to a CA, and merges what comes back."
        if not any(action.action is ActionType.AUTO_RENEW for action in self.policy.lifetime_actions):
            return "Its policy has no lifetime action AutoRenew: its contacts are told, and nothing is renewed by itself."
        if self.not_after <= self.since:
            return "It had expired before it was imported."
        if self.is_foreign:
            return "A CA signed what was imported, and no self-signed one takes its place before somebody changes the policy."
        return None


@dataclass(frozen=True, slots=True)
class Decision:
    """When it is renewed, and why then: `why` in one sentence. What is `urgent` does not wait for a maintenance window."""

    at: datetime
    reason: OperationReason
    why: str
    urgent: bool = False
