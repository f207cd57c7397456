"""What the summary knows of one certificate, whatever the time: what a clock is needed for is left to whoever reads it."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from certworker.vault.notification.message import Severity
from certworker.vault.operations import OperationReason, OperationStatus, Renewal
from certworker.vault.revocation.standing import Standing
from certworker.vault.vaults import SYSTEM_VAULT

EXPIRED: Final = "expired"
NOT_YET_VALID: Final = "not_yet_valid"
HOUR: Final = timedelta(hours=1)
A_WEEK: Final = timedelta(days=7)
HOURS_A_DAY: Final = 24
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class State(StrEnum):
    """How a certificate stands, in a word; what asks for the most comes first."""

    REVOKED = "revoked"
    DISABLED = "disabled"
    RENEWING = "renewing"
    PAUSED = "paused"
    RENEWAL_FAILED = "renewal_failed"
    VALID = "valid"
    WAITS_FOR_SIGNATURE = "waits_for_signature"
    BEING_ISSUED = "being_issued"
    FAILED = "failed"
    EMPTY = "empty"


class Urgency(StrEnum):
    """In which order certificates are told where not all of them can be."""

    UNHEALTHY = "0"
    USUAL = "1"
    DISABLED = "2"


class Measure(StrEnum):
    """What is counted. Times are counted by the hour over all vaults, and of each vault by the day (UTC)."""

    STATE = "state"
    REVOCATION = "revocation"
    OVERDUE = "overdue"
    SOURCE = "source"
    EXPIRES = "expires"
    RENEWS = "renews"
    DAY_EXPIRES = "day_expires"
    DAY_RENEWS = "day_renews"


@dataclass(frozen=True, slots=True)
class Place:
    """Which certificate: by the id of its vault and its folded name."""

    vault_id: str
    folded: str


@dataclass(frozen=True, slots=True)
class CountKey:
    """What is counted together. `vault` is empty in counts over all vaults, `issuer` in counts over all issuers.

    `hour` is 0 in those that have no time, and the first hour of the day in those by the day.
    """

    measure: Measure
    vault: str
    issuer: str
    word: str
    hour: int


@dataclass(frozen=True, slots=True)
class FleetEntry:
    """One live certificate as the tables tell of it together: what the live view shows, and the summary is made from."""

    vault: str
    name: str
    issuer: str
    version: str | None
    enabled: bool
    not_before: datetime | None
    not_after: datetime | None
    renewal: Renewal
    operation_status: OperationStatus | None
    operation_created: datetime | None
    operation_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Member:
    """A live certificate as the summary knows it. `version` and what is about it are none before the first one.

    `source` is what decided on `due_at`. The window is the CA's (RFC 9773). `next_attempt` is when what is under way, or has
    failed, is gone on with. `checked` is when `method` told last how it stands with its revocation.
    """

    place: Place
    vault: str
    name: str
    issuer: str
    state: State
    version: str | None = None
    enabled: bool = True
    not_before: datetime | None = None
    not_after: datetime | None = None
    due_at: datetime | None = None
    source: OperationReason | None = None
    deadline: datetime | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    failures: int = 0
    last_error: str | None = None
    next_attempt: datetime | None = None
    paused_since: datetime | None = None
    overdue: Severity | None = None
    pending_since: datetime | None = None
    revocation: Standing | None = None
    revocation_since: datetime | None = None
    checked: datetime | None = None
    method: str = ""

    @property
    def urgency(self) -> Urgency:
        """Say where it stands among those that are told; the service's own certificate always stands first."""
        if self.vault == SYSTEM_VAULT or self._is_unhealthy:
            return Urgency.UNHEALTHY
        return Urgency.USUAL if self.enabled else Urgency.DISABLED

    @property
    def urgent_at(self) -> datetime:
        """Say which of the same urgency goes first: what ends the soonest. What is under way counts as if it ended in a week.

        So it is told in time when it is stuck, and a thousand renewals at once do not hide what expires tomorrow.
        """
        stuck = self.pending_since + A_WEEK if self.pending_since else None
        return min(filter(None, (stuck, self.not_after)), default=_EPOCH)

    @property
    def _is_unhealthy(self) -> bool:
        unknown = self.revocation is Standing.UNKNOWN and self.checked is not None
        troubled = self.state in (State.REVOKED, State.PAUSED, State.RENEWAL_FAILED, State.FAILED)
        return troubled or unknown or self.overdue is not None or self.failures > 0

    def word_at(self, at: datetime) -> str:
        """Say in a word how it stands at a time: its state, or `expired`, or `not_yet_valid`."""
        if self.state is State.REVOKED or self.not_after is None:
            return self.state.value
        if self.not_after <= at:
            return EXPIRED
        begins_later = self.not_before is not None and self.not_before > at
        return NOT_YET_VALID if begins_later and self.state is not State.DISABLED else self.state.value

    def counts(self) -> Counter[CountKey]:
        """Say in which counts it is one."""
        keys = [CountKey(Measure.STATE, self.vault, self.issuer, self.state.value, 0)]
        if self.version:
            keys.append(self._key(Measure.REVOCATION, (self.revocation or Standing.UNCHECKED).value))
        if self.overdue:
            keys.append(self._key(Measure.OVERDUE, self.overdue.value))
        if self.version and self.due_at and self.source:
            keys.append(self._key(Measure.SOURCE, self.source.value))
        if self.enabled and self.version and self.due_at and self.paused_since is None:
            keys.append(self._key(Measure.RENEWS, hour=hour_of(self.due_at)))
            keys.append(self._day_key(Measure.DAY_RENEWS, self.due_at))
        if self.enabled and self.not_after:
            keys.append(self._key(Measure.EXPIRES, hour=hour_of(self.not_after)))
            keys.append(self._day_key(Measure.DAY_EXPIRES, self.not_after))
        return Counter(keys)

    def _key(self, measure: Measure, word: str = "", hour: int = 0) -> CountKey:
        return CountKey(measure, "", self.issuer, word, hour)

    def _day_key(self, measure: Measure, at: datetime) -> CountKey:
        return CountKey(measure, self.vault, "", "", hour_of(at) // HOURS_A_DAY * HOURS_A_DAY)


def hour_of(at: datetime) -> int:
    """Tell which hour a time is in, counted from 1970 on."""
    return (at - _EPOCH) // HOUR


def start_of(hour: int) -> datetime:
    """Tell when an hour of that number began."""
    return _EPOCH + hour * HOUR
