"""The rounds of the summary: without anybody who looks, the worker keeps it, and mends it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.vault.summary.keeping import Summary
from certworker.vault.summary.records import CountKey, Measure
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set up a house with a worker."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened


def test_the_worker_keeps_the_summary(deployment: Deployment, clock: FakeClock) -> None:
    """What has changed is taken in, and within a day what does not add up is counted anew."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    with deployment.house.store.writing() as writer:
        assert writer.count_changes() == 0
        writer.add_counts({CountKey(Measure.STATE, deployment.vault.name, ISSUER, "valid", 0): 7})
    clock.advance(timedelta(days=1))
    for _ in range(2):
        deployment.work()
    assert Summary(deployment.house.store).check()
