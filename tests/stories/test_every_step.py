"""A worker is killed at every commit and at every exchange with its CA, before and after; what was begun comes to one good end.

Each of the three CAs is the real simulated one, with its own book: it tells whether anything was ordered or issued twice.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from ca_sim.in_process import InProcess, in_process
from ca_sim.settings import read
from certworker.network.egress import EgressRules
from certworker.vault.access import SERVICE
from certworker.vault.operations import OperationStatus
from tests.issuers.contract.parties import ACME, DIGICERT, GLOBALSIGN, Party
from tests.issuers.in_process import InProcessTransport
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, check_whole, open_deployment, policy_for
from tests.support.fate import Fate, KilledError, MortalStore, mortal_connect
from tests.support.postgresql import Server
from tests.support.simulation import Board

pytestmark = pytest.mark.long

WORKER = "test-worker"
MOST_STEPS = 200
FINISHED = ("valid", "processing")


@dataclass
class World:
    """A CA that lives on, and a database that processes come and go over."""

    party: Party
    folder: Path
    clock: FakeClock
    database_url: str | None
    authority: InProcess
    board: Board

    @contextmanager
    def life(self, fate: Fate | None = None) -> Iterator[Deployment]:
        """Let a process live, and come to its fate."""
        fate = fate or Fate()
        parameters, settings = self.party.prepare(self.authority)
        transport = InProcessTransport(self.authority, EgressRules(), self.party.peer_certificate(self.authority))
        with open_deployment(
            self.folder,
            self.clock,
            self.database_url,
            connect=mortal_connect(transport, fate),
            issuers={ISSUER: settings},
            wrap=lambda store: MortalStore(store, fate),
        ) as deployment:
            fate.dies_at, meant = None, fate.dies_at
            deployment.house.issuers.set(SERVICE, deployment.vault, ISSUER, parameters)
            self.board.find = deployment.house.challenges.find
            with deployment.house.store.writing() as writer:
                writer.release_leases(WORKER)  # as a worker does at its start, for those that are gone
            fate.happened.clear()
            fate.dies_at = meant
            yield deployment

    def finish(self, deployment: Deployment, name: str) -> None:
        """Work until the operation under a name is over."""
        for _ in range(MOST_STEPS):
            due = deployment.work()
            if deployment.operation(name).status is not OperationStatus.IN_PROGRESS:
                return
            assert due is not None, "nothing is due any more, and the operation is not over"
            self.clock.set(max(due, self.clock() + timedelta(seconds=1)))
        raise AssertionError("the operation does not come to an end")

    def check_book(self, name: str, versions: int) -> Counter[str]:
        """Look into the CA's own book: one certificate for each version and key; give what else there is."""
        book, host = self.authority.house.book, f"{name}.example.test"
        every = [found for _, found in book.certificates(after=0, limit=10_000)]
        issued = [found for found in every if host in {one.value for one in found.identifiers}]
        assert len(issued) == versions, "each renewal has one certificate"
        assert len({found.spki_sha256 for found in issued}) == versions, "and each its own key"
        orders = [found for _, found in book.orders(after=0, limit=10_000) if host in {one.value for one in found.identifiers}]
        finished = [found for found in orders if found.status in FINISHED]
        keys = Counter(sha256((found.csr or "").encode()).hexdigest() for found in finished)
        assert not [key for key, times in keys.items() if times > 1], "no key has two finalized orders"
        return Counter(found.status.value for found in orders if found.status not in FINISHED)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Give the URL of an empty database; none for SQLite in the test's own folder."""
    if request.param == "sqlite":
        yield None
        return
    server: Server = request.getfixturevalue("postgresql")
    url = server.create()
    yield url
    server.drop(url)


@contextmanager
def world_of(party: Party, folder: Path, clock: FakeClock, database_url: str | None) -> Iterator[World]:
    """Set a CA up."""
    board = Board()
    with in_process(read(dict(party.settings)), clock, {"http-01": board}) as authority:
        yield World(party, folder, clock, database_url, authority, board)


def fall_due(world: World, deployment: Deployment, name: str) -> None:
    """Let a certificate's renewal fall due now, whatever was planned."""
    at = world.clock()
    with deployment.house.store.writing() as writer:
        certificate = writer.certificate(deployment.vault.id, name)
        assert certificate is not None
        writer.set_renewal(deployment.vault.id, name, None, replace(certificate.renewal, due_at=at, deadline=at))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("party", [ACME, DIGICERT, GLOBALSIGN], ids=lambda party: party.name)
def test_a_renewal_outlives_a_kill_at_any_step(
    party: Party, tmp_path: Path, clock: FakeClock, database_url: str | None
) -> None:
    """No key is lost, no version is half there, and the CA has issued once, wherever the process was killed."""
    orphans: Counter[str] = Counter()
    with world_of(party, tmp_path, clock, database_url) as world:
        for n in count(1):
            name, fate = f"web-{n}", Fate(n)
            with world.life() as deployment:
                deployment.create(name, policy_for(f"{name}.example.test"))
                world.finish(deployment, name)
                before = deployment.versions(name)
                fall_due(world, deployment, name)
            try:
                with world.life(fate) as deployment:
                    deployment.work()
                    world.finish(deployment, name)
            except KilledError:
                clock.advance(timedelta(minutes=1))
            with world.life() as deployment:
                assert set(before) <= set(deployment.versions(name))
                check_whole(deployment, name)
                if deployment.versions(name) == before and deployment.operation(name).status is OperationStatus.COMPLETED:
                    deployment.work()  # it had not even begun
                world.finish(deployment, name)
                assert deployment.operation(name).status is OperationStatus.COMPLETED, fate.happened[-1]
                assert len(deployment.versions(name)) == len(before) + 1
                assert check_whole(deployment, name) == deployment.operation(name).version
                assert deployment.renewal(name).failures == 0
            orphans += world.check_book(name, versions=2)
            if not fate.is_dead:
                break
            assert n < MOST_STEPS
    assert n > 15, "there is more to an issuance than that"
    assert orphans.total() <= n, "an order that nobody knows of is left at the most, where its own answer was lost"
