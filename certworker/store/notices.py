"""The ledger of notices: what is asked and what is changed."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Final

from sqlalchemy import ColumnElement, Executable, bindparam, case, delete, exists, func, or_, select, update

from certworker.errors import LeaseLost
from certworker.store.claims import due, notice_waits
from certworker.store.tables.events import CURSOR
from certworker.store.tables.notices import (
    NOTICE,
    SILENCE,
    notice_record,
    notice_values,
    silence_record,
    silence_values,
    state_values,
)
from certworker.store.tables.row import Values
from certworker.store.transaction import Transaction, insertion
from certworker.vault.notification.audience import WEBHOOK
from certworker.vault.notification.ledger import OPEN, Notice, NoticeStatus, Silence
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.objects import ObjectKind, fold_name

_BY_ID: Final = select(NOTICE).where(NOTICE.c.id == bindparam("id"))
_NUMBER: Final = select(NOTICE.c.number).where(NOTICE.c.id == bindparam("id"))
_PARTS: Final = select(NOTICE).where(NOTICE.c.digest_id == bindparam("id")).order_by(NOTICE.c.came_at, NOTICE.c.number)
_COUNTS: Final = select(NOTICE.c.channel, NOTICE.c.status, func.count().label("notices")).group_by(
    NOTICE.c.channel, NOTICE.c.status
)
_WEBHOOK: Final = case((NOTICE.c.channel == WEBHOOK, NOTICE.c.address), else_="").label("webhook")
# what has arrived is most of the ledger, and is left alone: its addresses are in no index
_UNDELIVERED: Final = (
    select(NOTICE.c.channel, _WEBHOOK, NOTICE.c.status, func.count().label("notices"))
    .where(NOTICE.c.status.in_((NoticeStatus.RETRYING, NoticeStatus.DEAD)))
    .group_by(NOTICE.c.channel, _WEBHOOK, NOTICE.c.status)
)
_OLDEST: Final = select(NOTICE.c.came_at).order_by(NOTICE.c.number).limit(1)
_NEXT: Final = select(func.min(due(NOTICE)).label("at")).where(
    notice_waits(NOTICE), NOTICE.c.channel.in_(bindparam("channels", expanding=True))
)
_OPEN: Final = NOTICE.c.status.in_(OPEN)
_MOST_IDS: Final = 1000
"""So many are named in one statement: databases take some ten thousand at the most."""
# what is under a lease is being sent at this moment
_SUPERSEDE: Final = (
    update(NOTICE)
    .where(
        NOTICE.c.vault_id == bindparam("of_vault"),
        NOTICE.c.kind == bindparam("of_kind", type_=NOTICE.c.kind.type),
        NOTICE.c.folded == bindparam("of_name"),
        NOTICE.c.version != bindparam("of_version"),
        NOTICE.c.topic.in_(bindparam("topics", type_=NOTICE.c.topic.type, expanding=True)),
        _OPEN,
        NOTICE.c.lease_owner.is_(None),
    )
    .values(
        status=bindparam("new_status", type_=NOTICE.c.status.type), due_at=bindparam("new_due_at", type_=NOTICE.c.due_at.type)
    )
)
_ENDED: Final = or_(NOTICE.c.due_at.is_(None), ~_OPEN)


class NoticeReader(Transaction):
    """What can be asked of the ledger."""

    def notice(self, notice_id: str) -> Notice | None:
        """Find an entry."""
        row = self._one(_BY_ID, id=notice_id)
        return notice_record(row) if row else None

    def notices(self, vault_id: str, status: NoticeStatus | None, before: int | None, limit: int) -> tuple[Notice, ...]:
        """List a vault's entries, the newest first, beginning before a number; only those of a status."""
        wanted = [NOTICE.c.vault_id == vault_id]
        if status is not None:
            wanted.append(NOTICE.c.status == status)
        if before is not None:
            wanted.append(NOTICE.c.number < before)
        return tuple(map(notice_record, self._all(select(NOTICE).where(*wanted).order_by(NOTICE.c.number.desc()).limit(limit))))

    def notice_number(self, notice_id: str) -> int | None:
        """Tell the number by which an entry is listed."""
        row = self._one(_NUMBER, id=notice_id)
        return int(row.number) if row else None

    def digest_parts(self, digest_id: str) -> tuple[Notice, ...]:
        """List the parts of a digest, in the order in which they came about."""
        return tuple(map(notice_record, self._all(_PARTS, id=digest_id)))

    def acknowledged(self, vault_id: str, kind: ObjectKind, name: str, version: str, topic: Topic) -> tuple[Notice, ...]:
        """List what was acknowledged of a subject and topic."""
        subject = _subject(vault_id, kind, name)
        about = (NOTICE.c.version == version, NOTICE.c.topic == topic, NOTICE.c.acknowledged_at.is_not(None))
        return tuple(map(notice_record, self._all(select(NOTICE).where(*subject, *about))))

    def next_delivery(self, channels: Collection[str]) -> datetime | None:
        """Tell when the next notice of some channels falls due; what is under a lease, when that runs out."""
        if not channels:
            return None
        row = self._one(_NEXT, channels=tuple(channels))
        return row.at if row else None

    def has_notices_after(self, latest: datetime) -> bool:
        """Tell whether something is to go out, or is under a lease, only after a time."""
        return self._one(select(NOTICE.c.number).where(_OPEN, self._is_after(latest)).limit(1)) is not None

    def _is_after(self, latest: datetime) -> ColumnElement[bool]:
        # leases run by the database's clock on PostgreSQL, which this one need not agree with
        is_late = NOTICE.c.due_at > latest
        return is_late if self._on_postgresql else or_(is_late, NOTICE.c.lease_until > latest)

    def silences(self, vault_id: str, at: datetime) -> tuple[Silence, ...]:
        """List the silences of a vault that are in force at a time, the oldest first."""
        wanted = (SILENCE.c.vault_id == vault_id, SILENCE.c.until > at)
        return tuple(map(silence_record, self._all(select(SILENCE).where(*wanted).order_by(SILENCE.c.number))))

    def oldest_notice(self) -> datetime | None:
        """Tell when the oldest entry came about."""
        row = self._one(_OLDEST)
        return row.came_at if row else None

    def notice_counts(self) -> Mapping[tuple[str, NoticeStatus], int]:
        """Count the entries: (channel, status) -> count."""
        return MappingProxyType({(row.channel, row.status): row.notices for row in self._all(_COUNTS)})

    def undelivered(self) -> Mapping[tuple[str, str, NoticeStatus], int]:
        """Count what has failed, to be tried again or given up: (channel, name of the webhook or empty, status) -> count."""
        found = {(row.channel, row.webhook, row.status): row.notices for row in self._all(_UNDELIVERED)}
        return MappingProxyType(found)

    def open_notices(self, vault_id: str) -> tuple[Notice, ...]:
        """List what is still to go out for a vault."""
        found = select(NOTICE).where(NOTICE.c.vault_id == vault_id, _OPEN).order_by(NOTICE.c.number)
        return tuple(map(notice_record, self._all(found)))


