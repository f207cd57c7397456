"""A worker is killed at every commit and at every exchange with its CA, before and after; what was begun comes to one good end.

Each of the three CAs is the real simulated one, with its own book: it tells whether anything was ordered or issued twice.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from ca_sim.in_process import InProcess, in_process
from ca_sim.settings import read
from certworker.network.egress import EgressRules
from certworker.vault.access import SERVICE
from certworker.vault.notification.audience import Audience, Subscription
from certworker.vault.notification.ledger import OPEN, Notice, NoticeStatus
from certworker.vault.notification.message import Delivery, Message, Topic
from certworker.vault.notification.telling import CURSOR
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import OperationStatus
from certworker.vault.store import Reader
from tests.issuers.contract.parties import ACME, DIGICERT, GLOBALSIGN, Party
from tests.issuers.in_process import InProcessTransport
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, check_whole, open_deployment, policy_for
from tests.support.fate import Fate, KilledError, MortalStore, mortal_connect
from tests.support.postgresql import Server
from tests.support.simulation import Board

pytestmark = pytest.mark.long

CERTIFICATE = ObjectKind.CERTIFICATE
NAME, HOST = "web", "web.example.test"
MOST_UNLIKELY = 15
WORKER = "test-worker"
MOST_STEPS = 200
FINISHED = ("valid", "processing")


@dataclass
class Listener:
    """Somebody whom a mortal process tells things; what was heard outlives it."""

    fate: Fate = field(default_factory=Fate)
    heard: list[Message] = field(default_factory=list)

    def deliver(self, message: Message, _at: datetime) -> Delivery:
        """Hear, unless the process dies before."""
        self.fate.pass_(f"before telling of {message.topic}")
        self.heard.append(message)
        self.fate.pass_(f"after telling of {message.topic}")
        return Delivery(done=True)

    def check(self, versions: tuple[str, ...], kills: int) -> None:
        """Check that everything was told once: under one id, which came again only after a kill."""
        heard = [one for message in self.heard for one in (message.parts or (message,)) if one.name == NAME]
        times = Counter(one.id for one in heard)
        assert max(times.values()) <= 2
        assert sum(number - 1 for number in times.values()) <= kills
        told = {one.id: (one.kind, one.topic, one.version) for one in heard}
        assert len(set(told.values())) == len(told), "no entry of the ledger has two ids"
        new = {version for kind, topic, version in told.values() if topic is Topic.NEW_VERSION and kind is CERTIFICATE}
        assert new == set(versions), "each version is told"


@dataclass
class World:
    """A CA that lives on, and a database that processes come and go over."""

    party: Party
    folder: Path
    clock: FakeClock
    database_url: str | None
    authority: InProcess
    board: Board
    listener: Listener = field(default_factory=Listener)

    @contextmanager
    def life(self, fate: Fate | None = None) -> Iterator[Deployment]:
        """Let a process live, and come to its fate."""
        fate = self.listener.fate = fate or Fate()
        parameters, settings = self.party.prepare(self.authority)
        transport = InProcessTransport(self.authority, EgressRules(), self.party.peer_certificate(self.authority))
        with open_deployment(
            self.folder,
            self.clock,
            self.database_url,
            connect=mortal_connect(transport, fate),
            issuers={ISSUER: settings},
            wrap=lambda store: MortalStore(store, fate),
            audience=Audience({"listener": self.listener}, (Subscription("listener", "the operators"),)),
        ) as deployment:
            fate.dies_at, meant = None, fate.dies_at
            deployment.house.issuers.set(SERVICE, deployment.vault, ISSUER, parameters)
            self.board.find = deployment.house.challenges.find
            with deployment.house.store.writing() as writer:
                writer.release_leases(WORKER)  # as a worker does at its start, for those that are gone
            fate.happened.clear()
            fate.dies_at = meant
            yield deployment

    def finish(self, deployment: Deployment) -> None:
        """Work until the operation is over."""
        for _ in range(MOST_STEPS):
            due = deployment.work()
            if deployment.operation(NAME).status is not OperationStatus.IN_PROGRESS:
                return
            assert due is not None, "nothing is due any more, and the operation is not over"
            self.clock.set(max(due, self.clock() + timedelta(seconds=1)))
        raise AssertionError("the operation does not come to an end")

    def tell(self, deployment: Deployment) -> None:
        """Work until everything was told."""
        for _ in range(MOST_STEPS):
            due = deployment.work()
            with deployment.house.store.reading() as reader:
                unread = reader.last_event() > reader.cursor(CURSOR)
                open_ = [status for status in OPEN if any(one.name == NAME for one in told(reader, deployment, status))]
            if not open_ and not unread:
                return
            assert due is not None
            self.clock.set(max(due, self.clock() + timedelta(seconds=1)))
        raise AssertionError("something stays untold")

    def check_book(self, versions: int) -> Counter[str]:
        """Look into the CA's own book: one certificate for each version and key; give what else there is."""
        book, host = self.authority.house.book, HOST
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


