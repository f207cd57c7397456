"""On PostgreSQL: who looks at a name holds it, and holds it first, so that no two wait for each other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest

from certworker.errors import CertworkerError, LeaseLost, OperationInProgress
from certworker.vault.key_creation import WantedKey
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import OperationStatus
from certworker.vault.progression import LEASE, cancel
from certworker.vault.rotation_policy import RotationPolicy
from certworker.vault.store import Writer
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, open_deployment, policy_for

NAME = "web"
Change = Callable[[Writer], None]
Scene = Callable[[Deployment, FakeClock], tuple[Callable[[], object], Change]]
"""Prepares what a worker or another caller does, and what somebody changes meanwhile who holds the name."""


def a_rotation(deployment: Deployment, clock: FakeClock) -> tuple[Callable[[], object], Change]:
    """Let a worker rotate a key, and its owner change the policy."""
    life, vault, caller = deployment.house.key_life, deployment.vault, deployment.administrator
    life.creation.create(caller, vault, NAME, WantedKey("EC"))
    due_at = life.rotations.set_policy(caller, vault, NAME, RotationPolicy(rotate_after_create="P30D")).due_at
    assert due_at is not None
    clock.set(due_at)
    with deployment.house.store.writing() as writer:
        claimed = writer.claim_rotation("worker", clock(), LEASE)
    assert claimed is not None
    return lambda: life.rotations.carry_out(claimed), lambda writer: writer.put_rotation(claimed)


def a_renewal(deployment: Deployment, clock: FakeClock) -> tuple[Callable[[], object], Change]:
    """Let a worker begin a renewal, and its owner change the policy."""
    deployment.create(NAME, policy_for("web.test"))
    deployment.work()
    due_at = deployment.renewal(NAME).due_at
    assert due_at is not None
    clock.set(due_at)
    with deployment.house.store.writing() as writer:
        claimed = writer.claim_renewal("worker", clock(), LEASE)
    assert claimed is not None
    vault_id, renewal = deployment.vault.id, claimed.renewal
    return (
        lambda: deployment.house.renewals.begin(claimed),
        lambda writer: writer.set_renewal(vault_id, NAME, None, renewal),
    )


def a_completion(deployment: Deployment, clock: FakeClock) -> tuple[Callable[[], object], Change]:
    """Let a worker have a certificate from its CA, and its owner cancel."""
    deployment.create(NAME, policy_for("web.test"))
    with deployment.house.store.writing() as writer:
        claimed = writer.claim_operation("worker", clock(), LEASE)
    assert claimed is not None
    return lambda: deployment.house.progression.advance(claimed), lambda writer: cancel(writer, claimed, clock())


@pytest.mark.parametrize("scene", [a_rotation, a_renewal, a_completion])
def test_the_worker_waits_and_who_was_first_is_not_disturbed(
    tmp_path: Path, clock: FakeClock, postgresql_url: str, scene: Scene
) -> None:
    """Whoever changes a name's affairs is done; the worker then sees that its claim is over."""
    assert isinstance(meanwhile(tmp_path, clock, postgresql_url, scene), LeaseLost)


def another_version(deployment: Deployment, clock: FakeClock) -> tuple[Callable[[], object], Change]:
    """Let somebody make a version at once, and another begin one with a CA."""
    known = deployment.create(NAME, policy_for("web.test", "Self"))
    pending = replace(known, id="1" * 32, status=OperationStatus.IN_PROGRESS, policy=policy_for("web.test"), due_at=clock())
    return (
        lambda: deployment.create(NAME, policy_for("web.test", "Self")),
        lambda writer: writer.add_operation(pending),
    )


def test_a_version_waits_for_an_operation_that_has_just_begun(tmp_path: Path, clock: FakeClock, postgresql_url: str) -> None:
    """Two that come together do not both believe that nothing is pending."""
    assert isinstance(meanwhile(tmp_path, clock, postgresql_url, another_version), OperationInProgress)


def meanwhile(folder: Path, clock: FakeClock, url: str, scene: Scene) -> BaseException | None:
    """Let the one begin while the other holds the name; give what the one is told."""
    with open_deployment(folder, clock, url) as deployment, ThreadPoolExecutor(1) as pool:
        work, change = scene(deployment, clock)
        try:
            with deployment.house.store.writing() as writer:
                writer.head(deployment.vault.id, ObjectKind.CERTIFICATE, NAME)
                working = pool.submit(work)
                assert not wait([working], 0.3).done
                change(writer)
        except CertworkerError as error:
            pytest.fail(f"who was first was disturbed: {error}")
        return working.exception(10)
