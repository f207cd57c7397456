"""The ledger: one notice for each subject, topic, threshold, channel and address, under an id that it keeps."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from certworker.vault.notification.message import Severity, Topic
from certworker.vault.objects import ObjectKind


class NoticeStatus(StrEnum):
    """How far a notice has come."""

    WAITING = "waiting"
    RETRYING = "retrying"
    SENT = "sent"
    DEAD = "dead"
    """It was tried for a day, or is refused for good. It can be replayed."""
    SILENCED = "silenced"
    """Somebody has acknowledged what it tells, does not want to hear of it, or is no contact any more."""
    IN_DIGEST = "in digest"
    """It is a part of the digest that `digest_id` names."""
    SUPERSEDED = "superseded"
    """There was a newer version before it went out."""


OPEN = (NoticeStatus.WAITING, NoticeStatus.RETRYING)
"""What is still to go out."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An entry of the ledger. `version` and `threshold` are empty where there is none; `at` is when it came about.

    `threshold` tells apart what is told several times of one version: which part of its time was left, which failure it was.
    `facts` are as in the message. `due_at` is when it goes out, or is tried again. `fence` is the store's own.
    """

    id: str
    vault_id: str
    kind: ObjectKind
    name: str
    version: str
    topic: Topic
    threshold: str
    channel: str
    address: str
    severity: Severity
    at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)
    status: NoticeStatus = NoticeStatus.WAITING
    due_at: datetime | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    last_error: str | None = None
    digest_id: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Silence:
    """What nobody wants to hear of until a time: names that `pattern` (with * and ?) matches; none as `topic` is any."""

    id: str
    vault_id: str
    pattern: str
    topic: Topic | None
    until: datetime
    by: str
    why: str
    created: datetime


class NoticeReader(Protocol):
    """What can be asked of the ledger; a part of the port to the database."""

    def notice(self, notice_id: str) -> Notice | None:
        """Find an entry."""

    def notices(self, vault_id: str, status: NoticeStatus | None, before: int | None, limit: int) -> tuple[Notice, ...]:
        """List a vault's entries, the newest first, beginning before a number; only those of a status."""

    def notice_number(self, notice_id: str) -> int | None:
        """Tell the number by which an entry is listed."""

    def digest_parts(self, digest_id: str) -> tuple[Notice, ...]:
        """List the parts of a digest, in the order in which they came about."""

    def acknowledged(self, vault_id: str, kind: ObjectKind, name: str, version: str, topic: Topic) -> tuple[Notice, ...]:
        """List what was acknowledged of a subject and topic."""

    def next_delivery(self, channels: Collection[str]) -> datetime | None:
        """Tell when the next notice of some channels falls due; what is under a lease, when that runs out."""

    def has_notices_after(self, latest: datetime) -> bool:
        """Tell whether something is to go out, or is under a lease, only after a time."""

    def silences(self, vault_id: str, at: datetime) -> tuple[Silence, ...]:
        """List the silences of a vault that are in force at a time, the oldest first."""

    def oldest_notice(self) -> datetime | None:
        """Tell when the oldest entry came about."""

    def notice_counts(self) -> Mapping[tuple[str, NoticeStatus], int]:
        """Count the entries: (channel, status) -> count."""

    def undelivered(self) -> Mapping[tuple[str, str, NoticeStatus], int]:
        """Count what has failed, to be tried again or given up: (channel, name of the webhook or empty, status) -> count."""


class NoticeWriter(NoticeReader, Protocol):
    """What can be changed in the ledger, inside one transaction."""

    def hold_cursor(self, name: str) -> int:
        """Tell up to which event a listener has read; whoever else asks waits until this transaction has ended."""

    def add_notice(self, notice: Notice) -> bool:
        """Add an entry, unless there is one for the same subject, topic, threshold, channel and address; say whether."""

    def claim_delivery(
        self, channel: str, owner: str, at: datetime, lease: timedelta, besides: Collection[str] = ()
    ) -> Notice | None:
        """Claim the most severe notice of a channel that is due at `at` and under no lease, of those the oldest.

        What goes to the addresses `besides` is left.
        """

    def record_delivery(self, notice: Notice) -> None:
        """Record what came of it, under the fence that it was claimed with; the lease ends. Raises LeaseLost."""

    def set_notice_state(self, notice: Notice) -> None:
        """Replace an entry's state; a lease on it ends, and its fence moves on."""

    def set_notice_acknowledged(self, notice: Notice) -> None:
        """Note by whom an entry was acknowledged; a lease on it goes on."""

    def gather_parts(self, notice: Notice, severities: Collection[Severity], limit: int) -> tuple[Notice, ...]:
        """List what waits for the channel and address of a notice, that one included, and holds nobody else's lease."""

    def put_in_digest(self, digest_id: str, parts: Collection[Notice]) -> int:
        """Make parts of a digest of what still waits; give their count."""

    def close_digest(self, digest: Notice) -> None:
        """Note with the parts of a digest when it was sent."""

    def supersede(self, vault_id: str, kind: ObjectKind, name: str, version: str, topics: Collection[Topic]) -> int:
        """Let what was not sent of other versions than this be superseded; give the count."""

    def silence_open(self, notices: Collection[Notice]) -> int:
        """Let notices that have not gone out be silenced; give the count."""

    def open_notices(self, vault_id: str) -> tuple[Notice, ...]:
        """List what is still to go out for a vault."""

    def hasten_notices(self, latest: datetime, at: datetime) -> int:
        """Let what was to go out after `latest` fall due at `at`, and end leases of that clock that last longer; count."""

    def add_silence(self, silence: Silence) -> None:
        """Add a silence."""

    def delete_silence(self, vault_id: str, silence_id: str) -> bool:
        """End a silence; say whether there was one."""

    def forget_notices(self, before: datetime, limit: int) -> int:
        """Delete entries that ended before a time, and silences likewise; give the count."""
