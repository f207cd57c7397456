"""A renewal that fails leaves the old version current, is remembered, and is tried again in time."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, build_csr, sign_csr
from certworker.vault.events import EventType
from certworker.vault.issuance import IssuanceRequest, Issued, Pending, Rejected, Step
from certworker.vault.operations import OperationReason, OperationStatus, Progress
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, check_whole, policy_for

PASSWORD = "hunter2-of-the-ca"
DAY = timedelta(days=1)


@pytest.fixture
def due(deployment: Deployment, clock: FakeClock) -> Deployment:
    """Have a certificate whose renewal has just fallen due."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    planned = deployment.renewal("web").due_at
    assert planned is not None
    clock.set(planned)
    return deployment


def another_key(deployment: Deployment) -> Issued:
    """Issue for a key that nobody asked for."""
    authority, at = deployment.authority, deployment.house.clock()
    request = CertificateRequest("CN=web.test", policy_for("web.test").x509.names, (), ())
    csr = build_csr(generate_key("EC", None, "P-256"), request)
    return Issued((sign_csr(csr, authority.root, authority._key, at, at + DAY),))


def expired(deployment: Deployment) -> Issued:
    """Issue something that is over already."""
    authority, at = deployment.authority, deployment.house.clock()
    return Issued((sign_csr(authority.requests[-1].csr, authority.root, authority._key, at - 2 * DAY, at),))


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (another_key, "certificate is for another key"),
        (expired, "certificate expired"),
        (lambda _: Issued((b"garbage",)), "not an X.509 certificate"),
        (lambda _: Issued((b"",)), "not an X.509 certificate"),
        (lambda _: Issued(()), "There is no certificate"),
        (lambda deployment: Issued((deployment.authority.root,)), "certificate is for another key"),
    ],
)
def test_a_lying_ca_is_refused(due: Deployment, lie: Callable[[Deployment], Issued], words: str) -> None:
    """What is not for our key, not valid or no certificate never becomes a version; the old one stays."""
    before = check_whole(due, "web")
    due.authority.script.append(lambda *_: lie(due))
    due.work()
    operation = due.operation("web")
    assert operation.status is OperationStatus.FAILED
    assert operation.error_code == "Certificate issuer error"
    assert words in str(operation.error_message)
    assert check_whole(due, "web") == before
    assert due.versions("web") == (before,)


