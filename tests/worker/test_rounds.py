"""The rounds: cheap when idle, side by side without doing a thing twice, and never stopped by one certificate."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from certworker.errors import CertworkerError, Unavailable
from certworker.vault.deletions import Deletions
from certworker.vault.issuance import IssuanceRequest, Pending, Step
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import OperationStatus, Progress
from certworker.vault.progression import LEASE
from certworker.vault.secrets import NewSecret
from certworker.vault.store import HotReader, Reader, Store, Writer
from certworker.worker.owner import own_name
from certworker.worker.round import MOST_A_ROUND
from certworker.worker.rounds import BEAT_INTERVAL, Rounds
from certworker.worker.upkeep import UPKEEP_INTERVAL
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, check_whole, open_deployment, policy_for

SECOND = timedelta(seconds=1)


class WatchedStore:
    """A store that counts its writing transactions, and can be away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.writes = 0
        self.away = False

    @property
    def inline_reads(self) -> bool:
        """As the store says."""
        return self._store.inline_reads

    def glance(self) -> AbstractContextManager[HotReader]:
        """Look things up."""
        return self._store.glance()

    def reading(self) -> AbstractContextManager[Reader]:
        """Open a consistent view."""
        if self.away:
            raise Unavailable("The database does not answer.")
        return self._store.reading()

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Open a transaction, and count it."""
        self.writes += 1
        with self._store.writing() as writer:
            yield writer

    def close(self) -> None:
        """Close every connection."""
        self._store.close()


@pytest.fixture
def watched(tmp_path: Path, clock: FakeClock) -> Iterator[tuple[Deployment, WatchedStore]]:
    """Set up a deployment whose store is watched."""
    stores: list[WatchedStore] = []

    def wrap(store: Store) -> Store:
        stores.append(WatchedStore(store))
        return stores[0]

    with open_deployment(tmp_path, clock, wrap=wrap) as deployment:
        yield deployment, stores[0]


def test_an_idle_tick_writes_nothing(watched: tuple[Deployment, WatchedStore], clock: FakeClock) -> None:
    """One heartbeat every fifteen seconds and one upkeep a minute are all that a worker without work writes."""
    deployment, store = watched
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    store.writes = 0
    for _ in range(60):
        clock.advance(SECOND)
        deployment.work()
    beats, upkeeps = timedelta(minutes=1) // BEAT_INTERVAL, timedelta(minutes=1) // UPKEEP_INTERVAL
    assert store.writes == beats + upkeeps


def test_a_clock_that_went_back_does_not_silence_the_heart(watched: tuple[Deployment, WatchedStore], clock: FakeClock) -> None:
    """After a jump of the wall clock the worker says at once that it is alive."""
    deployment, store = watched
    deployment.work()
    store.writes = 0
    clock.advance(-timedelta(hours=5))
    deployment.work()
    assert store.writes >= 1
    with deployment.house.store.reading() as reader:
        assert [beat.at for beat in reader.heartbeats()] == [clock()]


def test_a_round_that_failed_says_so(deployment: Deployment, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat of a failed round is there, marked, and the next good one takes its place."""

    def fail(_at: datetime, _most: int) -> int:
        raise Unavailable("The database is busy.")

    monkeypatch.setattr(deployment.house.materials, "destroy_unused", fail)
    with pytest.raises(CertworkerError):
        deployment.work()
    with deployment.house.store.reading() as reader:
        assert [(beat.job, beat.at, beat.failed) for beat in reader.heartbeats()] == [("rounds", START, True)]
    monkeypatch.undo()
    clock.advance(BEAT_INTERVAL)
    deployment.work()
    with deployment.house.store.reading() as reader:
        assert [(beat.at, beat.failed) for beat in reader.heartbeats()] == [(clock(), False)]


