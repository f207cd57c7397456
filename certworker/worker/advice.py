"""The rounds of advice: CAs are asked when they want their certificates to be renewed (RFC 9773)."""

from datetime import datetime, timedelta

from certworker.bootstrap import House
from certworker.vault.progression import LEASE
from certworker.vault.watches import Watch, WatchKind
from certworker.worker.round import Group, Round, each, guarded, lost_by, present

HEALING_INTERVAL = timedelta(days=1)
"""Every version is looked at. What is found came before a start, which looks at once, or while its issuer was disabled."""


def advice(house: House, owner: str) -> Round:
    """Ask about the versions whose time to be asked about has come, those that wait the longest first."""
    service, lost = house.lifecycle.advising, lost_by(house.measures, "advice")

    def claim(at: datetime) -> Watch | None:
        with house.store.writing() as writer:
            return writer.claim_watch(WatchKind.ADVICE, owner, present(at, house.clock()), LEASE)

    def look(watch: Watch) -> None:
        guarded(watch.name, lambda: service.look(watch), lambda text: service.put_off(watch, text), lost)

    return Round(
        "advice", Group.WATCHING, lambda at: each(lambda: claim(at), look), lambda reader: reader.next_watch(WatchKind.ADVICE)
    )


def healing(house: House, _owner: str) -> Round:
    """Find versions that a CA could be asked about and nobody does: those of an earlier release."""
    return Round("advice-healing", Group.WATCHING, house.lifecycle.advising.heal, interval=HEALING_INTERVAL)
