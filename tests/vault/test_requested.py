"""Renewals that somebody asks for, and the history that tells of them."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.errors import CertificateNotFound, Conflict, Disabled, IssuerNotFound, OperationInProgress, OperationNotFound
from certworker.vault.access import SERVICE
from certworker.vault.events import EventType
from certworker.vault.issuance import Examination, IssuanceRequest, Rejected
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import Operation, OperationReason, OperationStatus, Progress
from certworker.vault.policy import ActionType, LifetimeAction
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, ScriptedAuthority, check_whole, open_deployment, policy_for


def renew(deployment: Deployment, name: str) -> Operation:
    """Ask for a renewal, as the administrator."""
    return deployment.house.requested.renew_now(deployment.administrator, deployment.vault, name)


def refuse(_request: IssuanceRequest, _progress: Progress | None, _at: datetime) -> Rejected:
    """Answer as a CA that does not want to."""
    return Rejected("Request rejected", "Not today.")


def test_a_self_signed_certificate_is_renewed_at_once(deployment: Deployment, clock: FakeClock) -> None:
    """The new version is whole, keeps the tags, and its renewal is planned from today on."""
    house = deployment.house
    house.certificates.create(
        deployment.administrator, deployment.vault, "web", policy_for("web.test", "Self"), tags={"team": "shop"}
    )
    before, planned = check_whole(deployment, "web"), deployment.renewal("web").due_at
    clock.advance(timedelta(days=3))
    operation = renew(deployment, "WEB")
    assert (operation.status, operation.reason) == (OperationStatus.COMPLETED, OperationReason.REQUESTED)
    assert check_whole(deployment, "web") == operation.version != before
    assert deployment.get("web").version.tags == {"team": "shop"}
    after = deployment.renewal("web").due_at
    assert planned is not None
    assert after is not None
    assert after > planned
    assert [event.detail["reason"] for event in deployment.events() if event.type is EventType.RENEWAL_STARTED] == ["requested"]


def test_an_issuers_certificate_is_renewed_by_the_worker(deployment: Deployment) -> None:
    """The operation is due at once; the policy and the day of its last change stay as they are."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    before = deployment.get("web")
    operation = renew(deployment, "web")
    assert (operation.status, operation.reason) == (OperationStatus.IN_PROGRESS, OperationReason.REQUESTED)
    deployment.work()
    after = deployment.get("web")
    assert after.version.version == operation.version
    assert (after.certificate.policy, after.certificate.policy_updated) == (
        before.certificate.policy,
        before.certificate.policy_updated,
    )


def test_a_requested_renewal_that_fails_is_tried_again(deployment: Deployment, clock: FakeClock) -> None:
    """That it was asked for is remembered until it worked; then the plan is as for any new version."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    clock.advance(timedelta(days=1))
    deployment.authority.script.append(refuse)
    renew(deployment, "web")
    deployment.work()
    renewal = deployment.renewal("web")
    assert deployment.operation("web").status is OperationStatus.FAILED
    assert (renewal.requested_at, renewal.reason, renewal.failures) == (clock(), OperationReason.REQUESTED, 1)
    assert renewal.due_at == clock() + timedelta(minutes=1)
    clock.set(renewal.due_at)
    deployment.work()
    deployment.work()
    assert (deployment.operation("web").status, deployment.operation("web").reason) == (
        OperationStatus.COMPLETED,
        OperationReason.REQUESTED,
    )
    after = deployment.renewal("web")
    assert (after.requested_at, after.reason, after.failures) == (None, OperationReason.DEFAULT, 0)


def test_a_requested_renewal_that_is_cancelled_is_forgotten(deployment: Deployment, clock: FakeClock) -> None:
    """Whoever asked for it has thought better of it; nothing is counted as a failure, and the plan is as it was."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    planned = deployment.renewal("web").due_at
    renew(deployment, "web")
    house, vault, caller = deployment.house, deployment.vault, deployment.administrator
    house.certificates.request_cancellation(caller, vault, "web")
    deployment.work()
    assert deployment.operation("web").status is OperationStatus.CANCELLED
    renewal = deployment.renewal("web")
    assert (renewal.requested_at, renewal.failures) == (None, 0)
    assert house.lifecycle.outlooks.show(caller, vault, "web").at == planned
    assert renewal.due_at is not None
    clock.set(renewal.due_at)
    deployment.work()
    assert deployment.renewal("web").due_at == planned
    assert len(deployment.versions("web")) == 1


def test_a_certificate_that_only_tells_people_can_be_renewed(deployment: Deployment) -> None:
    """Without AutoRenew nothing is planned, and asking works all the same."""
    only_mail = (LifetimeAction(ActionType.EMAIL_CONTACTS, lifetime_percentage=80),)
    deployment.create("web", policy_for("web.test", lifetime_actions=only_mail, lifetime_actions_set=True))
    deployment.work()
    assert deployment.renewal("web").due_at is None
    renew(deployment, "web")
    deployment.work()
    assert len(deployment.versions("web")) == 2


