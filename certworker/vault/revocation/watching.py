"""The watch over revocation: each current version is looked at again and again, and what was found is acted on once."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from certworker.clock import Clock, whole_second
from certworker.crypto.revocation import RevocationList
from certworker.crypto.x509 import read_certificate
from certworker.errors import BadParameter, OperationInProgress
from certworker.measures import Measure, Measures
from certworker.vault.events import Event, EventType
from certworker.vault.issuances import Issuances
from certworker.vault.objects import CertificateVersion, ObjectKind
from certworker.vault.operations import OperationReason
from certworker.vault.revocation.checking import Checks, Verdict, is_checkable, links_of, why_not
from certworker.vault.revocation.compromised import compromised_since
from certworker.vault.revocation.consequences import Consequences, request_for
from certworker.vault.revocation.sources import SourceKind
from certworker.vault.revocation.standing import (
    KEY_COMPROMISE,
    NEVER_LOOKED,
    Request,
    Standing,
    Status,
    read_status,
    show_time,
    write_status,
)
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.watches import Watch, WatchKind

LONGEST: Final = timedelta(days=1)
"""A certificate is looked at once a day at the least."""
FIRST_LOOK: Final = timedelta(hours=1)
"""A version that came is looked at for the first time within this."""
UNKNOWN_AGAIN: Final = timedelta(minutes=5)
TOLD_AFTER: Final = timedelta(days=1)
"""So long may it be unknown what became of a certificate, until somebody is told."""
_LEEWAY: Final = timedelta(minutes=5)
_MOST_DOUBLINGS: Final = 10
_MOST_AT_ONCE: Final = 200
_EXPIRED: Final = "It has expired: nobody tells of it any more."


class RevocationWatching:
    """Looks at watches. No transaction is open while others are asked; one records all that was found, and what follows."""

    def __init__(
        self,
        store: Store,
        checks: Checks,
        consequences: Consequences,
        issuances: Issuances,
        clock: Clock,
        random: Random,
        check_every: timedelta,
        measures: Measures,
    ) -> None:
        self._store = store
        self._checks = checks
        self._consequences = consequences
        self._issuances = issuances
        self._clock = clock
        self._random = random
        self._check_every = check_every
        self._measures = measures
        for method in ("crl", "ocsp", "none"):
            measures.count(Measure.REVOCATION_CHECKS, method, "good", by=0)
        self._looked_ahead: datetime | None = None

    def sweep(self, at: datetime) -> int:
        """Begin to watch over versions that came, some at the most; give the count.

        Where the clock has gone back, what would wait until it is again as late as it was is looked at now.
        """
        with self._store.reading() as reader:
            found = reader.versions_without_watch(WatchKind.REVOCATION, _MOST_AT_ONCE)
            waits = self._waits_too_long(reader, at)
        watches = [self._first(version, at) for version in found]
        if not watches and not waits:
            return 0
        with self._store.writing() as writer:
            for watch in watches:
                # it may have been followed by another one, or deleted, since it was listed
                current = writer.certificate_version(watch.vault_id, watch.name, None)
                if current and current.version == watch.version:
                    writer.put_watch(watch)
                    self._consequences.came(writer, current, at)
            if not waits:
                return len(watches)
            pulled = writer.pull_watches_in(WatchKind.REVOCATION, at, at + LONGEST + _LEEWAY)
            return len(watches) + pulled + writer.pull_sources_in(at, at + LONGEST + _LEEWAY)

    def look(self, watch: Watch) -> None:
        """Look at a claimed watch. Raises LeaseLost where it was taken over meanwhile."""
        at = whole_second(self._clock())
        with self._store.reading() as reader:
            version = reader.certificate_version(watch.vault_id, watch.name, watch.version)
            known = read_status(watch, watch.version) or Status(Standing.UNKNOWN, at, NEVER_LOOKED)
            request = self._request(reader, version, known) if version else Request.NONE
        if version is None:
            return
        if request is Request.WANTED and self._ask_for_signature(version):
            request = Request.MADE
        verdict = None if known.is_final or _ended(version) <= at else self._checks.check(version, at)
        self._record(version, verdict, replace(known, request=request), watch)

    def put_off(self, watch: Watch, error: str) -> None:
        """Record that a look went wrong in a way that nobody foresaw. Raises LeaseLost."""
        at = whole_second(self._clock())
        known = read_status(watch, watch.version) or Status(Standing.UNKNOWN, at, error)
        failed = replace(_failed(known, error, at), failures=known.failures + 1)
        tells = _is_overdue(failed, at)
        state = write_status(replace(failed, told=failed.told or tells))
        with self._store.writing() as writer:
            version = writer.certificate_version(watch.vault_id, watch.name, watch.version)
            writer.set_watch(replace(watch, due_at=at + self._pause(failed.failures), state=state))
            if tells and version:
                writer.add_event(_unknown_event(writer, version, failed, at))

    def look_now(self, version: CertificateVersion) -> Watch:
        """Look at a version that is current, whoever is at it; give its watch as it is then."""
        at = whole_second(self._clock())
        verdict = self._checks.check(version, at, anew=True) if _ended(version) > at else None
        return self._record(version, verdict, Status(Standing.UNKNOWN, at, NEVER_LOOKED), None)

    def spread(self, lists: Iterable[RevocationList]) -> int:
        """Let those watches fall due whose certificates lists that came have entries for; give their count."""
        serials: set[int] = set()
        for one in lists:
            with suppress(BadParameter):  # of no use, which a look will tell
                serials |= one.serials()
        if not serials:
            return 0
        with self._store.reading() as reader:
            watches = reader.watches(WatchKind.REVOCATION)
        struck = [watch for watch in watches if watch.due_at is not None and _is_struck(watch, serials)]
        if struck:
            with self._store.writing() as writer:
                for watch in struck:
                    writer.hasten_watches(WatchKind.REVOCATION, watch.vault_id, watch.name)
        return len(struck)

    def _waits_too_long(self, reader: Reader, at: datetime) -> bool:
        """Whether something waits for longer than anything is planned for. Looked for once an hour, and after a step back."""
        if self._looked_ahead is not None and timedelta(0) <= at - self._looked_ahead < FIRST_LOOK:
            return False
        self._looked_ahead = at
        latest = at + LONGEST + _LEEWAY
        planned = [watch.due_at for watch in reader.watches(WatchKind.REVOCATION)]
        planned += [source.due_at for source in reader.sources(SourceKind.LIST)]
        return any(due_at is not None and due_at > latest for due_at in planned)

    def _first(self, version: CertificateVersion, at: datetime) -> Watch:
        try:
            links = links_of(version)
            checkable = any(map(is_checkable, links))
            why = NEVER_LOOKED if checkable else why_not(links)
        except BadParameter as error:
            checkable, why = False, str(error)
        standing = Standing.UNKNOWN if checkable else Standing.UNCHECKED
        within = min(self._check_every, FIRST_LOOK)
        due_at = whole_second(at + within * self._random.random()) if checkable else None
        state = write_status(Status(standing, at, why))
        return Watch(WatchKind.REVOCATION, version.vault_id, version.name, version.version, due_at, state)

    def _request(self, reader: Reader, version: CertificateVersion, known: Status) -> Request:
        """Tell whether a signing request is to be made: once for a version that is revoked, or whose key is compromised."""
        if known.request is Request.MADE:
            return known.request
        bad = known.standing is Standing.REVOKED or compromised_since(reader, read_certificate(version.der).public_key)
        return request_for(reader, version) if bad else Request.NONE

    def _ask_for_signature(self, version: CertificateVersion) -> bool:
        """Make a pending request with a new key; say whether there is one now."""
        with self._store.reading() as reader:
            vault = reader.vault(version.vault_id)
            certificate = reader.certificate(version.vault_id, version.name)
        if vault is None or certificate is None:
            return False
        try:
            self._issuances.begin_by_hand(vault, certificate, version, OperationReason.REVOKED)
        except OperationInProgress:
            # somebody has begun one, with a key that is not the compromised one: those are called off
            return True
        return True

    def _record(self, version: CertificateVersion, verdict: Verdict | None, known: Status, claimed: Watch | None) -> Watch:
        """Write down what was found, and what follows. A later look at the same finds that it was acted on.

        Where nothing was claimed, what is known by now goes before `known`: others may have looked meanwhile, or revoked it.
        """
        at = whole_second(self._clock())
        if verdict:
            self._measures.count(Measure.REVOCATION_CHECKS, verdict.source or "none", verdict.standing.value)
        place = (version.vault_id, version.name)
        with self._store.writing() as writer:
            # the name is held first, as by everybody
            head = writer.head(version.vault_id, ObjectKind.CERTIFICATE, version.name)
            if claimed is None:
                known = read_status(writer.watch(WatchKind.REVOCATION, *place), version.version) or known
            status = _changed(known, verdict, at) if verdict else _without_look(known, _ended(version) <= at)
            status = self._with_request(writer, version, status)
            tells = _is_overdue(status, at) and head is not None and head.deletion is None
            status = replace(status, told=status.told or tells)
            watch = Watch(WatchKind.REVOCATION, *place, version.version, self._next(status, at), write_status(status))
            if claimed:
                watch = replace(watch, fence=claimed.fence)
                writer.set_watch(watch)
            elif head and not head.deletion and head.current_version == version.version:
                writer.put_watch(watch)
            if verdict and verdict.urls:
                writer.use_sources(verdict.urls, at)
            if _is_news(known, status):
                self._consequences.found_revoked(writer, version, status, at)
            elif known.standing is Standing.REVOKED and status.standing is not Standing.REVOKED:
                self._consequences.taken_back(writer, version, at)
            if tells:
                writer.add_event(_unknown_event(writer, version, status, at))
        return watch

    def _with_request(self, writer: Writer, version: CertificateVersion, status: Status) -> Status:
        if status.request is Request.MADE:
            return status
        return replace(status, request=self._request(writer, version, status))

    def _next(self, status: Status, at: datetime) -> datetime | None:
        if status.request is Request.WANTED:
            return at
        # what cannot be checked itself is still looked at for what is above it
        if status.is_final or (status.standing is Standing.UNCHECKED and not status.serials):
            return None
        if status.standing is Standing.UNKNOWN:
            return at + self._pause(status.failures)
        fresh = (status.fresh_until - at) / 2 if status.fresh_until else self._check_every
        span = min(max(fresh, self._check_every), LONGEST)
        # those that were begun at once drift apart
        return whole_second(at + span * (1 - self._random.random() / 10))

    def _pause(self, failures: int) -> timedelta:
        doubled: int = 2 ** min(max(failures - 1, 0), _MOST_DOUBLINGS)
        return min(UNKNOWN_AGAIN * doubled, self._check_every)


def _changed(known: Status, verdict: Verdict, at: datetime) -> Status:
    """Put what a look has found in the place of what was known. `since` stays while it stands as it did.

    What is revoked stays so, whatever a source says that lags behind; only what was on hold may be good again.
    """
    if known.standing is Standing.REVOKED and verdict.standing is not Standing.REVOKED:
        released = verdict.standing is Standing.GOOD and not known.is_final
        if not released:
            return replace(known, looked_at=at)
    same = known.standing is verdict.standing and known.since <= at
    unknown = verdict.standing is Standing.UNKNOWN
    return Status(
        standing=verdict.standing,
        since=known.since if same else at,
        why=verdict.why,
        reason=verdict.reason,
        revoked_at=verdict.revoked_at,
        about=verdict.about,
        source=verdict.source,
        host=verdict.host,
        fresh_until=verdict.fresh_until,
        looked_at=at,
        failures=known.failures + 1 if unknown else 0,
        serials=verdict.serials,
        told=known.told and same,
        request=known.request,
    )


def _failed(known: Status, error: str, at: datetime) -> Status:
    """Say that a look failed: what was good stays so for as long as what it rests on, and then nobody knows."""
    if known.fresh_until and known.fresh_until > at:
        return known
    return _changed(known, Verdict(Standing.UNKNOWN, error, serials=known.serials), at)


def _without_look(known: Status, ended: bool) -> Status:  # noqa: FBT001 - a fact
    if known.standing is Standing.REVOKED or not ended:
        return known
    return Status(Standing.UNCHECKED, known.since, _EXPIRED, looked_at=known.looked_at)


def _is_news(known: Status, status: Status) -> bool:
    """Whether it is to be acted on: it was not known to be revoked, or not that its key is known to others."""
    if status.standing is not Standing.REVOKED:
        return False
    return known.standing is not Standing.REVOKED or (status.reason == KEY_COMPROMISE != known.reason)


def _is_overdue(status: Status, at: datetime) -> bool:
    return status.standing is Standing.UNKNOWN and not status.told and at - status.since >= TOLD_AFTER


def _ended(version: CertificateVersion) -> datetime:
    return read_certificate(version.der).not_after


def _is_struck(watch: Watch, serials: Collection[int]) -> bool:
    status = read_status(watch, watch.version)
    if status is None or status.standing is Standing.REVOKED:
        return False
    return any(int(serial, 16) in serials for serial in status.serials)


def _unknown_event(reader: Reader, version: CertificateVersion, status: Status, at: datetime) -> Event:
    vault = reader.vault(version.vault_id)
    detail = {"vault": vault.name if vault else "", "since": show_time(status.since), "why": status.why[:500]}
    place = (version.vault_id, ObjectKind.CERTIFICATE, version.name)
    return Event(EventType.REVOCATION_UNKNOWN, at, *place, version=version.version, detail=detail)