def test_garbage_in_the_chain_is_refused(due: Deployment) -> None:
    """A good leaf with a chain that cannot be read is no version either."""

    def act(request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        leaf = due.authority.issue(request, progress, at).chain[0]
        return Issued((leaf, b"garbage"))

    due.authority.script.append(act)
    due.work()
    assert due.operation("web").status is OperationStatus.FAILED
    assert len(due.versions("web")) == 1


def test_a_failed_renewal_keeps_its_key_and_is_counted(due: Deployment, clock: FakeClock) -> None:
    """The next attempt goes on with the same key and version, and success ends the count."""
    before = check_whole(due, "web")
    due.authority.script.extend([lambda *_: Rejected("Certificate issuer error", "Not today.")] * 3)
    keys, versions = set(), set()
    for failures, minutes in enumerate((1, 10, 100), start=1):
        due.work()
        renewal = due.renewal("web")
        assert (renewal.failures, renewal.last_error) == (failures, "Not today.")
        assert renewal.due_at == clock() + timedelta(minutes=minutes)
        assert check_whole(due, "web") == before
        keys.add(due.operation("web").public_key)
        versions.add(due.operation("web").version)
        clock.set(renewal.due_at)
    due.work()
    last = due.operation("web")
    assert (last.status, last.reason) == (OperationStatus.COMPLETED, OperationReason.DEFAULT)
    assert keys == {last.public_key}
    assert versions == {last.version} == {check_whole(due, "web")}
    renewal = due.renewal("web")
    assert (renewal.failures, renewal.last_error) == (0, None)
    assert len(due.versions("web")) == 2


@pytest.mark.parametrize("refused_by", ["us", "the CA"])
def test_a_key_that_a_ca_certified_is_not_used_again(due: Deployment, clock: FakeClock, refused_by: str) -> None:
    """A certificate that was refused, or one that nobody has seen, is for a key that no later attempt has."""

    def other_names(request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        issued = due.authority.issue(request, progress, at)
        return Issued(issued.chain[1:])

    rejected = Rejected("Certificate issuer error", "Never heard of it.", certified=True)
    due.authority.script.append(other_names if refused_by == "us" else lambda *_: rejected)
    due.work()
    failed, due_at = due.operation("web"), due.renewal("web").due_at
    assert failed.status is OperationStatus.FAILED
    assert due_at
    clock.set(due_at)
    due.work()
    renewed = due.operation("web")
    assert renewed.status is OperationStatus.COMPLETED
    assert (renewed.public_key == failed.public_key, renewed.version == failed.version) == (False, False)


def test_a_renewal_does_not_wait_for_ever(due: Deployment, clock: FakeClock) -> None:
    """A CA that neither issues nor refuses is given up after a week; the next attempt has another key."""
    due.authority.script.extend([lambda _request, _progress, at: Pending({"step": "ordered"}, at + timedelta(hours=6))] * 29)
    begun = clock()
    while due.operation("web").status is not OperationStatus.FAILED:
        clock.set(max(due.work() or clock(), clock()))
    assert timedelta(days=7) <= clock() - begun < timedelta(days=8)
    failed = due.operation("web")
    assert "has not issued within 7 days" in (failed.error_message or "")
    due.authority.script.clear()
    clock.set(max(due.renewal("web").due_at or clock(), clock()))
    due.work()
    assert due.operation("web").status is OperationStatus.COMPLETED
    assert due.operation("web").public_key != failed.public_key


def test_a_mistake_in_the_set_up_goes_to_daily_at_once(due: Deployment, clock: FakeClock) -> None:
    """A CAA record does not change in a minute."""
    due.authority.script.append(lambda *_: Rejected("Request rejected", "CAA forbids it.", configuration=True))
    due.work()
    assert due.renewal("web").due_at == clock() + DAY


@pytest.mark.long
def test_urgency_shortens_every_wait(due: Deployment, clock: FakeClock) -> None:
    """Failure after failure, the waits follow the time that is left, and never reach past the end."""
    expires = due.get("web").version.attributes.expires
    assert expires is not None
    due.authority.script.extend([lambda *_: Rejected("Request rejected", "No.", configuration=True)] * 500)
    attempts = 0
    while clock() < expires - timedelta(minutes=10):
        due.work()
        attempts += 1
        planned = due.renewal("web").due_at
        assert planned is not None
        assert clock() < planned <= clock() + min(DAY, (expires - clock()) / 10)
        clock.set(planned)
    assert 60 < attempts < 200


def test_a_renewal_is_tried_even_after_the_end(due: Deployment, clock: FakeClock) -> None:
    """A certificate that expired is not given up."""
    due.authority.script.append(lambda *_: Rejected("Certificate issuer error", "Down."))
    clock.advance(100 * DAY)
    due.work()
    clock.advance(timedelta(minutes=1))
    due.work()
    assert len(due.versions("web")) == 2


def test_a_cancelled_renewal_comes_back(due: Deployment, clock: FakeClock) -> None:
    """Its owner cancelled this attempt, not all of them: the next is a day later."""
    due.authority.script.append(lambda _, __, at: Pending({"step": "waits"}, at + timedelta(hours=1)))
    due.work()
    due.house.certificates.request_cancellation(due.administrator, due.vault, "web")
    due.work()
    assert due.operation("web").status is OperationStatus.CANCELLED
    assert due.renewal("web").due_at == clock() + DAY
    clock.advance(DAY)
    due.work()
    assert len(due.versions("web")) == 2


@pytest.mark.parametrize("failure", [ValueError, KeyError, OSError, RuntimeError])
def test_an_unforeseen_error_stops_nobody_and_tells_nothing(
    deployment: Deployment, clock: FakeClock, caplog: pytest.LogCaptureFixture, failure: type[Exception]
) -> None:
    """The other certificates are issued, and what a foreign exception says is in no row, no event and no log."""

    def explode(*_: object) -> Step:
        raise failure(f"login failed: {PASSWORD}") from failure(f"401 for password={PASSWORD}")

    deployment.authority.script.append(explode)
    for name in ("a", "b", "c"):
        deployment.create(name, policy_for(f"{name}.test"))
    with caplog.at_level(logging.DEBUG):
        deployment.work()
    issued = [entry.name for entry in deployment.house.fleet.entries() if entry.version]
    assert len(issued) == 2
    (broken,) = {"a", "b", "c"} - set(issued)
    operation = deployment.operation(broken)
    assert operation.status is OperationStatus.IN_PROGRESS
    assert f"An unexpected {failure.__name__} came up" in str(operation.status_details)
    assert operation.due_at == clock() + timedelta(minutes=1)
    assert f"unexpected {failure.__name__} at" in caplog.text
    database = Path(deployment.house.settings.database_url.removeprefix("sqlite:///"))
    files = [file.read_bytes() for file in database.parent.glob("certworker.db*")]
    assert len(files) > 1
    for text in (caplog.text, str(deployment.events()), *map(repr, files)):
        assert PASSWORD not in text
    clock.advance(timedelta(minutes=1))
    deployment.work()
    assert check_whole(deployment, broken)


def test_an_unforeseen_error_loses_no_progress(deployment: Deployment, clock: FakeClock) -> None:
    """The order that was placed in the same round is gone on with: a second one would count against the limits."""
    seen: list[Progress | None] = []

    def explode(_: IssuanceRequest, progress: Progress | None, __: datetime) -> Step:
        seen.append(progress)
        raise ValueError("unforeseen")

    deployment.authority.script.extend([lambda _, __, at: Pending({"step": "ordered", "order": "1"}, at), explode])
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    assert deployment.operation("web").progress == {"step": "ordered", "order": "1"}
    clock.advance(timedelta(minutes=1))
    deployment.authority.script.append(explode)
    deployment.work()
    assert seen == [{"step": "ordered", "order": "1"}] * 2


def test_a_renewal_tells_its_beginning_and_its_reason(due: Deployment) -> None:
    """The events of a renewal are those that people watch for."""
    due.work()
    told = [event for event in due.events() if event.type is EventType.RENEWAL_STARTED]
    assert [event.detail for event in told] == [{"vault": "contoso", "reason": "default", "issuer": "test-ca"}]
