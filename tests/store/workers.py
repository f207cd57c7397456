"""What other processes do in the tests. They are spawned, and open the store themselves."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from threading import Barrier
from typing import ClassVar, TypeVar

from certworker.store.engine import open_store
from certworker.store.migrate import migrate
from certworker.vault.expiries import Expiries
from tests.support.clock import START, FakeClock
from tests.support.records import a_vault, an_event

T = TypeVar("T")
LEASE = timedelta(minutes=5)


class Pair:
    """Two processes, kept for the whole run because a process takes its time to start."""

    start: ClassVar[Barrier]

    def __init__(self, context: SpawnContext) -> None:
        barrier = context.Barrier(2)
        self._pool = ProcessPoolExecutor(2, mp_context=context, initializer=_keep, initargs=(barrier,))

    def run(self, work: Callable[[str, str], T], database_url: str) -> tuple[T, T]:
        """Let both do `work(name, database_url)` at once, and give what each came to."""
        one, two = (self._pool.submit(_at_once, work, name, database_url) for name in ("one", "two"))
        return one.result(60), two.result(60)

    def close(self) -> None:
        """End both."""
        self._pool.shutdown()


def _keep(barrier: Barrier) -> None:
    Pair.start = barrier


def _at_once(work: Callable[[str, str], T], name: str, database_url: str) -> T:
    Pair.start.wait(60)
    return work(name, database_url)


def claim_operations(name: str, database_url: str) -> list[str]:
    """Claim until nothing is due, each in a transaction of its own, and each at the same moment as the other process."""
    store = open_store(database_url, FakeClock())
    claimed: list[str] = []
    while True:
        Pair.start.wait(30)
        with store.writing() as writer:
            operation = writer.claim_operation(name, START, LEASE)
        if operation is None:
            store.close()
            return claimed
        claimed.append(operation.id)


def claim_renewals(name: str, database_url: str) -> list[str]:
    """Claim renewals likewise."""
    store = open_store(database_url, FakeClock())
    claimed: list[str] = []
    while True:
        Pair.start.wait(30)
        with store.writing() as writer:
            certificate = writer.claim_renewal(name, START, LEASE)
        if certificate is None:
            store.close()
            return claimed
        claimed.append(certificate.name)


def claim_one_of_each(name: str, database_url: str) -> list[str]:
    """Claim a renewal and an operation, each at the same moment as the other process."""
    store = open_store(database_url, FakeClock())
    Pair.start.wait(30)
    with store.writing() as writer:
        certificate = writer.claim_renewal(name, START, LEASE)
    Pair.start.wait(30)
    with store.writing() as writer:
        operation = writer.claim_operation(name, START, LEASE)
    store.close()
    return [claim.name for claim in (certificate, operation) if claim]


def claim_rotations(name: str, database_url: str) -> list[str]:
    """Claim rotations likewise."""
    store = open_store(database_url, FakeClock())
    claimed: list[str] = []
    while True:
        Pair.start.wait(30)
        with store.writing() as writer:
            rotation = writer.claim_rotation(name, START, LEASE)
        if rotation is None:
            store.close()
            return claimed
        claimed.append(rotation.name)


def claim_deliveries(name: str, database_url: str) -> list[str]:
    """Claim notices likewise."""
    store = open_store(database_url, FakeClock())
    claimed: list[str] = []
    while True:
        Pair.start.wait(30)
        with store.writing() as writer:
            notice = writer.claim_delivery("mail", name, START, LEASE)
        if notice is None:
            store.close()
            return claimed
        claimed.append(notice.id)


def tell_notices(_name: str, database_url: str) -> int:
    """Tell what is due, at the same moment as the other process; give the count."""
    store = open_store(database_url, FakeClock())
    Pair.start.wait(30)
    count = Expiries(store).tell_due(START)
    store.close()
    return count


def append_events(name: str, database_url: str) -> list[int]:
    """Append events, two in each transaction, and read along: gives the numbers in the order in which they were seen."""
    store, seen = open_store(database_url, FakeClock()), [0]
    for number in range(100):
        with store.writing() as writer:
            writer.add_event(an_event(f"{name}-{2 * number}"))
            writer.add_event(an_event(f"{name}-{2 * number + 1}"))
        with store.reading() as reader:
            seen += [event.sequence for event in reader.events(seen[-1], 1000)]
    store.close()
    return seen[1:]


def migrate_here(_name: str, database_url: str) -> str:
    """Migrate."""
    migrate(database_url)
    return "done"


def die_writing(database_url: str, parent: Connection) -> None:
    """Change things in a transaction, tell that it is so, and wait in it to be killed."""
    store = open_store(database_url, FakeClock())
    with store.writing() as writer:
        writer.add_vault(a_vault("vault-2", "never"))
        writer.add_event(an_event("never"))
        writer.last_event()  # writes the event
        parent.send("writing")
        parent.recv()