def told(reader: Reader, deployment: Deployment, status: NoticeStatus) -> tuple[Notice, ...]:
    """List what the ledger has under a status."""
    return reader.notices(deployment.vault.id, status, None, 1000)


def fall_due(world: World, deployment: Deployment) -> None:
    """Let a renewal fall due now, as one does that somebody asked for and that failed."""
    world.clock.advance(timedelta(hours=4))  # nothing is renewed for one reason twice within three
    at = world.clock()
    with deployment.house.store.writing() as writer:
        certificate = writer.certificate(deployment.vault.id, NAME)
        assert certificate is not None
        writer.set_renewal(
            deployment.vault.id, NAME, None, replace(certificate.renewal, due_at=at, deadline=at, requested_at=at)
        )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("party", [ACME, DIGICERT, GLOBALSIGN], ids=lambda party: party.name)
def test_a_renewal_outlives_a_kill_at_any_step(
    party: Party, tmp_path: Path, clock: FakeClock, database_url: str | None
) -> None:
    """No key is lost, no version is half there, the CA has issued once, all is told once, wherever the process was killed."""
    with world_of(party, tmp_path, clock, database_url) as world:
        with world.life() as deployment:
            deployment.create(NAME, policy_for(HOST))
            world.finish(deployment)
            world.tell(deployment)
            fall_due(world, deployment)
        for n in count(1):
            fate = Fate(n)
            try:
                with world.life(fate) as deployment:
                    deployment.work()
                    world.finish(deployment)
                    world.tell(deployment)
            except KilledError:
                clock.advance(timedelta(minutes=1))
            with world.life() as deployment:
                check_whole(deployment, NAME)
                if len(versions_of(deployment)) == n:
                    deployment.work()
                    world.finish(deployment)
                assert deployment.operation(NAME).status is OperationStatus.COMPLETED, fate.happened[-1]
                assert check_whole(deployment, NAME) == deployment.operation(NAME).version
                assert len(versions_of(deployment)) == n + 1, fate.happened[-1]
                assert deployment.renewal(NAME).failures == 0
                world.tell(deployment)
                world.listener.check(versions_of(deployment), kills=n)
                fall_due(world, deployment)
            orphans = world.check_book(versions=n + 1)
            assert orphans.total() <= n, "an order that nobody knows of is left at the most, where its own answer was lost"
            if not fate.is_dead:
                assert n > MOST_UNLIKELY, "there is more to an issuance than that"
                return
            assert n < MOST_STEPS


def versions_of(deployment: Deployment) -> tuple[str, ...]:
    """List all versions."""
    with deployment.house.store.reading() as reader:
        found = reader.certificate_versions(deployment.vault.id, NAME, None, 1000).items
    return tuple(version.version for version in found)
