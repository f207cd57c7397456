"""What was broken once: owners who change their mind in between, and operators who mistype."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.vault.issuance import IssuanceRequest, Pending, Step
from certworker.vault.operations import OperationStatus, Progress
from certworker.vault.policy import ActionType, LifetimeAction, Policy
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for

MAIL = (LifetimeAction(ActionType.EMAIL_CONTACTS, lifetime_percentage=80),)


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set a small deployment up."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened


def only_mail(policy: Policy) -> Policy:
    """Change a policy so that nothing is renewed by itself."""
    return replace(policy, lifetime_actions=MAIL, lifetime_actions_set=True)


def test_a_policy_changed_during_an_issuance_plans_the_renewal(deployment: Deployment) -> None:
    """The renewal that is planned when the certificate comes goes by the policy of that moment."""

    def change_and_wait(_: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        house, vault = deployment.house, deployment.vault
        house.certificates.update_policy(deployment.administrator, vault, "web", only_mail)
        return Pending(progress or {}, at + timedelta(seconds=0))

    deployment.authority.script.append(change_and_wait)
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert deployment.operation("web").status is OperationStatus.COMPLETED
    assert deployment.renewal("web").due_at is None


def test_a_new_policy_counts_though_its_operation_was_cancelled(deployment: Deployment) -> None:
    """What a create sets is the certificate's policy at once: the version that there is is not renewed by the old one."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert deployment.renewal("web").due_at is not None
    deployment.create("web", policy_for("web.test", "Unknown"))
    deployment.house.certificates.delete_operation(deployment.administrator, deployment.vault, "web")
    assert deployment.renewal("web").due_at is None
