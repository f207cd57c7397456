"""A worker dies at every write, before and right after its commit; the next one brings every story to its end."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from certworker.errors import OperationNotFound
from certworker.vault.issuance import IssuanceRequest, Pending, Rejected, Step
from certworker.vault.operations import OperationStatus, Progress
from certworker.vault.progression import LEASE
from certworker.vault.store import HotReader, Reader, Store, Writer
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, ScriptedAuthority, check_whole, open_deployment, policy_for

Story = Callable[[Deployment], None]
MOST_WRITES = 40


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class MortalStore:
    """A store whose process dies at its n-th writing transaction: before the commit, or right after it."""

    def __init__(self, store: Store, dies_at: int, *, committed: bool) -> None:
        self._store = store
        self._dies_at = dies_at
        self._committed = committed
        self.writes = 0

    @property
    def inline_reads(self) -> bool:
        """As the store says."""
        return self._store.inline_reads

    def glance(self) -> AbstractContextManager[HotReader]:
        """Look things up."""
        return self._store.glance()

    def reading(self) -> AbstractContextManager[Reader]:
        """Open a consistent view."""
        return self._store.reading()

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Open a transaction, perhaps the last one."""
        self.writes += 1
        if self.writes > self._dies_at:
            raise Killed
        with self._store.writing() as writer:
            yield writer
            if self.writes == self._dies_at and not self._committed:
                raise Killed
        if self.writes == self._dies_at:
            raise Killed

    def close(self) -> None:
        """Close every connection."""
        self._store.close()


@dataclass
class OrderlyAuthority(ScriptedAuthority):
    """A CA in two steps: an order first, then the certificate for it. It may refuse some orders."""

    orders: int = 0
    refuses: int = 0
    answered: list[str] = field(default_factory=list)

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Take the order, or fulfil it."""
        if not progress:
            self.orders += 1
            return Pending({"step": "ordered", "order": str(self.orders)}, at)
        self.answered.append(progress["order"])
        if self.refuses:
            self.refuses -= 1
            return Rejected("Certificate issuer error", "Not today.")
        return self.issue(request, progress, at)


def ask(deployment: Deployment) -> None:
    """Ask for the certificate, as a client does that asks again after a lost connection, and let the worker do its part."""
    try:
        deployment.operation("web")
    except OperationNotFound:
        deployment.create("web", policy_for("web.test"))
    deployment.work()


def work(deployment: Deployment) -> None:
    """Let the worker do its part."""
    deployment.work()


def die_once(folder: Path, clock: FakeClock, authority: OrderlyAuthority, story: Story, n: int, *, committed: bool) -> bool:
    """Live the story until the n-th write; tell whether it came to that."""
    mortal: list[MortalStore] = []

    def wrap(store: Store) -> Store:
        mortal.append(MortalStore(store, n, committed=committed))
        return mortal[0]

    try:
        with open_deployment(folder, clock, authority=authority, wrap=wrap) as deployment:
            story(deployment)
    except Killed:
        return True
    assert mortal[0].writes < n
    return False


def live_on(folder: Path, clock: FakeClock, authority: OrderlyAuthority, story: Story, versions: int) -> None:
    """Start again on the same files, after the lease of the dead one; then everything must be whole."""
    with open_deployment(folder, clock, authority=authority) as deployment:
        for _ in range(4):
            clock.advance(LEASE + timedelta(minutes=1))
            story(deployment)
        assert len(deployment.versions("web")) == versions
        assert check_whole(deployment, "web") == deployment.operation("web").version
        assert deployment.operation("web").status is OperationStatus.COMPLETED
        assert deployment.renewal("web").failures == 0
        assert (deployment.renewal("web").due_at or clock()) > clock()
        house, vault, caller = deployment.house, deployment.vault, deployment.administrator
        for found in (
            house.keys.versions(caller, vault, "web", None, 25).items,
            house.secrets.versions(caller, vault, "web", None, 25).items,
        ):
            assert sorted(one.version for one in found) == sorted(deployment.versions("web"))
        with house.store.reading() as reader:
            steps = [entry.step for entry in reader.journal(deployment.operation("web").id)]
        assert (steps[0], steps[-1], steps.count("merged")) == ("key-made", "merged", 1)


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
def test_a_death_during_an_issuance(tmp_path: Path, *, committed: bool) -> None:
    """Exactly one version in the end, and at most one order and one certificate too many at the CA."""
    with open_deployment(tmp_path / make(tmp_path / "template").name, FakeClock()):
        pass
    for n in count(1):
        folder, clock, authority = tmp_path / str(n), FakeClock(), OrderlyAuthority()
        shutil.copytree(tmp_path / "template", folder)
        died = die_once(folder, clock, authority, ask, n, committed=committed)
        live_on(folder, clock, authority, ask, versions=1)
        assert authority.issued <= 1 + died
        assert authority.orders <= 1 + died
        if not died:
            assert 5 < n < MOST_WRITES
            return


@pytest.mark.long
@pytest.mark.parametrize("refuses", [0, 1])
@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
def test_a_death_during_a_renewal(tmp_path: Path, refuses: int, *, committed: bool) -> None:
    """Exactly one new version, whether or not the CA refuses at first; the old one is current until then."""
    authority, clock = OrderlyAuthority(), FakeClock()
    with open_deployment(make(tmp_path / "template"), clock, authority=authority) as deployment:
        ask(deployment)
        first, due = deployment.versions("web"), deployment.renewal("web").due_at
    assert due is not None
    for n in count(1):
        folder, clock = tmp_path / str(n), FakeClock(due)
        shutil.copytree(tmp_path / "template", folder)
        authority.issued = authority.orders = 0
        authority.refuses = refuses
        died = die_once(folder, clock, authority, work, n, committed=committed)
        with open_deployment(folder, clock, authority=authority) as deployment:
            assert set(first) <= set(deployment.versions("web"))
            check_whole(deployment, "web")
        live_on(folder, clock, authority, work, versions=2)
        assert authority.issued <= 1 + died
        assert authority.orders <= 1 + refuses + died
        if not died:
            assert 5 < n < MOST_WRITES
            return


def make(folder: Path) -> Path:
    """Make a folder."""
    folder.mkdir()
    return folder