class NoticeWriter(NoticeReader):
    """What can be changed in the ledger."""

    def hold_cursor(self, name: str) -> int:
        """Tell up to which event a listener has read; whoever else asks waits until this transaction has ended."""
        row = self._one(_holding(on_postgresql=self._on_postgresql), name=name, sequence=0)
        return int(row.sequence) if row else 0

    def add_notice(self, notice: Notice) -> bool:
        """Add an entry, unless there is one for the same subject, topic, threshold, channel and address; say whether."""
        return self._try_add(NOTICE, notice_values(notice) | {"lease_owner": None, "lease_until": None, "fence": 0})

    def record_delivery(self, notice: Notice) -> None:
        """Record what came of it, under the fence that it was claimed with; the lease ends. Raises LeaseLost."""
        if self._update(NOTICE, {"id": notice.id, "fence": notice.fence}, _released(notice), leased=True) == 0:
            raise LeaseLost(f"The notice {notice.id} was taken over, or has changed meanwhile.")

    def set_notice_state(self, notice: Notice) -> None:
        """Replace an entry's state; a lease on it ends, and its fence moves on."""
        changed = _released(notice) | {"fence": NOTICE.c.fence + 1}
        self._change(update(NOTICE).where(NOTICE.c.id == notice.id).values(changed))

    def set_notice_acknowledged(self, notice: Notice) -> None:
        """Note by whom an entry was acknowledged; a lease on it goes on."""
        known = {"acknowledged_at": notice.acknowledged_at, "acknowledged_by": notice.acknowledged_by}
        self._change(update(NOTICE).where(NOTICE.c.id == notice.id).values(known))

    def gather_parts(self, notice: Notice, severities: Collection[Severity], limit: int) -> tuple[Notice, ...]:
        """List what waits for the channel and address of a notice, that one included, and holds nobody else's lease."""
        mine = (NOTICE.c.id == notice.id) & (NOTICE.c.fence == notice.fence)
        wanted = (
            NOTICE.c.vault_id == notice.vault_id,
            NOTICE.c.channel == notice.channel,
            NOTICE.c.address == notice.address,
            NOTICE.c.status == NoticeStatus.WAITING,
            NOTICE.c.severity.in_(severities),
            NOTICE.c.topic.not_in((Topic.DIGEST, Topic.TEST)),
            or_(mine, NOTICE.c.lease_owner.is_(None)),
        )
        # that one is among them however many came before it; what others have locked is theirs
        order = (case((mine, 0), else_=1), NOTICE.c.number)
        found = select(NOTICE).where(*wanted).order_by(*order).limit(limit).with_for_update(skip_locked=True)
        return tuple(map(notice_record, self._all(found)))

    def put_in_digest(self, digest_id: str, parts: Collection[Notice]) -> int:
        """Make parts of a digest of what still waits; give their count."""
        changed: Values = {"status": NoticeStatus.IN_DIGEST, "digest_id": digest_id, "due_at": None}
        changed |= {"lease_owner": None, "lease_until": None, "fence": NOTICE.c.fence + 1}
        return self._change(update(NOTICE).where(_among(parts), _OPEN).values(changed))

    def close_digest(self, digest: Notice) -> None:
        """Note with the parts of a digest when it was sent."""
        self._change(update(NOTICE).where(NOTICE.c.digest_id == digest.id).values(sent_at=digest.sent_at))

    def supersede(self, vault_id: str, kind: ObjectKind, name: str, version: str, topics: Collection[Topic]) -> int:
        """Let what was not sent of other versions than this be superseded; give the count."""
        of = {"of_vault": vault_id, "of_kind": kind, "of_name": fold_name(name), "of_version": version}
        return self._change(_SUPERSEDE, **of, topics=tuple(topics), new_status=NoticeStatus.SUPERSEDED, new_due_at=None)

    def silence_open(self, notices: Collection[Notice]) -> int:
        """Let notices that have not gone out be silenced; give the count."""
        changed = {"status": NoticeStatus.SILENCED, "due_at": None}
        unsent = (_OPEN, NOTICE.c.lease_owner.is_(None))
        parts = (found[start : start + _MOST_IDS] for found in (tuple(notices),) for start in range(0, len(found), _MOST_IDS))
        return sum(self._change(update(NOTICE).where(_among(part), *unsent).values(changed)) for part in parts)

    def hasten_notices(self, latest: datetime, at: datetime) -> int:
        """Let what was to go out after `latest` fall due at `at`, and end leases of that clock that last longer; count."""
        hastened: Values = {"due_at": at}
        if not self._on_postgresql:
            hastened |= {"lease_owner": None, "lease_until": None, "fence": NOTICE.c.fence + 1}
        return self._change(update(NOTICE).where(_OPEN, self._is_after(latest)).values(hastened))

    def add_silence(self, silence: Silence) -> None:
        """Add a silence."""
        self._add(SILENCE, silence_values(silence), "There is a silence of this id.")

    def delete_silence(self, vault_id: str, silence_id: str) -> bool:
        """End a silence; say whether there was one."""
        this = (SILENCE.c.vault_id == vault_id, SILENCE.c.id == silence_id)
        return self._change(delete(SILENCE).where(*this)) > 0

    def forget_notices(self, before: datetime, limit: int) -> int:
        """Delete entries that ended before a time, and silences likewise; give the count."""
        digest = NOTICE.alias("digest")
        is_part = exists().where(digest.c.id == NOTICE.c.digest_id, digest.c.status.in_(OPEN))
        ended = (NOTICE.c.came_at < before, _ENDED, ~is_part)
        old = select(NOTICE.c.number).where(*ended).order_by(NOTICE.c.number).limit(limit)
        count = self._change(delete(NOTICE).where(NOTICE.c.number.in_(old.scalar_subquery())))
        return count + self._change(delete(SILENCE).where(SILENCE.c.until < before))


@cache
def _holding(*, on_postgresql: bool) -> Executable:
    first = insertion(CURSOR, on_postgresql=on_postgresql)
    held = first.on_conflict_do_update(index_elements=["name"], set_={"name": first.excluded.name})
    return held.returning(CURSOR.c.sequence)


def _subject(vault_id: str, kind: ObjectKind, name: str) -> tuple[ColumnElement[bool], ...]:
    return NOTICE.c.vault_id == vault_id, NOTICE.c.kind == kind, NOTICE.c.folded == fold_name(name)


def _among(notices: Collection[Notice]) -> ColumnElement[bool]:
    return NOTICE.c.id.in_([notice.id for notice in notices])


def _released(notice: Notice) -> Values:
    return state_values(notice) | {"lease_owner": None, "lease_until": None}
