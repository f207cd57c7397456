"""An issuance goes on step by step, each recorded before the next, until it waits or ends."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.errors import LeaseLost
from certworker.vault.acceptance import CLOCK_SKEW
from certworker.vault.access import SERVICE
from certworker.vault.events import EventType
from certworker.vault.issuance import IssuanceRequest, Pending, Rejected, Step
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import OperationStatus, Progress
from certworker.vault.policy import IssuerParameters as PolicyIssuer
from certworker.vault.progression import LEASE, MOST_STEPS
from certworker.worker.rounds import Rounds
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, check_whole, open_deployment, policy_for

MINUTE = timedelta(minutes=1)


def test_progress_is_recorded_before_the_next_step(deployment: Deployment) -> None:
    """Each step finds in the database what the one before it said; the journal keeps them all in order."""
    seen: list[Progress | None] = []

    def go(number: int) -> None:
        def act(_: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
            seen.append(progress)
            assert deployment.operation("web").progress == (progress or {})
            return Pending({"step": f"step-{number}", "order": "https://ca/order/1"}, at)

        deployment.authority.script.append(act)

    for number in range(3):
        go(number)
    operation = deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert [progress and progress["step"] for progress in seen] == [None, "step-0", "step-1"]
    with deployment.house.store.reading() as reader:
        steps = [entry.step for entry in reader.journal(operation.id)]
    assert steps == ["key-made", "step-0", "step-1", "step-2", "merged"]
    told = [event.detail["step"] for event in deployment.events() if event.type is EventType.OPERATION_STEP]
    assert told == ["step-0", "step-1", "step-2"]
    assert check_whole(deployment, "web")


def test_a_request_tells_what_the_policy_asks_for(deployment: Deployment) -> None:
    """Names, profile, account and credential of the issuer, and the CSR of the operation."""
    issuer = IssuerParameters("SCRIPTED", "account-1", "password-1")
    deployment.house.issuers.set(SERVICE, deployment.vault, ISSUER, issuer)
    policy = replace(policy_for("web.test"), issuer=PolicyIssuer(ISSUER.upper(), "shortlived"))
    operation = deployment.create("web", policy)
    deployment.work()
    (request,) = deployment.authority.requests
    assert (request.account_id, request.credential, request.profile) == ("account-1", "password-1", "shortlived")
    assert (request.csr, request.names, request.issuer) == (operation.csr, ("web.test",), ISSUER)


def test_a_waiting_operation_falls_due_when_the_ca_says(deployment: Deployment, clock: FakeClock) -> None:
    """It keeps its progress, and nobody asks before."""
    at = START + 7 * MINUTE
    deployment.authority.script.append(lambda *_: Pending({"step": "waits"}, at))
    deployment.create("web", policy_for("web.test"))
    assert deployment.work() == at
    assert deployment.operation("web").progress == {"step": "waits"}
    clock.set(at - timedelta(seconds=1))
    deployment.work()
    assert len(deployment.authority.requests) == 1
    clock.set(at)
    deployment.work()
    assert len(deployment.versions("web")) == 1


@pytest.mark.parametrize("failure", [None, "Too many requests."])
def test_nobody_asks_a_fraction_of_a_second_too_early(deployment: Deployment, failure: str | None) -> None:
    """The store keeps whole seconds, and rounds up what a CA says."""
    at = START + 7 * MINUTE + timedelta(milliseconds=500)
    deployment.authority.script.append(lambda *_: Pending({"step": "waits"}, at, failure))
    deployment.create("web", policy_for("web.test"))
    assert deployment.work() == START + 7 * MINUTE + timedelta(seconds=1)


def test_failed_attempts_back_off(deployment: Deployment, clock: FakeClock) -> None:
    """1, 10, 100 minutes, then daily; the operation stays in progress and tells why and when."""
    deployment.authority.script.extend([lambda *_: Pending({"step": "ordered"}, None, "The CA is down.")] * 5)
    deployment.create("web", policy_for("web.test"))
    for failures, minutes in enumerate((1, 10, 100, 1440, 1440), start=1):
        due = deployment.work()
        assert due == clock() + minutes * MINUTE
        operation = deployment.operation("web")
        assert (operation.status, operation.failures) == (OperationStatus.IN_PROGRESS, failures)
        assert operation.status_details == f"The CA is down. The next attempt is at {due:%Y-%m-%dT%H:%M:%SZ}."
        clock.set(due)
    deployment.work()
    assert len(deployment.versions("web")) == 1
    told = [event for event in deployment.events() if event.type is EventType.OPERATION_RETRY]
    assert [event.detail["error"] for event in told] == ["The CA is down."] * 5


@pytest.mark.parametrize(("minutes", "expected"), [(0, 1), (45, 45), (3 * 1440, 3 * 1440)])
def test_retry_after_wins(deployment: Deployment, minutes: int, expected: int) -> None:
    """Where the CA allows the next attempt later than we would make it, it is made then."""
    deployment.authority.script.append(lambda *_: Pending({}, START + minutes * MINUTE, "Too many requests."))
    deployment.create("web", policy_for("web.test"))
    assert deployment.work() == START + expected * MINUTE


def test_a_refusal_ends_the_operation(deployment: Deployment) -> None:
    """With Key Vault's code and the CA's own words; the name is free to be asked for again."""
    deployment.authority.script.append(lambda *_: Rejected("Request rejected", "CAA forbids it.", configuration=True))
    deployment.create("web", policy_for("web.test"))
    assert deployment.issue() is None
    operation = deployment.operation("web")
    assert (operation.status, operation.error_code) == (OperationStatus.FAILED, "Request rejected")
    assert (operation.error_message, operation.status_details, operation.due_at) == ("CAA forbids it.", None, None)
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert len(deployment.versions("web")) == 1


def disable(deployment: Deployment) -> None:
    """Switch the issuer off."""
    parameters = IssuerParameters("Scripted", enabled=False)
    deployment.house.issuers.set(deployment.administrator, deployment.vault, ISSUER, parameters)


def delete(deployment: Deployment) -> None:
    """Delete the issuer."""
    deployment.house.issuers.delete(deployment.administrator, deployment.vault, ISSUER)


def take_the_provider_away(deployment: Deployment) -> None:
    """Leave an issuer whose provider came with a plug-in that is not installed any more."""
    with deployment.house.store.writing() as writer:
        issuer = writer.issuer(deployment.vault.id, ISSUER)
        assert issuer is not None
        writer.put_issuer(replace(issuer, provider="Vanished"))


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (disable, f"The issuer {ISSUER} is disabled."),
        (delete, f"The issuer {ISSUER} does not exist."),
        (take_the_provider_away, f"The issuer {ISSUER} has the provider Vanished, which this deployment does not have."),
    ],
)
def test_an_issuer_that_cannot_be_asked_is_told(
    deployment: Deployment, happens: Callable[[Deployment], None], words: str
) -> None:
    """Disabled, deleted, or of a kind that this deployment does not have: the operation fails and says so."""
    deployment.create("web", policy_for("web.test"))
    happens(deployment)
    deployment.work()
    operation = deployment.operation("web")
    assert (operation.error_code, operation.error_message) == ("Certificate issuer error", words)
    assert deployment.authority.requests == []


def test_a_cancellation_during_a_step_is_kept(deployment: Deployment) -> None:
    """What the CA sends after somebody asked for the cancellation is not merged."""

    def cancel_and_issue(request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "web")
        return deployment.authority.issue(request, progress, at)

    deployment.authority.script.append(cancel_and_issue)
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert deployment.operation("web").status is OperationStatus.CANCELLED
    assert deployment.versions("web") == ()


def test_a_cancellation_during_a_wait_is_carried_out(deployment: Deployment) -> None:
    """A step that has to wait gives way to the cancellation at once."""

    def cancel_and_wait(_: IssuanceRequest, __: Progress | None, at: datetime) -> Step:
        deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "web")
        return Pending({"step": "waits"}, at + timedelta(hours=1))

    deployment.authority.script.append(cancel_and_wait)
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert deployment.operation("web").status is OperationStatus.CANCELLED
    assert len(deployment.authority.requests) == 1


@pytest.mark.parametrize("how", ["delete", "delete_operation"])
@pytest.mark.parametrize("outcome", ["issued", "rejected", "raised"])
def test_a_certificate_deleted_during_a_step_stays_deleted(deployment: Deployment, how: str, outcome: str) -> None:
    """Whatever the step comes to is not recorded, and the round goes on with the next certificate."""
    deployment.create("web", policy_for("web.test", "Self"))

    def delete_and_answer(request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        getattr(deployment.house.certificates, how)(deployment.administrator, deployment.vault, "web")
        if outcome == "raised":
            raise ValueError("gone")
        if outcome == "rejected":
            return Rejected("Request rejected", "No.")
        return deployment.authority.issue(request, progress, at)

    deployment.authority.script.append(delete_and_answer)
    deployment.create("web", policy_for("web.test"))
    deployment.create("other", policy_for("other.test"))
    deployment.work()
    if how == "delete":
        deployment.house.certificates.recover(deployment.administrator, deployment.vault, "web")
    assert len(deployment.versions("web")) == 1
    assert len(deployment.versions("other")) == 1


def test_a_lease_that_went_to_another_worker_is_respected(deployment: Deployment, clock: FakeClock) -> None:
    """A worker that was away for longer than its lease records nothing; the other one's result stands."""
    other = Rounds(deployment.house, "another-worker")

    def fall_asleep(request: IssuanceRequest, progress: Progress | None, _: datetime) -> Step:
        clock.advance(LEASE + timedelta(seconds=1))
        other.run_due(clock())
        return deployment.authority.issue(request, progress, clock())

    deployment.authority.script.append(fall_asleep)
    operation = deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert deployment.versions("web") == (operation.version,)
    assert deployment.authority.issued == 2
    with deployment.house.store.reading() as reader:
        assert [entry.step for entry in reader.journal(operation.id)].count("merged") == 1
    assert check_whole(deployment, "web")


