"""The desk of notices: what was told is looked up, replayed, acknowledged and silenced here, and tried out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter, Conflict, NotFound
from certworker.vault.access import Access, Caller
from certworker.vault.notification.audience import Audience
from certworker.vault.notification.ledger import Notice, NoticeStatus, Silence
from certworker.vault.notification.message import Severity, Topic
from certworker.vault.notification.telling import covers
from certworker.vault.notification.topics import REMINDERS, is_as_severe
from certworker.vault.objects import ObjectKind, fold_name
from certworker.vault.store import Page, Store, Writer
from certworker.vault.vaults import Vault

MOST_REPLAYED: Final = 1000
MAX_LENGTH: Final = 256
_ABOUT_NOTHING: Final = (Topic.DIGEST, Topic.TEST)
_REPLAYABLE: Final = (NoticeStatus.DEAD, NoticeStatus.SILENCED, NoticeStatus.SUPERSEDED)


class NoticeDesk:
    """Serves those who look after a vault's contacts."""

    def __init__(self, store: Store, access: Access, audience: Audience, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._audience = audience
        self._clock = clock

    def list(self, caller: Caller, vault: Vault, status: NoticeStatus | None, after: str | None, limit: int) -> Page[Notice]:
        """List a vault's notices, the newest first, going on after the id `after`. Raises Forbidden, BadParameter."""
        self._require(caller, vault)
        with self._store.reading() as reader:
            number = reader.notice_number(after) if after else None
            if after and number is None:
                raise BadParameter("$skiptoken is not one that a nextLink of this vault has.", "$skiptoken")
            found = reader.notices(vault.id, status, number, limit + 1)
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def get(self, caller: Caller, vault: Vault, notice_id: str) -> Notice:
        """Show a notice. Raises NotFound."""
        self._require(caller, vault)
        with self._store.reading() as reader:
            return _found(reader.notice(notice_id), vault, notice_id)

    def replay(self, caller: Caller, vault: Vault, notice_id: str) -> Notice:
        """Let a notice that was given up or held back go out now, under its own id. Raises NotFound, Conflict."""
        return self._change(caller, vault, notice_id, self._again)

    def replay_dead(self, caller: Caller, vault: Vault) -> tuple[Notice, ...]:
        """Let every notice that was given up go out now, many at the most."""
        self._require(caller, vault)
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            dead = writer.notices(vault.id, NoticeStatus.DEAD, None, MOST_REPLAYED)
            return tuple(self._again(writer, notice, caller, at) for notice in dead)

    def acknowledge(self, caller: Caller, vault: Vault, notice_id: str) -> Notice:
        """Note that somebody knows: of this subject and topic nobody is reminded, unless it gets worse or is of a new version.

        Of a digest all parts are known. Raises NotFound.
        """
        return self._change(caller, vault, notice_id, _acknowledged)

    def silence(self, caller: Caller, vault: Vault, pattern: str, topic: Topic | None, until: datetime, why: str) -> Silence:
        """Tell nobody of names that match, until a time; what waits already stays unsent as well. Raises BadParameter."""
        self._require(caller, vault)
        at, until = whole_second(self._clock()), whole_second(until)
        _check_text("pattern", pattern)
        _check_text("why", why)
        if until <= at:
            raise BadParameter(f"until has the value {until:%Y-%m-%dT%H:%M:%SZ}, which is past.", "until")
        silence = Silence(uuid4().hex, vault.id, pattern, topic, until, caller.object_id, why, at)
        with self._store.writing() as writer:
            writer.add_silence(silence)
            waiting = [notice for notice in writer.open_notices(vault.id) if notice.topic not in _ABOUT_NOTHING]
            writer.silence_open([notice for notice in waiting if covers(silence, notice.name, notice.topic)])
        return silence

    def silences(self, caller: Caller, vault: Vault) -> tuple[Silence, ...]:
        """List the silences that are in force."""
        self._require(caller, vault)
        with self._store.reading() as reader:
            return reader.silences(vault.id, whole_second(self._clock()))

    def unsilence(self, caller: Caller, vault: Vault, silence_id: str) -> None:
        """End a silence. Raises NotFound."""
        self._require(caller, vault)
        with self._store.writing() as writer:
            if not writer.delete_silence(vault.id, silence_id):
                raise NotFound(f"The vault {vault.name} has no silence {silence_id[:64]}.")

    def test(self, caller: Caller, vault: Vault, channel: str | None) -> tuple[Notice, ...]:
        """Send a test to everybody who would hear of a certificate of the vault, by one channel or all.

        Raises BadParameter where that is nobody.
        """
        self._require(caller, vault)
        if channel is not None and channel not in self._audience.channels:
            known = ", ".join(sorted(self._audience.channels)) or "none"
            raise BadParameter(f"There is no channel {channel[:64]!r}; there are: {known}.", "channel")
        at, test_id = whole_second(self._clock()), uuid4().hex
        with self._store.writing() as writer:
            everybody = self._audience.addresses(writer, vault, ObjectKind.CERTIFICATE, Topic.TEST)
            wanted = [address for address in everybody if channel in (None, address[0])]
            if not wanted:
                raise BadParameter(_nobody(self._audience), "channel")
            made = tuple(_test(vault, test_id, address, at) for address in wanted)
            for notice in made:
                writer.add_notice(notice)
        return made

    def _change(
        self,
        caller: Caller,
        vault: Vault,
        notice_id: str,
        change: Callable[[Writer, Notice, Caller, datetime], Notice],
    ) -> Notice:
        self._require(caller, vault)
        with self._store.writing() as writer:
            notice = _found(writer.notice(notice_id), vault, notice_id)
            return change(writer, notice, caller, whole_second(self._clock()))

    def _again(self, writer: Writer, notice: Notice, _caller: Caller, at: datetime) -> Notice:
        if notice.status not in _REPLAYABLE:
            known = "has gone out" if notice.status is NoticeStatus.SENT else f"is {notice.status.value}"
            raise Conflict(f"The notice {notice.id} {known}; what is dead, silenced or superseded can be replayed.")
        again = replace(notice, status=NoticeStatus.RETRYING, due_at=at, attempts=0)
        writer.set_notice_state(again)
        return again

    def _require(self, caller: Caller, vault: Vault) -> None:
        self._access.require(caller, vault, "certificates", "managecontacts")


def _acknowledged(writer: Writer, notice: Notice, caller: Caller, at: datetime) -> Notice:
    known = replace(notice, acknowledged_at=at, acknowledged_by=caller.object_id)
    parts = writer.digest_parts(notice.id) if notice.topic is Topic.DIGEST else ()
    for one in (known, *parts):
        writer.set_notice_acknowledged(replace(one, acknowledged_at=at, acknowledged_by=caller.object_id))
    # what is no reminder tells of something else each time, though it be of the same name
    reminders = {_subject(one): one for one in sorted((known, *parts), key=_severity) if one.topic in REMINDERS}
    waiting = writer.open_notices(notice.vault_id) if reminders else ()
    writer.silence_open([other for other in waiting if _is_covered(reminders.get(_subject(other)), other)])
    return writer.notice(notice.id) or known


def _subject(notice: Notice) -> tuple[ObjectKind, str, str, Topic]:
    return notice.kind, fold_name(notice.name), notice.version, notice.topic


def _severity(notice: Notice) -> int:
    return tuple(Severity).index(notice.severity)


def _is_covered(known: Notice | None, other: Notice) -> bool:
    return known is not None and is_as_severe(known.severity, other.severity)


def _found(notice: Notice | None, vault: Vault, notice_id: str) -> Notice:
    if notice is None or notice.vault_id != vault.id:
        raise NotFound(f"The vault {vault.name} has no notice {notice_id[:64]}.")
    return notice


def _check_text(name: str, text: str) -> None:
    if not text or len(text) > MAX_LENGTH or not text.isprintable():
        raise BadParameter(f"{name} has 1 to {MAX_LENGTH} characters, all of which can be printed.", name)


def _nobody(audience: Audience) -> str:
    if not audience.channels:
        return "There is no channel: set [mail], [webhooks.NAME] or [hook], and start the service anew."
    return "Nobody listens: add a contact to the vault, or set webhooks or a hook."


def _test(vault: Vault, test_id: str, address: tuple[str, str], at: datetime) -> Notice:
    return Notice(
        id=uuid4().hex,
        vault_id=vault.id,
        kind=ObjectKind.CERTIFICATE,
        name="",
        version="",
        topic=Topic.TEST,
        threshold=test_id,
        channel=address[0],
        address=address[1],
        severity=Severity.INFO,
        at=at,
        due_at=at,
    )