def test_the_operation_in_the_way_is_named(deployment: Deployment) -> None:
    """A second request while the first is under way is refused with the first one's id."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    first = renew(deployment, "web")
    with pytest.raises(OperationInProgress, match=first.id) as caught:
        renew(deployment, "web")
    assert caught.value.operation_id == first.id


def test_a_certificate_of_no_issuer_is_not_renewed(deployment: Deployment) -> None:
    """Nobody could sign it; the error says what to do instead."""
    deployment.create("web", policy_for("web.test", "Self"))
    house, caller, vault = deployment.house, deployment.administrator, deployment.vault
    house.certificates.update_policy(caller, vault, "web", lambda _: policy_for("web.test", "Unknown"))
    with pytest.raises(Conflict, match="csr create web"):
        renew(deployment, "web")


def test_a_certificate_without_a_version_is_not_renewed(deployment: Deployment) -> None:
    """What was never issued cannot be renewed."""
    deployment.authority.script.append(refuse)
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    with pytest.raises(Conflict, match="no version"):
        renew(deployment, "web")


def test_a_disabled_certificate_is_not_renewed(deployment: Deployment) -> None:
    """It says that it is disabled."""
    house, caller, vault = deployment.house, deployment.administrator, deployment.vault
    house.certificates.create(caller, vault, "web", policy_for("web.test", "Self"), tags={}, enabled=False)
    with pytest.raises(Disabled, match="disabled"):
        renew(deployment, "web")


def test_what_is_not_there_is_not_renewed(deployment: Deployment) -> None:
    """Neither a name that was never used nor a deleted certificate."""
    deployment.create("web", policy_for("web.test", "Self"))
    deployment.house.certificates.delete(deployment.administrator, deployment.vault, "web")
    for name in ("web", "nobody"):
        with pytest.raises(CertificateNotFound):
            renew(deployment, name)
        with pytest.raises(OperationNotFound):
            deployment.house.histories.latest(deployment.administrator, deployment.vault, name)


def test_an_issuer_that_is_gone_is_named(deployment: Deployment) -> None:
    """No operation is begun that could come to nothing."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    deployment.house.issuers.delete(SERVICE, deployment.vault, ISSUER)
    with pytest.raises(IssuerNotFound, match=ISSUER):
        renew(deployment, "web")


def test_the_history_tells_every_step(deployment: Deployment) -> None:
    """The journal is given in order, with what is planned."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    history = deployment.house.histories.latest(deployment.administrator, deployment.vault, "web")
    assert history.operation.status is OperationStatus.COMPLETED
    assert [entry.step for entry in history.journal] == ["key-made", "merged"]
    assert history.renewal == deployment.renewal("web")


class ExaminableAuthority(ScriptedAuthority):
    """A provider that can be looked at."""

    def examine(self, request: IssuanceRequest, _at: datetime) -> Examination:
        """Find everything in order."""
        return Examination(request.csr == b"", (f"The account {request.account_id!r} works.",))


def test_an_issuer_is_examined_by_its_provider(deployment: Deployment) -> None:
    """A provider without a test gives no result; one that is disabled, or missing here, does not pass."""
    house, caller, vault = deployment.house, deployment.administrator, deployment.vault
    assert house.dealings.examinations.examine(caller, vault, ISSUER).result is None
    with pytest.raises(IssuerNotFound):
        house.dealings.examinations.examine(caller, vault, "nobody")
    with house.store.writing() as writer:
        issuer = writer.issuer(vault.id, ISSUER)
        assert issuer is not None
        writer.put_issuer(replace(issuer, provider="Elsewhere"))
    examined = house.dealings.examinations.examine(caller, vault, ISSUER)
    assert examined.result == Examination(passed=False, findings=("This deployment does not have the provider Elsewhere.",))


def test_a_disabled_issuer_does_not_pass(tmp_path: Path, clock: FakeClock) -> None:
    """What its provider found is told all the same."""
    with open_deployment(tmp_path, clock, authority=ExaminableAuthority()) as deployment:
        house, caller, vault = deployment.house, deployment.administrator, deployment.vault
        house.issuers.set(SERVICE, vault, ISSUER, IssuerParameters("Scripted", "acme-7"))
        passed = house.dealings.examinations.examine(caller, vault, ISSUER).result
        assert passed == Examination(passed=True, findings=("The account 'acme-7' works.",))
        house.issuers.set(SERVICE, vault, ISSUER, IssuerParameters("Scripted", "acme-7", enabled=False))
        failed = house.dealings.examinations.examine(caller, vault, ISSUER).result
        assert failed == Examination(
            passed=False, findings=("The issuer is disabled: nothing is asked of it.", "The account 'acme-7' works.")
        )