def test_a_lost_lease_stops_the_steps(deployment: Deployment, clock: FakeClock) -> None:
    """Progress under a lease that is lost is not recorded either."""
    deployment.create("web", policy_for("web.test"))
    with deployment.house.store.writing() as writer:
        claimed = writer.claim_operation("one", clock(), LEASE)
    clock.advance(LEASE)
    with deployment.house.store.writing() as writer:
        again = writer.claim_operation("two", clock(), LEASE)
    assert claimed is not None
    assert again is not None
    deployment.authority.script.append(lambda _, __, at: Pending({"step": "late"}, at))
    with pytest.raises(LeaseLost):
        deployment.house.progression.advance(claimed)
    with pytest.raises(LeaseLost):
        deployment.house.progression.postpone(claimed, "late")
    assert deployment.operation("web").progress == {}


def test_a_provider_that_never_waits_does_not_hold_the_worker(deployment: Deployment) -> None:
    """One that always answers "now" gets a bounded number of steps, and its operation is taken up again later."""

    def again(_: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        return Pending({"polls": str(int((progress or {}).get("polls", "0")) + 1)}, at)

    operation = deployment.create("web", policy_for("web.test"))
    deployment.authority.script.extend([again] * 3 * MOST_STEPS)
    with deployment.house.store.writing() as writer:
        claimed = writer.claim_operation("worker", deployment.house.clock(), LEASE)
    assert claimed is not None
    deployment.house.progression.advance(claimed)
    assert deployment.operation("web").progress == {"polls": str(MOST_STEPS)}
    with deployment.house.store.reading() as reader:
        assert len(reader.journal(operation.id)) == MOST_STEPS + 1


class WithdrawingAuthority:
    """A provider whose orders wait, and can be withdrawn; the CA does not hear of it the first `deaf` times.

    A `broken` one raises then what nobody foresaw.
    """

    def __init__(self, deaf: int, *, broken: bool = False) -> None:
        self.deaf = deaf
        self.broken = broken
        self.asked: list[Progress] = []
        self.times: list[datetime] = []

    def step(self, _request: IssuanceRequest, _progress: Progress | None, at: datetime) -> Step:
        """Wait."""
        return Pending({"step": "ordered", "order": "7"}, at + timedelta(days=1))

    def cancel(self, _request: IssuanceRequest, progress: Progress, at: datetime) -> Pending | None:
        """Withdraw."""
        self.asked.append(progress)
        self.times.append(at)
        if self.broken and len(self.asked) <= self.deaf:
            raise ValueError("what the CA sent")
        return Pending(progress, None, "The CA is down.") if len(self.asked) <= self.deaf else None


@pytest.mark.parametrize(("deaf", "asked"), [(0, 1), (2, 3), (99, 4)])
def test_a_cancelled_order_is_withdrawn_at_the_ca(tmp_path: Path, clock: FakeClock, deaf: int, asked: int) -> None:
    """The CA is told, again where it cannot be; one that stays deaf is left with its order, and the operation ends."""
    authority = WithdrawingAuthority(deaf)
    with open_deployment(tmp_path, clock, providers={"withdrawing": authority}) as deployment:
        deployment.house.issuers.set(SERVICE, deployment.vault, ISSUER, IssuerParameters("withdrawing"))
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "web")
        for _ in range(10):
            if (due := deployment.work()) and deployment.operation("web").status is OperationStatus.IN_PROGRESS:
                assert "The CA is down." in (deployment.operation("web").status_details or "")
                clock.set(due)
        assert deployment.operation("web").status is OperationStatus.CANCELLED
        assert len(authority.asked) == asked
        assert {progress["order"] for progress in authority.asked} == {"7"}


