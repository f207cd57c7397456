"""The rounds of revocation: lists are refreshed before they run out, and certificates are looked at again and again."""

from datetime import datetime, timedelta
from typing import Final

from certworker.bootstrap import House
from certworker.crypto.revocation import RevocationList
from certworker.vault.progression import LEASE
from certworker.vault.revocation.sources import Source, SourceKind
from certworker.vault.watches import Watch, WatchKind
from certworker.worker.round import Group, Round, each, guarded, lost_by, present

SWEEP_INTERVAL: Final = timedelta(minutes=1)
CLEARING_INTERVAL: Final = timedelta(hours=6)
UNUSED_AFTER: Final = timedelta(days=14)
"""So long is a list kept that nothing needs any more."""


def newcomers(house: House, _owner: str) -> Round:
    """Begin to watch over versions that came."""
    watching = house.lifecycle.revocation.watching
    interval = SWEEP_INTERVAL if house.settings.revocation.enabled else None
    return Round("revocation-newcomers", Group.WATCHING, watching.sweep, interval=interval)


def lists(house: House, owner: str) -> Round:
    """Refresh the lists that are due; what a new one has an entry for is looked at next."""
    services, lost = house.lifecycle.revocation, lost_by(house.measures, "crl-refresh")

    def claim(at: datetime) -> Source | None:
        with house.store.writing() as writer:
            return writer.claim_source(None, owner, present(at, house.clock()), LEASE)

    def run(at: datetime) -> int:
        came: list[RevocationList] = []

        def refresh(source: Source) -> None:
            new = services.lists.refresh(source, house.clock())
            if new is not None:
                came.append(new)

        def refresh_guarded(source: Source) -> None:
            guarded(source.url, lambda: refresh(source), lambda text: services.lists.put_off(source, text, house.clock()), lost)

        count = each(lambda: claim(at), refresh_guarded)
        # all watches are gone through: once for all lists, which may be a hundred shards
        services.watching.spread(came)
        return count

    enabled = house.settings.revocation.enabled
    return Round(
        "crl-refresh",
        Group.WATCHING,
        run,
        (lambda reader: reader.next_source()) if enabled else None,
    )


def looks(house: House, owner: str) -> Round:
    """Look at the certificates whose time has come, those that wait the longest first."""
    watching, lost = house.lifecycle.revocation.watching, lost_by(house.measures, "revocation")

    def claim(at: datetime) -> Watch | None:
        with house.store.writing() as writer:
            return writer.claim_watch(WatchKind.REVOCATION, owner, present(at, house.clock()), LEASE)

    def look(watch: Watch) -> None:
        guarded(watch.name, lambda: watching.look(watch), lambda text: watching.put_off(watch, text), lost)

    enabled = house.settings.revocation.enabled
    return Round(
        "revocation",
        Group.WATCHING,
        lambda at: each(lambda: claim(at), look),
        (lambda reader: reader.next_watch(WatchKind.REVOCATION)) if enabled else None,
    )


def clearing(house: House, _owner: str) -> Round:
    """Forget lists that nothing needs any more."""

    def clear(at: datetime) -> int:
        before = at - UNUSED_AFTER
        with house.store.reading() as reader:
            unused = any(source.used_at < before for kind in SourceKind for source in reader.sources(kind))
        if not unused:
            return 0
        with house.store.writing() as writer:
            return writer.delete_unused_sources(before)

    return Round("revocation-clearing", Group.WATCHING, clear, interval=CLEARING_INTERVAL)