def test_two_workers_do_each_thing_once(deployment: Deployment, clock: FakeClock) -> None:
    """Twenty certificates and two workers at the same moment: twenty issuances, twenty renewals."""
    for number in range(20):
        deployment.create(f"web-{number}", policy_for(f"web-{number}.test"))
    workers = [Rounds(deployment.house, owner) for owner in ("one", "two")]
    for round_ in (1, 2):
        threads = [Thread(target=worker.run_due, args=(clock(),)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert deployment.authority.issued == 20 * round_
        for number in range(20):
            assert len(deployment.versions(f"web-{number}")) == round_
            check_whole(deployment, f"web-{number}")
        clock.advance(timedelta(days=70))


def test_a_long_round_is_cut(deployment: Deployment) -> None:
    """What is left over is due at once, and done by the next round."""
    for number in range(MOST_A_ROUND + 1):
        deployment.create(f"web-{number}", policy_for("web.test"))
    assert deployment.work() == START
    assert deployment.authority.issued == MOST_A_ROUND
    deployment.work()
    assert deployment.authority.issued == MOST_A_ROUND + 1


def test_a_lease_runs_from_its_own_claim(deployment: Deployment, clock: FakeClock) -> None:
    """In a round that takes longer than a lease, nobody else takes up what was claimed just now."""
    other, before = Rounds(deployment.house, "another-worker"), []

    def take_long(_: IssuanceRequest, __: Progress | None, at: datetime) -> Step:
        clock.advance(LEASE - SECOND)
        return Pending({"step": "waits"}, at + timedelta(days=1))

    def look_around(request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        before.append(deployment.authority.issued)
        other.run_due(clock())
        before.append(deployment.authority.issued)
        return deployment.authority.issue(request, progress, at)

    deployment.authority.script.extend([take_long, take_long, look_around])
    for name in ("a", "b", "c"):
        deployment.create(name, policy_for(f"{name}.test"))
    deployment.work()
    assert before == [0, 0]
    assert deployment.authority.issued == 1


def test_what_is_waited_for_is_told(deployment: Deployment, clock: FakeClock) -> None:
    """The operation says it in the provider's words, for as long as the provider has none that are newer."""
    waits = [
        Pending({"step": "waits"}, START + SECOND, waits_for="The CA looks."),
        Pending({"step": "waits"}, START + 2 * SECOND),
    ]
    deployment.authority.script.extend([lambda *_: waits.pop(0)] * 2)
    deployment.create("web", policy_for("web.test"))
    for _ in range(2):
        deployment.work()
        assert deployment.operation("web").status_details == "The CA looks."
        clock.advance(SECOND)
    deployment.work()
    assert deployment.authority.issued == 1


def test_upkeep_purges_at_the_scheduled_date(deployment: Deployment, clock: FakeClock) -> None:
    """Not a minute before; certificate, key and secret go together, and the name is free again."""
    deployment.create("web", policy_for("web.test", "Self"))
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    deleted = house.certificates.delete(caller, vault, "web").head.deletion
    assert deleted is not None
    clock.set(deleted.purge_at - UPKEEP_INTERVAL)
    deployment.work()
    assert house.certificates.deleted(caller, vault, "web")
    clock.set(deleted.purge_at)
    deployment.work()
    assert house.certificates.list_deleted(caller, vault, None, 25).items == ()
    deployment.create("web", policy_for("web.test", "Self"))
    assert len(deployment.versions("web")) == 1


def test_what_is_recovered_at_the_last_moment_is_not_purged(tmp_path: Path, clock: FakeClock, postgresql_url: str) -> None:
    """On PostgreSQL a recovery can be under way while the worker lists what is due: it waits, and lets it live."""
    with open_deployment(tmp_path, clock, postgresql_url) as deployment, ThreadPoolExecutor(1) as pool:
        house, vault, caller = deployment.house, deployment.vault, deployment.administrator
        house.secrets.set(caller, vault, "s", NewSecret("value"))
        deletion = house.secrets.delete(caller, vault, "s").head.deletion
        assert deletion is not None
        clock.set(deletion.purge_at)
        with house.store.writing() as writer:
            head = writer.head(vault.id, ObjectKind.SECRET, "s")
            assert head is not None
            Deletions().recover(writer, vault, head, clock())
            kept_up = pool.submit(deployment.rounds.run, "clearance", clock())
            wait([kept_up], 0.3)  # it has listed the secret by now, and waits for its name
            assert not kept_up.done()
        assert kept_up.result(10) == 0
        assert house.secrets.get(caller, vault, "s").value == "value"


def test_upkeep_takes_down_stale_challenges(deployment: Deployment, clock: FakeClock) -> None:
    """A response that expired is removed, one that holds stays."""
    with deployment.house.store.writing() as writer:
        writer.put_challenge("old", "response", START + SECOND)
        writer.put_challenge("new", "response", START + timedelta(days=1))
    clock.advance(UPKEEP_INTERVAL)
    assert deployment.rounds.run("clearance", clock()) == 1
    assert deployment.rounds.run("clearance", clock()) == 0
    assert deployment.house.challenges.find("new") == "response"


def test_what_a_dead_process_held_is_taken_over(deployment: Deployment, clock: FakeClock) -> None:
    """A lease whose holder is surely gone ends at the next start; one of another machine runs on."""
    deployment.create("web", policy_for("web.test"))
    boot, _, _ = own_name().rpartition(":")
    for owner, is_taken in (("elsewhere:pid:[1]:1", False), (own_name(), False), (f"{boot}:{2**22 + 1}", True)):
        with deployment.house.store.writing() as writer:
            assert writer.claim_operation(owner, clock(), LEASE)
        deployment.rounds.take_over()
        deployment.work()
        assert bool(deployment.versions("web")) is is_taken
        clock.advance(LEASE)
    assert deployment.operation("web").status is OperationStatus.COMPLETED