@pytest.mark.parametrize("broken", [False, True])
def test_a_withdrawal_is_tried_again_with_patience(tmp_path: Path, clock: FakeClock, *, broken: bool) -> None:
    """After 1, 10 and 100 minutes, as the operation tells; so it is where the provider breaks, and nothing spins."""
    authority = WithdrawingAuthority(99, broken=broken)
    with open_deployment(tmp_path, clock, providers={"withdrawing": authority}) as deployment:
        deployment.house.issuers.set(SERVICE, deployment.vault, ISSUER, IssuerParameters("withdrawing"))
        operation = deployment.create("web", policy_for("web.test"))
        deployment.work()
        deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "web")
        while due := deployment.work():
            assert f"It is told again at {due:%Y-%m-%dT%H:%M:%SZ}." in (deployment.operation("web").status_details or "")
            clock.set(due)
        assert [(at - START) // MINUTE for at in authority.times] == [0, 1, 11, 111]
        assert deployment.operation("web").status is OperationStatus.CANCELLED
        with deployment.house.store.reading() as reader:
            assert [entry.step for entry in reader.journal(operation.id)].count("withdrawal-pending") == 3


def test_a_renewal_is_given_up_whatever_its_provider_does(tmp_path: Path, clock: FakeClock) -> None:
    """A withdrawal that breaks does not keep an order alive that the CA never fulfils."""
    authority = WithdrawingAuthority(99, broken=True)
    with open_deployment(tmp_path, clock, providers={"withdrawing": authority}) as deployment:
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        deployment.house.issuers.set(SERVICE, deployment.vault, ISSUER, IssuerParameters("withdrawing"))
        clock.set(deployment.renewal("web").due_at or START)
        deployment.work()
        for _ in range(9):
            clock.advance(timedelta(days=1))
            deployment.work()
            if deployment.operation("web").status is OperationStatus.FAILED:
                break
        assert "given up" in (deployment.operation("web").error_message or "")


def test_what_was_never_ordered_is_not_withdrawn(tmp_path: Path, clock: FakeClock) -> None:
    """An operation that was cancelled before its first step asks nothing of the CA."""
    authority = WithdrawingAuthority(0)
    with open_deployment(tmp_path, clock, providers={"withdrawing": authority}) as deployment:
        deployment.house.issuers.set(SERVICE, deployment.vault, ISSUER, IssuerParameters("withdrawing"))
        deployment.create("web", policy_for("web.test"))
        deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "web")
        deployment.work()
        assert deployment.operation("web").status is OperationStatus.CANCELLED
        assert authority.asked == []


def test_a_certificate_that_begins_later_is_waited_for(deployment: Deployment, clock: FakeClock) -> None:
    """A worker whose clock is three hours behind takes it when its time has come, and orders none anew."""
    ahead = timedelta(hours=3)

    def order(_request: IssuanceRequest, _progress: Progress | None, at: datetime) -> Step:
        return Pending({"step": "ordered"}, at)

    def download(request: IssuanceRequest, progress: Progress | None, _at: datetime) -> Step:
        return deployment.authority.issue(request, progress, START + ahead)

    deployment.authority.script.extend((order, download, download))
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    waiting = deployment.operation("web")
    assert (waiting.status, waiting.failures) == (OperationStatus.IN_PROGRESS, 0)
    assert "a clock is wrong" in (waiting.status_details or "")
    clock.advance(ahead - CLOCK_SKEW)
    deployment.work()
    assert deployment.operation("web").status is OperationStatus.COMPLETED
    check_whole(deployment, "web")
