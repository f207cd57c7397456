"""Deliveries: what the ledger has for somebody is handed to its channel, and what came of it is recorded."""

import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.measures import Measure, Measures, Purpose, asking
from certworker.vault.notification.audience import MAIL, Audience, place_of
from certworker.vault.notification.ledger import Notice, NoticeStatus
from certworker.vault.notification.message import Delivery, Message, Severity, Topic
from certworker.vault.objects import ObjectKind
from certworker.vault.progression import LEASE
from certworker.vault.store import Reader, Store, Writer

BACK_OFF: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=6),
    timedelta(hours=12),
)
"""How long to wait after each attempt; after the last one, a day and three hours on, a notice is dead."""
LONGEST_WAIT: Final = timedelta(days=1)
"""No receiver can put a notice off for longer."""
MOST_PARTS: Final = 200
"""A digest has no more parts; the rest goes into the next."""
_HELD_BACK: Final = (Severity.WARNING, Severity.INFO)
"""What waits for others. What is critical goes out at once, and is put together with what is critical alone."""
_LONGEST_ERROR: Final = 1000

_RESULTS: Final = MappingProxyType({NoticeStatus.SENT: "sent", NoticeStatus.DEAD: "dead"})
_log = logging.getLogger(__name__)


class Deliveries:
    """Delivers notices, channel by channel. For the worker; it asks for no caller."""

    def __init__(self, store: Store, audience: Audience, digest_from: int, clock: Clock, measures: Measures) -> None:
        self._store = store
        self._channels = audience.channels
        self._digest_from = digest_from
        self._clock = clock
        self._measures = measures
        for place in audience.places:
            measures.count(Measure.DELIVERIES, *place, "sent", by=0)

    @property
    def channels(self) -> Collection[str]:
        """The names of the channels that there are."""
        return self._channels.keys()

    def next_due(self, reader: Reader) -> datetime | None:
        """Tell when the next notice can be delivered."""
        return reader.next_delivery(self.channels)

    def claim(self, channel: str, owner: str, at: datetime, besides: Collection[str] = ()) -> Notice | None:
        """Claim the next notice of a channel, but for some addresses.

        What waits with too many others becomes one digest with them first.
        """
        while True:
            with self._store.writing() as writer:
                notice = writer.claim_delivery(channel, owner, at, LEASE, besides)
                if notice is None or not (_let_go(writer, notice) or self._gather(writer, notice, at)):
                    return notice

    def deliver(self, notice: Notice) -> bool:
        """Hand a claimed notice over, and record what came of it; say whether it arrived. Raises LeaseLost."""
        with self._store.reading() as reader:
            message = _message(reader, notice)
        with asking(self._measures, Purpose.WEBHOOK):  # what channels ask over HTTP; mail and programs are no HTTP
            delivery = self._channels[notice.channel].deliver(message, whole_second(self._clock()))
        self._record(notice, delivery)
        return delivery.done

    def put_off(self, notice: Notice, error: str) -> None:
        """Record that a delivery went wrong in a way that its channel did not foresee. Raises LeaseLost."""
        self._record(notice, Delivery(done=False, message=error))

    def _gather(self, writer: Writer, notice: Notice, at: datetime) -> bool:
        """Put a notice into a digest, if too many wait with it; say so."""
        fresh = notice.status is NoticeStatus.WAITING and notice.topic not in (Topic.DIGEST, Topic.TEST)
        if notice.channel != MAIL or not fresh:
            return False
        alike = (Severity.CRITICAL,) if notice.severity is Severity.CRITICAL else _HELD_BACK
        parts = writer.gather_parts(notice, alike, MOST_PARTS)
        if len(parts) <= self._digest_from or notice.id not in {part.id for part in parts}:
            return False
        worst = {part.severity for part in parts}
        digest = _digest_of(notice, next(severity for severity in alike if severity in worst), at)
        writer.add_notice(digest)
        writer.put_in_digest(digest.id, parts)
        return True

    def _record(self, notice: Notice, delivery: Delivery) -> None:
        at = whole_second(self._clock())
        recorded = after(notice, delivery, at)
        with self._store.writing() as writer:
            writer.record_delivery(recorded)
            if recorded.status is NoticeStatus.SENT and notice.topic is Topic.DIGEST:
                writer.close_digest(recorded)
        place, result = place_of(notice.channel, notice.address), _RESULTS.get(recorded.status, "failed")
        self._measures.count(Measure.DELIVERIES, *place, result)
        _tell(recorded)


