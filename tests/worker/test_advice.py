"""The round of advice: who is asked about what, how often, and what becomes of the answers."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from certworker.errors import LeaseLost
from certworker.vault.access import SERVICE
from certworker.vault.events import Event, EventType
from certworker.vault.issuance import Advice, IssuanceRequest, NoAdvice
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import OperationReason
from certworker.vault.progression import LEASE
from certworker.vault.renewal.advice import Known
from certworker.vault.watches import Watch, WatchKind
from tests.support.advising import AdvisingAuthority
from tests.support.clock import FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LIFETIME = timedelta(days=47)


@pytest.fixture
def authority() -> AdvisingAuthority:
    """Make a CA that gives advice."""
    return AdvisingAuthority(validity=LIFETIME)


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock, authority: AdvisingAuthority) -> Iterator[Deployment]:
    """Open a deployment that has a certificate of that CA, about which nothing was asked yet."""
    with open_deployment(tmp_path, clock, authority=authority) as deployment:
        deployment.create("web", policy_for("web.test"))
        for name in ("renewals", "operations"):
            deployment.rounds.run(name, clock())
        yield deployment


def watch(deployment: Deployment, name: str = "web") -> Watch:
    """Find the watch over a certificate."""
    with deployment.house.store.reading() as reader:
        found = reader.watch(WatchKind.ADVICE, deployment.vault.id, name)
    assert found is not None
    return found


def known(deployment: Deployment, name: str = "web") -> Known:
    """Read what is known about a certificate."""
    return Known.read(watch(deployment, name).state)


def has_watch(deployment: Deployment, name: str) -> bool:
    """Tell whether there is a watch over a certificate."""
    with deployment.house.store.reading() as reader:
        return reader.watch(WatchKind.ADVICE, deployment.vault.id, name) is not None


def told(deployment: Deployment) -> list[Event]:
    """List what people were told of advice."""
    return [event for event in deployment.events() if event.type is EventType.RENEWAL_ADVISED]


def test_a_version_is_asked_about_as_soon_as_it_is_there(deployment: Deployment, authority: AdvisingAuthority) -> None:
    """Once, with the issuer's account and no CSR; then when the CA says; the plan goes by the point that was drawn."""
    at = deployment.house.clock()
    assert watch(deployment).due_at == at
    deployment.work()
    assert [when for when, _ in authority.asked] == [at]
    assert [(request.issuer, request.csr) for request in authority.advised] == [(ISSUER, b"")]
    assert watch(deployment).due_at == at + 6 * HOUR
    window = known(deployment).window
    assert window is not None
    assert window.start <= window.point <= window.end
    assert (deployment.renewal("web").due_at, deployment.renewal("web").reason) == (window.point, OperationReason.ADVISED)
    assert told(deployment) == []


def test_the_point_outlives_restarts(tmp_path: Path, clock: FakeClock, authority: AdvisingAuthority) -> None:
    """Another process with other dice asks again and again, and keeps it."""
    points = set()
    for seed in range(5):
        with open_deployment(tmp_path, clock, seed=seed, authority=authority) as deployment:
            if seed == 0:
                deployment.create("web", policy_for("web.test"))
            deployment.work()
            window = known(deployment).window
            assert window is not None
            points.add(window.point)
            clock.advance(6 * HOUR)
    assert len(authority.asked) == 5
    assert len(points) == 1


def test_a_window_that_is_pulled_in_is_told_and_planned_by(
    deployment: Deployment, authority: AdvisingAuthority, clock: FakeClock
) -> None:
    """With what the CA says about it; the renewal goes with the next look, and its new version is asked about anew."""
    deployment.work()
    clock.advance(10 * DAY)
    start, end = clock() - 2 * HOUR, clock() - HOUR
    authority.answers.append(Advice(start, end, "https://ca.test/incident"))
    deployment.rounds.run("advice", clock())
    (event,) = told(deployment)
    assert event.version == deployment.get("web").version.version
    assert (event.detail["start"], event.detail["end"]) == (start.isoformat(), end.isoformat())
    assert (event.detail["issuer"], event.detail["explanation_url"]) == (ISSUER, "https://ca.test/incident")
    renewal = deployment.renewal("web")
    assert renewal.due_at is not None
    assert renewal.due_at <= clock()
    deployment.work()
    assert len(deployment.versions("web")) == 2
    assert deployment.operation("web").reason is OperationReason.ADVISED
    assert watch(deployment).version == deployment.get("web").version.version
    assert len(told(deployment)) == 1


def test_failures_back_off_and_keep_the_window(deployment: Deployment, authority: AdvisingAuthority, clock: FakeClock) -> None:
    """A CA that is down is asked after 1, 2, 4 minutes; what it said before stays in force."""
    deployment.work()
    window = known(deployment).window
    for failures, pause in ((1, MINUTE), (2, 2 * MINUTE), (3, 4 * MINUTE)):
        due_at = watch(deployment).due_at
        assert due_at is not None
        clock.set(due_at)
        authority.answers.append(NoAdvice("The CA is down."))
        deployment.rounds.run("advice", clock())
        assert watch(deployment).due_at == clock() + pause
        assert (known(deployment).failures, known(deployment).last_error) == (failures, "The CA is down.")
        assert known(deployment).window == window
    clock.advance(4 * MINUTE)
    deployment.rounds.run("advice", clock())
    assert (known(deployment).failures, known(deployment).since, known(deployment).window) == (0, None, window)


