"""Rounds take turns within a group, and the groups run side by side: nothing keeps another kind of work waiting."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Event

import pytest

from certworker.clock import utc_now
from certworker.errors import Unavailable
from certworker.vault.notification.audience import Audience, Subscription
from certworker.vault.notification.message import Delivery, Message
from certworker.vault.operations import OperationStatus
from certworker.worker import rounds as registry
from certworker.worker.round import LONGEST_SECONDS, Group, Round, each
from certworker.worker.rounds import ROUNDS, Rounds
from certworker.worker.scheduler import Scheduler
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for

PATIENCE = 20.0
TICK = 0.02


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Give a deployment."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened


def test_every_round_has_a_name_a_group_and_a_time(deployment: Deployment) -> None:
    """Names are told apart; each round says when it is due, or how often it comes."""
    made = [make(deployment.house, "worker") for make in ROUNDS]
    assert len({found.name for found in made}) == len(made)
    assert {found.group for found in made} == set(Group)
    assert all(found.next_due or found.interval or not deployment.house.settings.revocation.enabled for found in made)


def test_a_group_does_its_own_work_alone(deployment: Deployment) -> None:
    """An issuance is the business of one group; the others leave it."""
    deployment.create("web", policy_for("web.test"))
    at = deployment.house.clock()
    for group in set(Group) - {Group.ISSUANCE}:
        Rounds(deployment.house, "another", group).run_due(at)
    assert deployment.operation("web").status is OperationStatus.IN_PROGRESS
    Rounds(deployment.house, "another", Group.ISSUANCE).run_due(at)
    assert deployment.operation("web").status is OperationStatus.COMPLETED
    with deployment.house.store.reading() as reader:
        assert {beat.job for beat in reader.heartbeats()} == {group.value for group in Group}


def test_a_round_that_fails_keeps_no_other_from_its_turn(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first round of all cannot do its work: the certificate is issued all the same, and the failure is told."""

    def broken(_house: object, _owner: str) -> Round:
        def fail(_at: datetime) -> int:
            raise Unavailable("This round's table is locked.")

        return Round("broken", Group.ISSUANCE, fail, interval=timedelta(seconds=1))

    monkeypatch.setattr(registry, "ROUNDS", (broken, *ROUNDS))
    deployment.create("web", policy_for("web.test"))
    with pytest.raises(Unavailable, match="table is locked"):
        Rounds(deployment.house, "worker").run_due(deployment.house.clock())
    assert deployment.operation("web").status is OperationStatus.COMPLETED


class Hanging:
    """A channel that does not come back until it may."""

    def __init__(self) -> None:
        self.begun, self.may_end = Event(), Event()

    def deliver(self, _message: Message, _at: datetime) -> Delivery:
        """Hang."""
        self.begun.set()
        assert self.may_end.wait(PATIENCE)
        return Delivery(done=True)


def test_a_channel_that_hangs_holds_up_no_issuance(tmp_path: Path) -> None:
    """While a webhook swallows a notice, certificates are issued."""
    hanging = Hanging()
    audience = Audience({"hook": hanging}, (Subscription("hook", "operators"),))
    with open_deployment(tmp_path, utc_now, audience=audience) as deployment:
        scheduler = Scheduler([Rounds(deployment.house, "worker", group) for group in Group], utc_now, TICK)
        deployment.create("first", policy_for("first.test"))
        scheduler.start()
        try:
            assert hanging.begun.wait(PATIENCE)
            deployment.create("second", policy_for("second.test"))
            issued = Event()
            for _ in range(int(PATIENCE / TICK)):
                if deployment.operation("second").status is OperationStatus.COMPLETED:
                    issued.set()
                    break
                Event().wait(TICK)
            assert issued.is_set()
            assert not hanging.may_end.is_set()
        finally:
            hanging.may_end.set()
            scheduler.stop()


def test_a_round_is_cut_when_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock finds half of the time gone: one thing is done, and the rest is left to the next turn."""
    ticks = count(step=LONGEST_SECONDS / 2)
    monkeypatch.setattr("certworker.worker.round.monotonic", lambda: next(ticks))
    done: list[str] = []
    assert each(lambda: "work", done.append) == len(done) == 1
