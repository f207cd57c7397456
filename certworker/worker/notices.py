"""The rounds of notices: what time brings is seen, what happened is written into the ledger, and what is there goes out."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.vault.notification.audience import MAIL
from certworker.vault.notification.deliveries import LONGEST_WAIT
from certworker.vault.notification.ledger import Notice
from certworker.vault.progression import LEASE
from certworker.vault.watches import Watch, WatchKind
from certworker.worker.round import MOST_A_ROUND, Group, Round, each, guarded, lost_by, present

MOST_FAILURES: Final = 3
"""After so many failed deliveries an address is left alone for the round: one that hangs holds up no other. All mail is the
relay's."""
MOST_IN_TURN: Final = 10
"""After so many deliveries to one address the others of its channel have their turn, however many wait for it."""
LONGEST_TURN: Final = timedelta(minutes=1)
"""After this the next channel has its turn, once every address had its own."""
MOST_BATCHES: Final = 10
LISTENING_INTERVAL: Final = timedelta(minutes=1)
"""Events are looked for so often whatever their times: a clock may have gone back since they were written."""
OBLIVION_INTERVAL: Final = timedelta(hours=6)
MOST_FORGOTTEN: Final = 20_000
"""In a day more is forgotten than a large fleet is told."""
HASTENING_INTERVAL: Final = timedelta(hours=1)
LATEST: Final = 2 * LONGEST_WAIT


def marks(house: House, owner: str) -> Round:
    """Look at the versions whose end is near, or whose renewal comes or is overdue."""
    service, lost = house.lifecycle.notification.expiry_watch, lost_by(house.measures, "marks")

    def claim(at: datetime) -> Watch | None:
        with house.store.writing() as writer:
            return writer.claim_watch(WatchKind.EXPIRY, owner, present(at, house.clock()), LEASE)

    def run(at: datetime) -> int:
        def look(watch: Watch) -> None:
            guarded(watch.name, lambda: service.look(watch, at), lambda _text: service.put_off(watch, at), lost)

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
    service, lost = house.lifecycle.notification.deliveries, lost_by(house.measures, "deliveries")

    def attempt(notice: Notice) -> bool:
        arrived = []
        guarded(notice.id, lambda: arrived.append(service.deliver(notice)), lambda text: service.put_off(notice, text), lost)
        return arrived == [True]

    def give_turns(channel: str, at: datetime, failures: Counter[str]) -> int:
        turns: Counter[str] = Counter()
        while True:
            besides = _tired(turns, failures)
            if channel == MAIL and besides:
                return turns.total()
            notice = service.claim(channel, owner, present(at, house.clock()), besides)
            if notice is None:
                return turns.total()
            who = _who_hangs(notice)
            turns[who] += 1
            failures[who] += not attempt(notice)

    def run_channel(channel: str, at: datetime) -> int:
        count, failures, begun = 0, Counter[str](), house.clock()
        while count < MOST_A_ROUND and (done := give_turns(channel, at, failures)):
            count += done
            if not timedelta() <= house.clock() - begun < LONGEST_TURN:
                break
        return count

    def run(at: datetime) -> int:
        return sum(run_channel(channel, at) for channel in sorted(service.channels))

    return Round("deliveries", Group.NOTICES, run, service.next_due)


def _who_hangs(notice: Notice) -> str:
    """Name whoever takes a notice or does not: of mail the relay, whoever it is for."""
    return MAIL if notice.channel == MAIL else notice.address


def _tired(turns: Counter[str], failures: Counter[str]) -> frozenset[str]:
    """List those who have had their turn, or are left alone for this round."""
    done = {who for who, count in turns.items() if count >= MOST_IN_TURN}
    return frozenset(done | {who for who, count in failures.items() if count >= MOST_FAILURES})


def hastening(house: House, _owner: str) -> Round:
    """Let what was planned by a clock that was ahead go out: nothing ever waits for so long."""

    def run(at: datetime) -> int:
        latest = whole_second(at) + LATEST
        with house.store.reading() as reader:
            if not reader.has_notices_after(latest):
                return 0
        with house.store.writing() as writer:
            return writer.hasten_notices(latest, whole_second(at))

    return Round("hastening", Group.NOTICES, run, interval=HASTENING_INTERVAL)


def oblivion(house: House, _owner: str) -> Round:
    """Forget what was told long ago."""
    kept = timedelta(days=house.settings.notices.keep_days)

    def run(at: datetime) -> int:
        before = whole_second(at) - kept
        with house.store.reading() as reader:
            oldest = reader.oldest_notice()
        if oldest is None or oldest >= before:
            return 0
        forgotten = 0
        for _ in range(MOST_FORGOTTEN // MOST_A_ROUND):
            with house.store.writing() as writer:
                count = writer.forget_notices(before, MOST_A_ROUND)
            forgotten += count
            if count < MOST_A_ROUND:
                break
        return forgotten

    return Round("oblivion", Group.UPKEEP, run, interval=OBLIVION_INTERVAL)