def _tell(notice: Notice) -> None:
    """Log what became of a notice; whom it is for is told by the ledger alone."""
    fields = {
        "notice": notice.id,
        "channel": notice.channel,
        "topic": notice.topic.value,
        "name": notice.name,
        "attempt": notice.attempts,
    }
    place = f"The notice {notice.topic.value} of {notice.name} by {notice.channel}"
    match notice.status:
        case NoticeStatus.SENT:
            _log.info("%s was sent.", place, extra={"fields": fields})
        case NoticeStatus.DEAD:
            _log.error("%s is given up: %s", place, notice.last_error, extra={"fields": fields})
        case _:
            next_at = f"{notice.due_at:%Y-%m-%dT%H:%M:%SZ}" if notice.due_at else "?"
            _log.warning("%s is tried again at %s: %s", place, next_at, notice.last_error, extra={"fields": fields})


def _let_go(writer: Writer, notice: Notice) -> bool:
    """Keep back what waits for somebody who is no contact any more; say so."""
    if notice.channel != MAIL or any(
        one.email.casefold() == notice.address.casefold() for one in writer.contacts(notice.vault_id)
    ):
        return False
    why = f"{notice.address} is no contact of the vault any more."
    writer.set_notice_state(replace(notice, status=NoticeStatus.SILENCED, due_at=None, last_error=why))
    return True


def after(notice: Notice, delivery: Delivery, at: datetime) -> Notice:
    """Say how a notice stands after an attempt that ended at `at`."""
    attempts = notice.attempts + 1
    if delivery.done:
        sent = replace(notice, status=NoticeStatus.SENT, sent_at=at, last_error=None)
        return replace(sent, attempts=attempts, due_at=None)
    tried = replace(notice, attempts=attempts, last_error=delivery.message[:_LONGEST_ERROR])
    if delivery.final or attempts > len(BACK_OFF):
        return replace(tried, status=NoticeStatus.DEAD, due_at=None)
    wait = BACK_OFF[attempts - 1]
    if delivery.retry_at is not None:
        # not before it says so, but neither so often that a short trouble is the end of it
        wait = max(wait, min(delivery.retry_at - at, LONGEST_WAIT))
    return replace(tried, status=NoticeStatus.RETRYING, due_at=whole_second(at + wait))


def _digest_of(notice: Notice, severity: Severity, at: datetime) -> Notice:
    digest_id = uuid4().hex
    return Notice(
        id=digest_id,
        vault_id=notice.vault_id,
        kind=ObjectKind.CERTIFICATE,
        name="",
        version="",
        topic=Topic.DIGEST,
        threshold=digest_id,
        channel=notice.channel,
        address=notice.address,
        severity=severity,
        at=at,
        due_at=at,
    )


def _message(reader: Reader, notice: Notice) -> Message:
    vault = reader.vault(notice.vault_id)
    parts = reader.digest_parts(notice.id) if notice.topic is Topic.DIGEST else ()
    name = vault.name if vault else ""
    return _shown(notice, name, tuple(_shown(part, name) for part in parts))


def _shown(notice: Notice, vault: str, parts: tuple[Message, ...] = ()) -> Message:
    return Message(
        id=notice.id,
        topic=notice.topic,
        severity=notice.severity,
        at=notice.at,
        vault=vault,
        kind=notice.kind,
        name=notice.name,
        version=notice.version or None,
        to=notice.address,
        facts=notice.facts,
        parts=parts,
    )
