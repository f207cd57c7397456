"""Two certificates of the same names at the same CA: one order at a time, since the CA would give both the same one."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.vault.issuance import IssuanceRequest, Pending
from certworker.vault.operations import OperationStatus, Progress
from certworker.vault.policy import IssuerParameters
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Give a deployment."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened


def order(_request: IssuanceRequest, _progress: Progress | None, at: datetime) -> Pending:
    """Take an order, which is issued an hour later."""
    return Pending({"step": "ordered"}, at + timedelta(hours=1))


def test_the_second_waits_for_the_first(deployment: Deployment, clock: FakeClock) -> None:
    """It says for whom, asks the CA nothing meanwhile, and has its turn when the first is done."""
    deployment.authority.script.append(order)
    deployment.create("first", policy_for("web.test"))
    deployment.work()
    deployment.create("second", policy_for("WEB.test"))
    deployment.work()
    assert len(deployment.authority.requests) == 1
    waiting = deployment.operation("second")
    assert waiting.status is OperationStatus.IN_PROGRESS
    assert "by the certificate first" in (waiting.status_details or "")
    clock.advance(timedelta(hours=1, minutes=1))
    deployment.work()
    clock.advance(timedelta(minutes=1))
    deployment.work()
    assert [deployment.operation(name).status for name in ("first", "second")] == [OperationStatus.COMPLETED] * 2
    assert len({deployment.get(name).version.der for name in ("first", "second")}) == 2


@pytest.mark.parametrize("differs", ["names", "profile", "cancelled"])
def test_others_do_not_wait(deployment: Deployment, differs: str) -> None:
    """Other names, another profile, or an order that was called off."""
    deployment.authority.script.append(order)
    deployment.create("first", policy_for("web.test"))
    deployment.work()
    policy = policy_for("mail.test" if differs == "names" else "web.test")
    if differs == "profile":
        policy = replace(policy, issuer=IssuerParameters(ISSUER, "shortlived"))
    if differs == "cancelled":
        deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "first")
        deployment.work()
    deployment.create("second", policy)
    deployment.work()
    assert deployment.operation("second").status is OperationStatus.COMPLETED