def test_a_ca_that_does_not_answer_holds_nobody_else_up(
    deployment: Deployment, authority: AdvisingAuthority, clock: FakeClock
) -> None:
    """It is asked about one certificate, and not about all; those of another CA are asked about; all are once it is back."""
    house, vault = deployment.house, deployment.vault
    house.issuers.set(SERVICE, vault, "other-ca", IssuerParameters("Scripted", "https://other.test"))
    for number in range(10):
        deployment.create(f"web-{number}", policy_for(f"web-{number}.test"))
    deployment.create("elsewhere", policy_for("elsewhere.test", "other-ca"))
    for name in ("renewals", "operations"):
        deployment.rounds.run(name, clock())
    authority.answers.append(NoAdvice("The CA is down."))
    deployment.rounds.run("advice", clock())
    assert [request.issuer for request in authority.advised] == [ISSUER, "other-ca"]
    assert {watch(deployment, f"web-{number}").due_at for number in range(10)} == {clock() + MINUTE}
    assert known(deployment, "web-3").failures == 0
    clock.advance(MINUTE)
    deployment.rounds.run("advice", clock())
    assert len(authority.asked) == 13
    assert all(known(deployment, f"web-{number}").window for number in range(10))


def test_a_ca_without_advice_is_asked_once_a_day(
    deployment: Deployment, authority: AdvisingAuthority, clock: FakeClock
) -> None:
    """And the renewal is as it would be without."""
    authority.answers.append(NoAdvice("There is none.", offered=False, passing=False))
    deployment.work()
    assert watch(deployment).due_at == clock() + DAY
    assert deployment.renewal("web").reason is OperationReason.DEFAULT


def test_what_a_provider_did_not_foresee_is_a_failure(
    deployment: Deployment, authority: AdvisingAuthority, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """One broken answer stops nobody, and tells nothing of what it held."""

    def break_down(_request: IssuanceRequest, _certificate: bytes, _at: datetime) -> Advice | NoAdvice:
        raise RuntimeError("token=a-secret")

    monkeypatch.setattr(authority, "advise", break_down)
    deployment.work()
    assert watch(deployment).due_at == clock() + MINUTE
    assert known(deployment).last_error == "An unexpected RuntimeError came up; the log tells where."


def test_nobody_is_asked_about_what_has_expired(deployment: Deployment, authority: AdvisingAuthority, clock: FakeClock) -> None:
    """The watch rests for good."""
    clock.advance(LIFETIME)
    deployment.rounds.run("advice", clock())
    assert authority.asked == []
    assert watch(deployment).due_at is None


def test_an_issuer_that_cannot_be_asked_is_waited_for(
    deployment: Deployment, authority: AdvisingAuthority, clock: FakeClock
) -> None:
    """One that is disabled or gone loses no window that it gave."""
    deployment.work()
    window = known(deployment).window
    house, vault = deployment.house, deployment.vault
    house.issuers.set(SERVICE, vault, ISSUER, IssuerParameters("Scripted", enabled=False))
    clock.advance(6 * HOUR)
    deployment.rounds.run("advice", clock())
    assert len(authority.asked) == 1
    assert known(deployment).window == window
    assert "disabled" in (known(deployment).last_error or "")
    house.issuers.delete(SERVICE, vault, ISSUER)
    clock.advance(6 * HOUR)
    deployment.rounds.run("advice", clock())
    assert watch(deployment).due_at == clock() + 6 * HOUR


def test_only_what_a_ca_issued_is_watched(deployment: Deployment) -> None:
    """Neither self-signed ones nor those that wait for a person; a certificate that becomes self-signed loses its watch."""
    deployment.create("own", policy_for("own.test", "Self"))
    assert not has_watch(deployment, "own")
    assert has_watch(deployment, "web")
    deployment.create("web", policy_for("web.test", "Self"))
    assert not has_watch(deployment, "web")


def test_versions_of_an_earlier_release_are_found(deployment: Deployment, authority: AdvisingAuthority) -> None:
    """They are watched from the next healing on, each once; what nobody can be asked about is left alone."""
    deployment.create("own", policy_for("own.test", "Self"))
    with deployment.house.store.writing() as writer:
        writer.delete_watch(WatchKind.ADVICE, deployment.vault.id, "web")
    assert deployment.rounds.run("advice-healing", deployment.house.clock()) == 1
    assert deployment.rounds.run("advice-healing", deployment.house.clock()) == 0
    deployment.work()
    assert len(authority.asked) == 1
    assert known(deployment).issuer == ISSUER


def test_a_claim_that_was_taken_over_records_nothing(deployment: Deployment, clock: FakeClock) -> None:
    """Of two that ask about the same certificate, the second one's answer counts."""
    service, at = deployment.house.lifecycle.advising, clock()
    with deployment.house.store.writing() as writer:
        first = writer.claim_watch(WatchKind.ADVICE, "one", at, LEASE)
    clock.advance(LEASE)
    with deployment.house.store.writing() as writer:
        second = writer.claim_watch(WatchKind.ADVICE, "two", clock(), LEASE)
    assert first is not None
    assert second is not None
    service.look(second)
    seen = known(deployment)
    with pytest.raises(LeaseLost):
        service.look(first)
    assert known(deployment) == seen
    with pytest.raises(LeaseLost):
        service.look(replace(second, version="another"))
