"""Telling: what happens, and what time brings, becomes entries of the ledger, one for each who is to hear of it."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Final

from certworker.errors import Unavailable
from certworker.vault.events import Event, EventType
from certworker.vault.notification.audience import MAIL, Address, Audience
from certworker.vault.notification.expiry_watch import first_look
from certworker.vault.notification.ledger import Notice, NoticeStatus, Silence
from certworker.vault.notification.marks import Threshold
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.notification.topics import ALARMS, OVERTAKEN, REMINDERS, Word, is_as_severe, words_of
from certworker.vault.objects import ObjectKind, fold_name
from certworker.vault.operations import OperationReason
from certworker.vault.renewal.planning import Planner
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vaults import Vault

CURSOR: Final = "notices"
BATCH: Final = 100
"""So many events are told in one transaction."""
FAILURES_THAT_COUNT: Final = 3
"""A renewal that failed so often in a row is told, whatever made it fail."""
_NEW_VERSIONS: Final = frozenset({EventType.CERTIFICATE_NEW_VERSION, EventType.KEY_NEW_VERSION, EventType.SECRET_NEW_VERSION})

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    """What was looked up in one transaction, and need not be looked up again."""

    vaults: dict[str, Vault | None] = field(default_factory=dict)
    silences: dict[str, tuple[Silence, ...]] = field(default_factory=dict)
    addresses: dict[tuple[str, ObjectKind, Topic], tuple[Address, ...]] = field(default_factory=dict)


class Telling:
    """Reads events, and writes what is told of them. For the worker; it asks for no caller."""

    def __init__(
        self,
        store: Store,
        audience: Audience,
        planner: Planner,
        thresholds: tuple[Threshold, ...],
        before_renewal: timedelta,
        hold: timedelta,
    ) -> None:
        self._store = store
        self._audience = audience
        self._planner = planner
        self._thresholds = thresholds
        self._before_renewal = before_renewal
        self._hold = hold

    def read_events(self, at: datetime) -> int:
        """Tell of the events that nobody has told of, some at the most; count them. Entries and cursor are one transaction."""
        with self._store.reading() as reader:
            if not reader.events(reader.cursor(CURSOR), 1):
                return 0
        try:
            return self._read(BATCH, at)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001  # one of them cannot be told: it is found, and the others are
            return sum(self._read_one(at) for _ in range(BATCH))

    def _read(self, limit: int, at: datetime) -> int:
        with self._store.writing() as writer:
            events, known = writer.events(writer.hold_cursor(CURSOR), limit), _Known()
            for event in events:
                self._tell(writer, event, known, at)
            if events:
                writer.set_cursor(CURSOR, events[-1].sequence)
        return len(events)

    def _read_one(self, at: datetime) -> int:
        """Tell of the next event; one that cannot be told is passed over, lest it keep all others from being told."""
        with self._store.reading() as reader:
            events = reader.events(reader.cursor(CURSOR), 1)
        if not events:
            return 0
        try:
            return self._read(1, at)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001
            # the text of a foreign exception may hold anything
            _log.error("The event %d cannot be told, and is passed over: %s", events[0].sequence, type(error).__name__)
        with self._store.writing() as writer:
            if writer.events(writer.hold_cursor(CURSOR), 1) == events:
                writer.set_cursor(CURSOR, events[0].sequence)
        return 1

    def unread_since(self, reader: Reader) -> datetime | None:
        """Tell when the first event came that nobody has told of."""
        first = reader.events(reader.cursor(CURSOR), 1)
        return first[0].at if first else None

    def _tell(self, writer: Writer, event: Event, known: _Known, at: datetime) -> None:
        self._follow(writer, event, at)
        vault = self._vault(writer, event.vault_id, known)
        for word in words_of(event) if vault else ():
            heard_by = self._addresses(writer, vault, event.kind, word, known) if vault else ()
            said = _about_failure(writer, event, word) if word.topic is Topic.RENEWAL_FAILED and heard_by else word
            if not heard_by or said is None:
                continue
            silenced = self._is_silenced(writer, event, said, known, at)
            for address in heard_by:
                writer.add_notice(self._notice(event, said, address, at, silenced=silenced))

    def _follow(self, writer: Writer, event: Event, at: datetime) -> None:
        """Do what an event asks for beside telling: what it overtakes is not told any more, and time is watched."""
        if event.type in _NEW_VERSIONS and event.version and (event.kind is ObjectKind.CERTIFICATE or not _is_companion(event)):
            writer.supersede(event.vault_id, event.kind, event.name, event.version, OVERTAKEN)
        if event.type is EventType.CERTIFICATE_NEW_VERSION:
            first = first_look(writer, self._planner, event, self._thresholds, self._before_renewal, at)
            if first is not None:
                writer.put_watch(first)

    def _vault(self, reader: Reader, vault_id: str, known: _Known) -> Vault | None:
        if vault_id not in known.vaults:
            known.vaults[vault_id] = reader.vault(vault_id)
        return known.vaults[vault_id]

    def _addresses(self, reader: Reader, vault: Vault, kind: ObjectKind, word: Word, known: _Known) -> tuple[Address, ...]:
        key = (vault.id, kind, word.topic)
        if key not in known.addresses:
            known.addresses[key] = self._audience.addresses(reader, vault, kind, word.topic)
        found = known.addresses[key]
        return found if word.to_contacts else tuple(address for address in found if address[0] != MAIL)

    def _is_silenced(self, reader: Reader, event: Event, word: Word, known: _Known, at: datetime) -> bool:
        if event.vault_id not in known.silences:
            known.silences[event.vault_id] = reader.silences(event.vault_id, at)
        if any(covers(silence, _name_of(event, word), word.topic) for silence in known.silences[event.vault_id]):
            return True
        if word.topic not in REMINDERS:
            return False
        acknowledged = reader.acknowledged(event.vault_id, event.kind, event.name, word.version, word.topic)
        return any(is_as_severe(notice.severity, word.severity) for notice in acknowledged)

    def _notice(self, event: Event, word: Word, address: Address, at: datetime, *, silenced: bool) -> Notice:
        channel, where = address
        waits = channel == MAIL and word.severity is not Severity.CRITICAL
        due_at = at + self._hold if waits else at
        return Notice(
            id=_id_of(event, word, address),
            vault_id=event.vault_id,
            kind=event.kind,
            name=_name_of(event, word),
            version="" if word.topic is Topic.ISSUER_DOWN else word.version,
            topic=word.topic,
            threshold=word.threshold,
            channel=channel,
            address=where,
            severity=word.severity,
            at=event.at,
            facts=word.facts,
            status=NoticeStatus.SILENCED if silenced else NoticeStatus.WAITING,
            due_at=None if silenced else due_at,
        )


def covers(silence: Silence, name: str, topic: Topic) -> bool:
    """Whether a silence is about this. What has no name, and what is an alarm, is covered only where its topic is named."""
    topics = (None, topic) if name and topic not in ALARMS else (topic,)
    return fnmatchcase(fold_name(name), fold_name(silence.pattern)) and silence.topic in topics


def _name_of(event: Event, word: Word) -> str:
    # whichever certificate met it: an issuer is down for all
    return "" if word.topic is Topic.ISSUER_DOWN else event.name


def _id_of(event: Event, word: Word, address: Address) -> str:
    """Give an entry its id, always the same: a deployment that was restored from a backup tells under the ids of before."""
    # a number of an event may be another's after that
    again = str(event.at.timestamp()) if word.threshold == str(event.sequence) else ""
    subject = (event.vault_id, event.kind, fold_name(_name_of(event, word)), word.version)
    return sha256(json.dumps((*subject, word.topic, word.threshold, again, *address)).encode()).hexdigest()[:32]


def _is_companion(event: Event) -> bool:
    return "issuer" in event.detail


def _about_failure(reader: Reader, event: Event, word: Word) -> Word | None:
    """Say what is told of an operation that failed: of a renewal, and where it takes a person. None where nobody is told."""
    operation = reader.operation(event.vault_id, event.name)
    if operation is None or operation.reason is OperationReason.CREATE:
        return None  # whoever asked for a first version waits for it, and sees
    certificate, head = reader.certificate(event.vault_id, event.name), reader.head(event.vault_id, event.kind, event.name)
    if certificate is None or head is None or head.current_version is None:
        return None
    renewal = certificate.renewal
    if renewal.blamed_since is None and renewal.failures < FAILURES_THAT_COUNT:
        return None
    facts: Mapping[str, str] = {
        **word.facts,
        "issuer": certificate.policy.issuer.name,
        "failures": str(renewal.failures),
        **({"next": renewal.due_at.isoformat()} if renewal.due_at else {}),
    }
    return replace(word, version=head.current_version, facts=facts)
