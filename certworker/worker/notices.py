"""The rounds of notices: what time brings is seen, what happened is written into the ledger, and what is there goes out."""

from datetime import datetime, timedelta
from typing import Final

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.vault.notification.ledger import Notice
from certworker.vault.progression import LEASE
from certworker.vault.watches import Watch, WatchKind
from certworker.worker.round import MOST_A_ROUND, Group, Round, each, guarded, present

MOST_FAILURES: Final = 3
"""After so many failed deliveries the next channel has its turn: one that hangs holds up no other."""
MOST_BATCHES: Final = 10
LISTENING_INTERVAL: Final = timedelta(minutes=1)
"""Events are looked for so often whatever their times: a clock may have gone back since they were written."""
OBLIVION_INTERVAL: Final = timedelta(hours=6)


def marks(house: House, owner: str) -> Round:
    """Look at the versions whose end is near, or whose renewal comes or is overdue."""
    service = house.lifecycle.notification.expiry_watch

    def claim(at: datetime) -> Watch | None:
        with house.store.writing() as writer:
            return writer.claim_watch(WatchKind.EXPIRY, owner, present(at, house.clock()), LEASE)

    def run(at: datetime) -> int:
        def look(watch: Watch) -> None:
            guarded(watch.name, lambda: service.look(watch, at), lambda _text: service.put_off(watch, at))

        return each(lambda: claim(at), look)

    return Round("marks", Group.NOTICES, run, lambda reader: reader.next_watch(WatchKind.EXPIRY))


def tellings(house: House, _owner: str) -> Round:
    """Write what happened into the ledger, for each who is to hear of it."""
    service = house.lifecycle.notification.telling

    def run(at: datetime) -> int:
        count = 0
        for _ in range(MOST_BATCHES):
            told = service.read_events(at)
            if not told:
                break
            count += told
        return count

    return Round("tellings", Group.NOTICES, run, service.unread_since, LISTENING_INTERVAL)


def deliveries(house: House, owner: str) -> Round:
    """Deliver what is due, channel by channel."""
    service = house.lifecycle.notification.deliveries

    def attempt(notice: Notice) -> bool:
        arrived = []
        guarded(notice.id, lambda: arrived.append(service.deliver(notice)), lambda text: service.put_off(notice, text))
        return arrived == [True]

    def run_channel(channel: str, at: datetime) -> int:
        count = failures = 0
        while count < MOST_A_ROUND and failures < MOST_FAILURES:
            notice = service.claim(channel, owner, present(at, house.clock()))
            if notice is None:
                break
            count += 1
            failures += not attempt(notice)
        return count

    def run(at: datetime) -> int:
        return sum(run_channel(channel, at) for channel in sorted(service.channels))

    return Round("deliveries", Group.NOTICES, run, service.next_due)


def oblivion(house: House, _owner: str) -> Round:
    """Forget what was told long ago."""
    kept = timedelta(days=house.settings.notices.keep_days)

    def run(at: datetime) -> int:
        before = whole_second(at) - kept
        with house.store.reading() as reader:
            oldest = reader.oldest_notice()
        if oldest is None or oldest >= before:
            return 0
        with house.store.writing() as writer:
            return writer.forget_notices(before, MOST_A_ROUND)

    return Round("oblivion", Group.UPKEEP, run, interval=OBLIVION_INTERVAL)
