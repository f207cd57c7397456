"""The round of history: a database has an end however long the worker runs."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.settings import HistorySettings
from certworker.worker import history
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, check_whole, open_deployment, policy_for

DAY = timedelta(days=1)


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set up a house that remembers ninety days, with a certificate."""
    with open_deployment(tmp_path, clock, sections={"history": HistorySettings(keep_days=90)}) as opened:
        opened.create("web", policy_for("web.example.test"))
        opened.work()
        yield opened


def live(deployment: Deployment, clock: FakeClock, months: int) -> None:
    """Let the worker look in three times a month: certificates of ninety days are renewed in time."""
    for _ in range(months * 3):
        clock.advance(10 * DAY)
        deployment.work()


def count_old_events(deployment: Deployment) -> int:
    """Count the events that should be forgotten, or are the last ones that were read."""
    before = deployment.house.clock() - 90 * DAY
    return sum(event.at < before for event in deployment.events())


def count_operations(deployment: Deployment) -> int:
    """Count the versions whose operation is known; that of the current one is among them."""
    versions = deployment.versions("web")
    with deployment.house.store.reading() as reader:
        made = {version for version in versions if reader.operation_of_version(deployment.vault.id, "web", version)}
    assert deployment.get("web").version.version in made
    return len(made)


def test_years_leave_no_more_behind_than_months(deployment: Deployment, clock: FakeClock) -> None:
    """Events and operations are as many after two years as after one, and the certificate is as whole as ever."""
    live(deployment, clock, 12)
    events, operations = len(deployment.events()), count_operations(deployment)
    live(deployment, clock, 12)
    assert len(deployment.events()) <= events + 10
    assert count_operations(deployment) <= operations + 1 < len(deployment.versions("web")) - 3
    assert count_old_events(deployment) <= 1
    check_whole(deployment, "web")


def test_what_is_younger_is_kept(deployment: Deployment, clock: FakeClock) -> None:
    """Until the days of the setting are over, not an event is missing."""
    events = deployment.events()
    for days, kept in ((89, True), (2, False)):
        clock.advance(days * DAY)
        deployment.work()
        assert (events[0] in deployment.events()) is kept


def test_a_setting_of_none_keeps_all(tmp_path: Path, clock: FakeClock) -> None:
    """With keep_days = 0 nothing is forgotten."""
    with open_deployment(tmp_path, clock, sections={"history": HistorySettings(keep_days=0)}) as deployment:
        deployment.create("web", policy_for("web.example.test"))
        deployment.work()
        before = deployment.events()
        clock.advance(1000 * DAY)
        assert deployment.rounds.run("forgetting", clock()) == 0
        assert deployment.events() == before


def test_more_than_a_turn_holds_is_forgotten_in_the_next_ones(
    deployment: Deployment, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each turn does a little, and goes on where the last one stopped; what is kept is passed over."""
    monkeypatch.setattr(history, "MOST_BATCHES", 1)
    monkeypatch.setattr(history, "BATCH", 1)
    live(deployment, clock, 9)
    for _ in range(200):
        deployment.rounds.run("forgetting", clock())
    assert count_old_events(deployment) <= 1
    assert count_operations(deployment) < len(deployment.versions("web"))
