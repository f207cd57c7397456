"""The scheduler wakes the rounds, whatever the wall clock does, and stops in order."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Timer

import pytest

from certworker.clock import utc_now
from certworker.errors import Unavailable
from certworker.worker.rounds import Rounds
from certworker.worker.scheduler import MOST_DRIFT_SECONDS, Scheduler, Watch
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment

PATIENCE = 10.0
TICK = 0.01


class WatchedRounds(Rounds):
    """Rounds that do something else instead, and tell when they were called."""

    def __init__(self, deployment: Deployment, act: Callable[[int], None]) -> None:
        super().__init__(deployment.house)
        self._act = act
        self.calls = 0

    def run_due(self, at: datetime) -> datetime | None:
        """Do what the test says."""
        self.calls += 1
        self._act(self.calls)
        return at


@pytest.mark.parametrize("jump", [-3600, 3600, -(MOST_DRIFT_SECONDS + 1)])
def test_a_jump_of_the_wall_clock_arms_the_jobs_anew(clock: FakeClock, caplog: pytest.LogCaptureFixture, jump: float) -> None:
    """Once for each jump, in either direction; a clock that goes on is left alone."""
    armed: list[int] = []
    watch = Watch(clock, lambda: armed.append(1))
    watch.look()
    assert armed == []
    clock.advance(timedelta(seconds=jump))
    with caplog.at_level(logging.WARNING):
        watch.look()
    assert armed == [1]
    assert "jobs are armed anew" in caplog.text
    watch.look()
    assert armed == [1]


def test_a_small_drift_is_no_jump(clock: FakeClock) -> None:
    """Clocks are corrected all the time."""
    armed: list[int] = []
    watch = Watch(clock, lambda: armed.append(1))
    clock.advance(timedelta(seconds=MOST_DRIFT_SECONDS / 2))
    watch.look()
    assert armed == []


def test_the_rounds_are_woken_again_and_again(deployment: Deployment) -> None:
    """Each of them, in a thread of its own."""
    enough = [Event(), Event()]

    def tell(event: Event) -> Callable[[int], None]:
        return lambda calls: event.set() if calls == 3 else None

    rounds = [WatchedRounds(deployment, tell(event)) for event in enough]
    scheduler = Scheduler(list(rounds), utc_now, TICK)
    scheduler.start()
    try:
        assert all(event.wait(PATIENCE) for event in enough)
    finally:
        scheduler.stop()


@pytest.mark.parametrize("error", [Unavailable("The database is busy."), ValueError("a mistake of ours")])
def test_an_error_in_a_round_does_not_stop_the_next(
    deployment: Deployment, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """It is logged, and the next tick comes."""
    came_again = Event()

    def act(calls: int) -> None:
        if calls == 1:
            raise error
        came_again.set()

    scheduler = Scheduler([WatchedRounds(deployment, act)], utc_now, TICK)
    with caplog.at_level(logging.ERROR):
        scheduler.start()
        try:
            assert came_again.wait(PATIENCE)
        finally:
            scheduler.stop()
    assert str(error) in caplog.text


def test_stop_waits_for_the_round_under_way(deployment: Deployment) -> None:
    """What was begun is finished; afterwards nothing is begun."""
    begun, may_end, ended = Event(), Event(), []

    def act(calls: int) -> None:
        if calls == 1:
            begun.set()
            assert may_end.wait(PATIENCE)
            ended.append(calls)

    rounds = WatchedRounds(deployment, act)
    scheduler = Scheduler([rounds], utc_now, TICK)
    scheduler.start()
    assert begun.wait(PATIENCE)
    Timer(TICK * 5, may_end.set).start()
    scheduler.stop()
    assert ended == [1]
    calls = rounds.calls
    assert not ended_later(rounds, calls)


def ended_later(rounds: WatchedRounds, calls: int) -> bool:
    """Tell whether another round came within a few ticks."""
    return Event().wait(TICK * 5) or rounds.calls != calls
