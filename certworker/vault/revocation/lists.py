"""Revocation lists: fetched once for all that point to them, kept until they run out, and refreshed before."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from threading import Lock
from typing import Final

from certworker.clock import whole_second
from certworker.crypto.revocation import RevocationList, read_list
from certworker.crypto.revocation.origin import is_list_signed_by
from certworker.crypto.x509 import read_certificate
from certworker.errors import BadParameter, CertworkerError, Unavailable
from certworker.vault.revocation.backing_off import failed
from certworker.vault.revocation.compromised import digest_of
from certworker.vault.revocation.sources import LEEWAY, Fetched, Fetcher, Source, SourceKind
from certworker.vault.store import Store

LEASE: Final = timedelta(minutes=3)
OWNER: Final = "a look at a certificate"
"""Who holds the lease of a list that is fetched at the first need; no process has this name, and leases run out."""
SOONEST: Final = timedelta(seconds=30)
SPREAD: Final = 0.2
"""A list is refreshed earlier by up to this part of the interval, so that a thousand do not come at once."""
MOST_READ: Final = 512
MOST_ENTRIES: Final = 500_000
"""So many lists are kept as they were read, with so many entries: the latest in any case, however long it is."""


@dataclass(frozen=True, slots=True)
class Found:
    """A list that is at hand, or why there is none."""

    list: RevocationList | None
    why: str = ""


class Lists:
    """The lists that are kept. What was read is remembered by the fence of its row, which moves on with each refresh."""

    def __init__(self, store: Store, fetcher: Fetcher, random: Random, check_every: timedelta) -> None:
        self._store = store
        self._fetcher = fetcher
        self._random = random
        self._check_every = check_every
        self._read: OrderedDict[tuple[str, str, int], RevocationList] = OrderedDict()
        self._lock = Lock()

    def find(self, url: str, issuer: bytes, at: datetime, may_ask: Callable[[], bool], *, anew: bool = False) -> Found:
        """Find the list at a URL, which `issuer` signs; it is fetched where it is not at hand, or has run out.

        One that failed is left alone until its back-off is over; `anew`, one that was not fetched just now is fetched again.
        """
        signer = signer_of(issuer)
        with self._store.reading() as reader:
            source = reader.source(SourceKind.LIST, url, signer)
        if source is None or _needs_fetching(source, at, anew=anew):
            wanted = Source(SourceKind.LIST, url, due_at=at, used_at=at, signer=signer, issuer=issuer)
            source = self._fetch(wanted, at) if may_ask() else source or wanted
        if source.fetched_at is None:
            return Found(None, source.last_error or f"The list at {url} has not been fetched yet.")
        return Found(self._parsed(source), source.last_error or "")

    def refresh(self, source: Source, at: datetime) -> RevocationList | None:
        """Fetch a list that was claimed, and record what came; give it where it is another one than before.

        What is no list, is not signed by its issuer, or is older than what there is, does not take its place. Raises LeaseLost.
        """
        at = whole_second(at)
        try:
            changed, new = self._renewed(source, at)
        except CertworkerError as error:
            changed, new = failed(source, error, at), None
        with self._store.writing() as writer:
            writer.set_source(changed)
        if new is not None:  # one without entries is false
            self._keep(changed, new)
        return new

    def put_off(self, source: Source, error: str, at: datetime) -> None:
        """Record that a refresh went wrong in a way that nobody foresaw. Raises LeaseLost."""
        with self._store.writing() as writer:
            writer.set_source(failed(source, Unavailable(error), whole_second(at)))

    def _fetch(self, wanted: Source, at: datetime) -> Source:
        place = (wanted.url, wanted.signer)
        with self._store.writing() as writer:
            writer.add_source(wanted)
            known = writer.source(SourceKind.LIST, *place) or wanted
            if not known.failures and known.due_at and known.due_at > at:
                # it has run out, or somebody wants to know now
                writer.pull_source_in(*place, at)
            claimed = writer.claim_source(place, OWNER, at, LEASE)
        if claimed is None:
            return known
        self.refresh(claimed, at)
        with self._store.reading() as reader:
            return reader.source(SourceKind.LIST, *place) or known

    def _renewed(self, source: Source, at: datetime) -> tuple[Source, RevocationList | None]:
        tag, modified = (source.etag, source.last_modified) if source.body else (None, None)
        fetched = self._fetcher.fetch(source.url, tag, modified)
        if fetched is None or fetched.body == source.body:
            one, new = read_list(source.body), None
        else:
            one = new = _checked(source, fetched, at)
        due_at = self._next(at, one.next_update)
        changed = replace(source, due_at=due_at, fetched_at=at, failures=0, last_error=None, failing_since=None)
        if new is not None and fetched:
            changed = replace(
                changed,
                body=new.der,
                etag=fetched.etag,
                last_modified=fetched.last_modified,
                number=new.number,
                next_update=new.next_update,
            )
        if one.next_update and one.next_update <= at:
            error = Unavailable(f"The list at {source.url} ran out at {one.next_update:%Y-%m-%d %H:%M} UTC.")
            changed = failed(replace(changed, failures=source.failures, failing_since=source.failing_since), error, at)
        return changed, new

    def _next(self, at: datetime, next_update: datetime | None) -> datetime:
        interval = self._check_every
        if next_update:
            interval = min(interval, (next_update - at) / 2)
        return whole_second(at + max(SOONEST, interval * (1 - SPREAD * self._random.random())))

    def _parsed(self, source: Source) -> RevocationList | None:
        place = (source.url, source.signer, source.fence)
        with self._lock:
            if (known := self._read.get(place)) is not None:
                self._read.move_to_end(place)
                return known
        with self._store.reading() as reader:
            body = reader.source_body(SourceKind.LIST, source.url, source.signer)
        try:
            return self._keep(source, read_list(body))
        except BadParameter:
            return None

    def _keep(self, source: Source, one: RevocationList) -> RevocationList:
        with self._lock:
            for place in [place for place in self._read if place[:2] == (source.url, source.signer)]:
                del self._read[place]
            self._read[source.url, source.signer, source.fence] = one
            entries = sum(kept.count for kept in self._read.values())
            while len(self._read) > 1 and (len(self._read) > MOST_READ or entries > MOST_ENTRIES):
                entries -= self._read.popitem(last=False)[1].count
        return one


def _needs_fetching(source: Source, at: datetime, *, anew: bool) -> bool:
    if source.failures:
        return source.due_at is not None and source.due_at <= at
    ran_out = source.next_update is not None and source.next_update <= at
    just_now = source.fetched_at is not None and timedelta(0) <= at - source.fetched_at < SOONEST
    return source.fetched_at is None or ran_out or (anew and not just_now)


def _checked(source: Source, fetched: Fetched, at: datetime) -> RevocationList:
    """Read what came. Raises BadParameter for what must not take the place of what there is."""
    one = read_list(fetched.body)
    if source.issuer and not is_list_signed_by(one, source.issuer):
        raise BadParameter(f"What {source.url} gives is not signed by the issuer of the certificates that name it.")
    if one.this_update > at + LEEWAY:
        raise BadParameter(f"What {source.url} gives is of a time that has not come yet, {one.this_update:%Y-%m-%d %H:%M} UTC.")
    if source.number is not None and (one.number is None or one.number < source.number):
        raise BadParameter(f"What {source.url} gives has the number {one.number}, and {source.number} was seen before.")
    if source.body and one.this_update < read_list(source.body).this_update:
        raise BadParameter(f"What {source.url} gives is older than what was seen before.")
    return one


def signer_of(issuer: bytes) -> str:
    """Name who signs by the key of a certificate: those for one key, cross-signed say, are the same signer."""
    return digest_of(read_certificate(issuer).public_key)
