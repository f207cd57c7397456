"""What of a vault's certificates asks for somebody's attention: what it is called, how bad it is, and how many there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from certworker.vault.notification.message import Severity
from certworker.vault.revocation.standing import Standing
from certworker.vault.summary.records import Member, State
from certworker.vault.vaults import Vault

NEAR_END: Final = timedelta(days=30)
"""What is not renewed by itself asks for attention so long before its end, or for the last third of a shorter life."""
PART_OF_LIFE: Final = 3
ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Trouble(StrEnum):
    """What is wrong with a certificate, in words; what asks for the most comes first."""

    REVOKED = "revoked"
    EXPIRED = "expired"
    FAILED = "was never issued"
    OVERDUE = "renewal overdue"
    RENEWAL_FAILED = "renewal failed"
    WAITS_FOR_SIGNATURE = "waits for its signature"
    PAUSED = "renewal paused"
    NOT_RENEWED = "ends soon, and is not renewed by itself"
    REVOCATION_UNKNOWN = "revocation unknown"


_CRITICAL: Final = frozenset({Trouble.REVOKED, Trouble.EXPIRED, Trouble.FAILED})


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a certificate, how bad that is, and since when, as far as is known."""

    trouble: Trouble
    severity: Severity
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """How many certificates of an issuer stand in one way, how many of them have expired, and how many need somebody."""

    issuer: str
    state: State
    number: int
    expired: int
    needy: int


class AttentionReader(Protocol):
    """What can be asked; a part of the port to the database. What is read are counts, and the rows of who needs somebody."""

    def standing_groups(self, vault: Vault, at: datetime) -> tuple[Group, ...]:
        """Count a vault's certificates by issuer and state."""

    def needy(self, vault_id: str, at: datetime, limit: int) -> tuple[Member, ...]:
        """List those that need somebody at a time: what is critical first, and of the same kind what ends first."""

    def expiries_ahead(self, vault: Vault, at: datetime, days: int) -> Mapping[int, int]:
        """Count expiries after `at` by the day (UTC); 0 is that of `at`."""

    def renewals_ahead(self, vault: Vault, at: datetime, days: int) -> Mapping[int, int]:
        """Count renewals by the day likewise; what was due before counts for the first."""


def finding_of(member: Member, at: datetime) -> Finding | None:
    """Tell what is wrong with a certificate; none where nothing is. A disabled one is nobody's trouble."""
    if not member.enabled:
        return None
    trouble = _trouble_of_version(member, at) if member.version else _trouble_without_version(member)
    if trouble is None:
        return None
    severity = Severity.CRITICAL if trouble in _CRITICAL or member.overdue is Severity.CRITICAL else Severity.WARNING
    return Finding(trouble, severity, _since(trouble, member))


def needy_from(member: Member) -> datetime | None:
    """Say from when on something is wrong with a certificate, if nothing is changed; none where nothing ever is."""
    if finding_of(member, ALWAYS):
        return ALWAYS
    moments = [member.not_after] if member.enabled and member.version else []
    if moments and member.not_before and member.not_after and _is_left_alone(member):
        last_part = timedelta(seconds=(member.not_after - member.not_before) // timedelta(seconds=PART_OF_LIFE))
        moments.append(member.not_after - min(NEAR_END, last_part))
    return min(filter(None, moments), default=None)


def _trouble_without_version(member: Member) -> Trouble | None:
    troubles = {State.FAILED: Trouble.FAILED, State.WAITS_FOR_SIGNATURE: Trouble.WAITS_FOR_SIGNATURE}
    return troubles.get(member.state)


def _trouble_of_version(member: Member, at: datetime) -> Trouble | None:
    end = member.not_after
    found = (
        (member.state is State.REVOKED, Trouble.REVOKED),
        (end is not None and end <= at, Trouble.EXPIRED),
        (member.overdue is not None, Trouble.OVERDUE),
        (member.failures > 0, Trouble.RENEWAL_FAILED),
        (member.pending_since is not None and member.next_attempt is None, Trouble.WAITS_FOR_SIGNATURE),
        (member.paused_since is not None, Trouble.PAUSED),
        (_ends_for_good(member, at), Trouble.NOT_RENEWED),
        (member.revocation is Standing.UNKNOWN and member.checked is not None, Trouble.REVOCATION_UNKNOWN),
    )
    return next((trouble for holds, trouble in found if holds), None)


def _is_left_alone(member: Member) -> bool:
    return not member.due_at and not member.pending_since


def _ends_for_good(member: Member, at: datetime) -> bool:
    if not _is_left_alone(member) or not member.not_before or not member.not_after:
        return False
    life = member.not_after - member.not_before
    return member.not_after - at <= NEAR_END and (member.not_after - at) * PART_OF_LIFE <= life


def _since(trouble: Trouble, member: Member) -> datetime | None:
    match trouble:
        case Trouble.REVOKED | Trouble.REVOCATION_UNKNOWN:
            return member.revocation_since
        case Trouble.EXPIRED:
            return member.not_after
        case Trouble.WAITS_FOR_SIGNATURE:
            return member.pending_since
        case Trouble.PAUSED:
            return member.paused_since
    return None
