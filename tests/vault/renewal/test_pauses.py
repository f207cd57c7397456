"""Renewals are held until somebody lets them go on; what is under way goes on, and what is asked for is done."""

from datetime import datetime, timedelta

import pytest

from certworker.errors import BadParameter, CertificateNotFound, Forbidden, LeaseLost
from certworker.vault.access import Caller
from certworker.vault.events import EventType
from certworker.vault.issuance import IssuanceRequest, Rejected
from certworker.vault.operations import Certificate, OperationReason, Pause, Progress
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, policy_for

STRANGER = Caller("nobody", "nobody", "nowhere")


def refuse(_request: IssuanceRequest, _progress: Progress | None, _at: datetime) -> Rejected:
    """Answer as a CA that does not want to."""
    return Rejected("Request rejected", "Not today.")


def pause(deployment: Deployment, why: str = "The shop moves house.", name: str = "web") -> Certificate:
    """Pause, as the administrator."""
    return deployment.house.lifecycle.pauses.pause(deployment.administrator, deployment.vault, name, why)


def resume(deployment: Deployment) -> Certificate:
    """Resume, as the administrator."""
    return deployment.house.lifecycle.pauses.resume(deployment.administrator, deployment.vault, "web")


@pytest.fixture
def web(deployment: Deployment) -> Deployment:
    """Have a certificate."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    return deployment


def test_a_pause_holds_everything_until_it_is_resumed(web: Deployment, clock: FakeClock) -> None:
    """Even past the end; then the renewal is due at once, and who did what is told once."""
    planned = web.renewal("web")
    assert pause(web).renewal.pause == Pause(START, "administrator", "The shop moves house.")
    clock.advance(timedelta(days=91))
    web.work()
    assert len(web.versions("web")) == 1
    resumed = resume(web).renewal
    assert resumed.pause is None
    assert resumed.reason is OperationReason.OVERDUE
    assert resume(web).renewal == resumed
    web.work()
    assert len(web.versions("web")) == 2
    told = [event for event in web.events() if event.type in {EventType.RENEWAL_PAUSED, EventType.RENEWAL_RESUMED}]
    assert [event.detail.get("by") for event in told] == ["administrator"] * 2
    assert planned.jitter != web.renewal("web").jitter


def test_a_pause_outlives_a_new_version(web: Deployment, clock: FakeClock) -> None:
    """What is asked for is done all the same, and nothing follows it by itself."""
    pause(web)
    web.house.requested.renew_now(web.administrator, web.vault, "web")
    web.work()
    assert len(web.versions("web")) == 2
    renewal = web.renewal("web")
    assert (renewal.pause, renewal.due_at) == (Pause(START, "administrator", "The shop moves house."), None)
    clock.advance(timedelta(days=100))
    web.work()
    assert len(web.versions("web")) == 2


def test_a_pause_forgets_what_was_asked_for(web: Deployment, clock: FakeClock) -> None:
    """The renewal that failed is not tried again while it is paused; afterwards all is as if it had not failed."""
    web.authority.script.append(refuse)
    web.house.requested.renew_now(web.administrator, web.vault, "web")
    web.work()
    assert web.renewal("web").requested_at is not None
    assert pause(web).renewal.due_at is None
    clock.advance(timedelta(days=1))
    web.work()
    assert len(web.versions("web")) == 1
    assert resume(web).renewal.reason is OperationReason.DEFAULT
    assert web.renewal("web").requested_at is None


def test_a_claimed_renewal_is_lost_to_a_pause(web: Deployment, clock: FakeClock) -> None:
    """A worker that was about to begin it begins nothing."""
    due_at = web.renewal("web").due_at
    assert due_at is not None
    clock.set(due_at)
    with web.house.store.writing() as writer:
        claimed = writer.claim_renewal("slow", clock(), timedelta(minutes=3))
    assert claimed is not None
    pause(web)
    with pytest.raises(LeaseLost, match="taken over"):
        web.house.renewals.begin(claimed)
    web.work()
    assert len(web.versions("web")) == 1


@pytest.mark.parametrize("why", ["", "  ", "two\nlines", "x" * 501])
def test_a_reason_is_one_line(web: Deployment, why: str) -> None:
    """It is read in tables and mails."""
    with pytest.raises(BadParameter, match="on one line"):
        pause(web, why)


def test_who_may_and_what_there_is(web: Deployment) -> None:
    """It takes the permission to update; and there must be such a certificate."""
    pauses, outlooks = web.house.lifecycle.pauses, web.house.lifecycle.outlooks
    for act in (
        lambda: pauses.pause(STRANGER, web.vault, "web", "x"),
        lambda: pauses.resume(STRANGER, web.vault, "web"),
        lambda: outlooks.show(STRANGER, web.vault, "web"),
        lambda: outlooks.list_(STRANGER, web.vault, None, 25),
    ):
        with pytest.raises(Forbidden):
            act()
    web.house.certificates.delete(web.administrator, web.vault, "web")
    for name in ("web", "nobody"):
        with pytest.raises(CertificateNotFound):
            pause(web, name=name)
        with pytest.raises(CertificateNotFound):
            outlooks.show(web.administrator, web.vault, name)
