"""Pending operations are cancelled and forgotten; deleted certificates come back or go for good."""

from datetime import timedelta

import pytest

from certworker.errors import (
    CertificateNotFound,
    DeletedButRecoverable,
    Forbidden,
    KeyNotFound,
    NotDeleted,
    OperationInProgress,
    OperationNotFound,
    SecretNotFound,
)
from certworker.vault.issuance import Rejected
from certworker.vault.operations import OperationStatus
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, policy_for


@pytest.mark.parametrize("issuer", ["test-ca", "Unknown"])
def test_a_pending_operation_is_cancelled_by_the_worker(deployment: Deployment, issuer: str) -> None:
    """The request is recorded at once and carried out in the next round; no CA is asked any more."""
    deployment.create("web", policy_for("web.test", issuer))
    certificates, vault, caller = deployment.house.certificates, deployment.vault, deployment.administrator
    asked = certificates.request_cancellation(caller, vault, "WEB")
    assert (asked.cancellation_requested, asked.status) == (True, OperationStatus.IN_PROGRESS)
    deployment.work()
    assert deployment.operation("web").status is OperationStatus.CANCELLED
    assert deployment.operation("web").cancellation_requested
    assert deployment.authority.requests == []
    with pytest.raises(Forbidden, match="must be in progress"):
        certificates.request_cancellation(caller, vault, "web")
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert len(deployment.versions("web")) == 1


def test_a_forgotten_operation_is_gone(deployment: Deployment) -> None:
    """Its last state is given once; its certificate can be asked for again, and what comes of it is not merged."""
    first = deployment.create("web", policy_for("web.test"))
    certificates, vault, caller = deployment.house.certificates, deployment.vault, deployment.administrator
    assert certificates.delete_operation(caller, vault, "web").id == first.id
    for call in (certificates.operation, certificates.delete_operation, certificates.request_cancellation):
        with pytest.raises(OperationNotFound, match="Pending certificate not found: web"):
            call(caller, vault, "web")
    assert certificates.list_(caller, vault, None, 25, include_pending=True).items == ()
    deployment.work()
    assert deployment.versions("web") == ()
    assert deployment.authority.requests == []
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert len(deployment.versions("web")) == 1


def test_a_forgotten_operation_does_not_bring_up_an_older_one(deployment: Deployment) -> None:
    """After DELETE there is none, however many there were before."""
    for _ in range(3):
        deployment.create("web", policy_for("web.test", "Self"))
    certificates, vault, caller = deployment.house.certificates, deployment.vault, deployment.administrator
    certificates.delete_operation(caller, vault, "web")
    with pytest.raises(OperationNotFound):
        deployment.operation("web")
    assert len(deployment.versions("web")) == 3


def test_a_renewal_goes_on_after_its_history_was_forgotten(deployment: Deployment, clock: FakeClock) -> None:
    """A failed renewal, a good one with its key, the record of that one forgotten: the next one still has a version."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    certificates, vault, caller = deployment.house.certificates, deployment.vault, deployment.administrator
    deployment.authority.script.append(lambda *_: Rejected("Request rejected", "Not today."))
    for _ in range(2):
        clock.set(deployment.renewal("web").due_at or clock())
        deployment.work()
    assert len(deployment.versions("web")) == 2
    certificates.delete_operation(caller, vault, "web")
    clock.set(deployment.renewal("web").due_at or clock())
    deployment.work()
    assert len(deployment.versions("web")) == 3


def test_a_first_operation_keeps_its_certificate_from_being_deleted(deployment: Deployment) -> None:
    """There is no version yet that could be deleted."""
    deployment.create("web", policy_for("web.test"))
    with pytest.raises(OperationInProgress, match="no version yet"):
        deployment.house.certificates.delete(deployment.administrator, deployment.vault, "web")


def test_a_deleted_certificate_takes_its_companions_along(deployment: Deployment) -> None:
    """Certificate, key and secret are out of sight together, and come back together."""
    version = deployment.create("web", policy_for("web.test", "Self")).version
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    deleted = house.certificates.delete(caller, vault, "WEB")
    assert deleted.head.deletion is not None
    assert deleted.head.deletion.deleted_at == START
    assert deleted.head.deletion.purge_at == START + timedelta(days=90)
    for error, call in (
        (CertificateNotFound, lambda: deployment.get("web")),
        (SecretNotFound, lambda: house.secrets.get(caller, vault, "web", version)),
        (KeyNotFound, lambda: house.keys.get(caller, vault, "web")),
        (CertificateNotFound, lambda: house.certificates.delete(caller, vault, "web")),
        (OperationNotFound, lambda: deployment.operation("web")),
        (DeletedButRecoverable, lambda: deployment.create("web", policy_for("web.test", "Self"))),
    ):
        with pytest.raises(error):
            call()
    assert deployment.versions("web") == ()
    assert house.secrets.list_(caller, vault, None, 25).items == ()
    assert [item.head.name for item in house.certificates.list_deleted(caller, vault, None, 25).items] == ["web"]
    assert house.certificates.deleted(caller, vault, "web").version.version == version
    assert house.certificates.recover(caller, vault, "web").head.deletion is None
    assert deployment.get("web").version.version == version
    assert house.secrets.get(caller, vault, "web").secret.version == version
    assert house.keys.get(caller, vault, "web").version == version
    with pytest.raises(CertificateNotFound):
        house.certificates.deleted(caller, vault, "web")


def test_a_purged_certificate_is_gone_for_good(deployment: Deployment) -> None:
    """Its name is free again, and nothing of the old one is found under it."""
    first = deployment.create("web", policy_for("web.test", "Self")).version
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    for call in (house.certificates.purge, house.certificates.recover):
        with pytest.raises(NotDeleted):
            call(caller, vault, "web")
        with pytest.raises(CertificateNotFound, match="Deleted Certificate not found"):
            call(caller, vault, "nobody")
    house.certificates.delete(caller, vault, "web")
    house.certificates.purge(caller, vault, "web")
    with pytest.raises(CertificateNotFound):
        house.certificates.recover(caller, vault, "web")
    second = deployment.create("web", policy_for("web.test", "Self")).version
    assert deployment.versions("web") == (second,)
    with pytest.raises(SecretNotFound):
        house.secrets.get(caller, vault, "web", first)


def test_deleting_ends_what_is_pending(deployment: Deployment) -> None:
    """The next version that was under way is cancelled, and is not merged after a recovery."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    deployment.create("web", policy_for("web.test"))
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    house.certificates.delete(caller, vault, "web")
    deployment.work()
    house.certificates.recover(caller, vault, "web")
    assert deployment.operation("web").status is OperationStatus.CANCELLED
    assert len(deployment.versions("web")) == 1


def test_a_deleted_certificate_is_not_renewed_until_it_is_back(deployment: Deployment, clock: FakeClock) -> None:
    """Out of sight it rests; recovered, it catches up at once."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    house.certificates.delete(caller, vault, "web")
    clock.advance(timedelta(days=80))
    assert deployment.issue() is None
    house.certificates.recover(caller, vault, "web")
    deployment.work()
    assert len(deployment.versions("web")) == 2
