"""What is remembered of failures, and what is not held against a certificate."""

from datetime import timedelta
from pathlib import Path

import pytest

from certworker.errors import SettingsError
from certworker.settings import IssuerSettings, load_settings
from certworker.vault.access import SERVICE
from certworker.vault.events import EventType
from certworker.vault.issuance import Pending, Rejected, Trouble
from certworker.vault.issuers import IssuerParameters
from certworker.vault.operations import OperationStatus
from certworker.vault.resilience.routing import Preference, Routing, waits_too_long
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def fail(trouble: Trouble | None = None, retry_minutes: int | None = None) -> object:
    """Make an act that fails."""
    return lambda _request, _progress, at: Pending(
        {}, at + retry_minutes * MINUTE if retry_minutes else None, "Not now.", trouble=trouble
    )


def test_failures_are_remembered_over_operations(deployment: Deployment, clock: FakeClock) -> None:
    """A new order for the same names at the same CA goes on counting where the last one ended."""
    refuse = lambda *_: Rejected("Certificate issuer error", "Not today.")  # noqa: E731
    deployment.authority.script.extend([refuse, fail(), fail()])  # type: ignore[list-item]
    for _ in range(2):
        deployment.create("web", policy_for("web.test"))
        due = deployment.work()
    assert due == clock() + 10 * MINUTE
    assert deployment.operation("web").failures == 1
    clock.set(due)
    assert deployment.work() == clock() + 100 * MINUTE


def test_failures_on_the_way_are_not_in_a_row(deployment: Deployment, clock: FakeClock) -> None:
    """A CA that has worked on in between is asked again soon."""
    going_on = lambda _request, _progress, at: Pending({"step": "ordered"}, at + MINUTE)  # noqa: E731
    deployment.authority.script.extend([fail(), fail(), going_on, fail(), fail()])  # type: ignore[list-item]
    deployment.create("web", policy_for("web.test"))
    waits = []
    for _ in range(5):
        due = deployment.work()
        assert due is not None
        waits.append((due - clock()) // MINUTE)
        clock.set(due)
    assert waits == [1, 10, 1, 1, 10]


def test_others_are_not_asked_about_before_the_ca_allows(deployment: Deployment, clock: FakeClock) -> None:
    """What the CA said of a set of names holds for whoever asks for the same set."""
    deployment.authority.script.append(fail(retry_minutes=300))  # type: ignore[arg-type]
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    operation = deployment.create("same", policy_for("WEB.test"))
    assert operation.due_at == clock() + 300 * MINUTE
    assert deployment.create("other", policy_for("other.test")).due_at == clock()


def test_the_plan_says_that_what_has_begun_waits_for_its_ca(deployment: Deployment, clock: FakeClock) -> None:
    """It is not told as due now while nobody asks the CA; what its owner cancels does not wait."""
    throttled = Pending({}, START + 20 * MINUTE, "Not now.", trouble=Trouble.THROTTLED)
    deployment.authority.script.append(lambda *_: throttled)
    for name in ("web", "other"):
        deployment.create(name, policy_for(f"{name}.test"))
        deployment.work()
    clock.advance(MINUTE)
    plan = deployment.house.lifecycle.outlooks.show(deployment.administrator, deployment.vault, "other")
    assert plan.at == START + 20 * MINUTE
    assert "asks to be left alone, and is not asked before" in plan.why
    deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "other")
    cancelled = deployment.house.lifecycle.outlooks.show(deployment.administrator, deployment.vault, "other")
    assert "left alone" not in cancelled.why


def test_an_order_that_only_fails_is_given_up(deployment: Deployment, clock: FakeClock) -> None:
    """After a week of failures another order is begun, with another key if the first one was placed."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    due = deployment.renewal("web").due_at
    assert due is not None
    clock.set(due)
    stuck = lambda *_: Pending({"step": "ordered"}, None, "That order is broken.", trouble=Trouble.OUTAGE)  # noqa: E731
    deployment.authority.script.extend([stuck] * 20)
    deployment.work()
    first = deployment.operation("web")
    while deployment.operation("web").status is OperationStatus.IN_PROGRESS:
        clock.set(max(deployment.work() or clock(), clock()))
    assert timedelta(days=7) <= clock() - first.created < timedelta(days=9)
    deployment.authority.script.clear()
    while len(deployment.versions("web")) < 2:
        clock.set(max(deployment.work() or clock(), clock()))
    assert deployment.operation("web").public_key != first.public_key


def test_the_trouble_of_a_ca_is_told_once(deployment: Deployment, clock: FakeClock) -> None:
    """Down at the third certificate, up at the first answer; in between only probes ask, and nothing counts."""
    deployment.authority.script.extend([fail(Trouble.OUTAGE)] * 6)  # type: ignore[list-item]
    for number in range(8):
        deployment.create(f"web-{number}", policy_for(f"web-{number}.test"))
    while any(deployment.operation(f"web-{number}").status is OperationStatus.IN_PROGRESS for number in range(8)):
        ended, due = clock(), deployment.work()
        assert due is not None
        clock.set(due)
    told = [event.type for event in deployment.events()]
    assert (told.count(EventType.ISSUER_DOWN), told.count(EventType.ISSUER_UP)) == (1, 1)
    assert len(deployment.authority.requests) == 6 + 8
    assert ended < START + 20 * MINUTE


@pytest.mark.parametrize(
    ("waits", "left", "too_long"),
    [(MINUTE, HOUR, False), (31 * MINUTE, HOUR, True), (30 * MINUTE, HOUR, False), (MINUTE, -DAY, True), (-MINUTE, DAY, False)],
)
def test_waiting_is_too_long_past_half_of_what_is_left(waits: timedelta, left: timedelta, *, too_long: bool) -> None:
    """Then, and past the backstop, another issuer is asked."""
    assert waits_too_long(None, START + waits, START + left, HOUR, START) is too_long


def test_a_stand_in_must_be_there(tmp_path: Path, clock: FakeClock) -> None:
    """One that is missing, disabled or without a provider is passed over; the first that can be asked is chosen."""
    settings = IssuerSettings()
    routing = Routing({ISSUER: Preference(("missing", "off", "odd", "good"))}, ("scripted",))
    with open_deployment(tmp_path, clock, issuers={ISSUER: settings}) as deployment:
        issuers, vault = deployment.house.issuers, deployment.vault
        issuers.set(SERVICE, vault, "off", IssuerParameters("Scripted", enabled=False))
        issuers.set(SERVICE, vault, "odd", IssuerParameters("Acme"))
        deployment.create("web", policy_for("web.test"))
        with deployment.house.store.reading() as reader:
            certificate = reader.certificate(vault.id, "web")
            assert certificate is not None
            assert routing.choose(reader, certificate, ISSUER, clock()) is None
        issuers.set(SERVICE, vault, "good", IssuerParameters("Scripted", "another"))
        with deployment.house.store.reading() as reader:
            assert routing.choose(reader, certificate, ISSUER, clock()) == "good"
            assert routing.choose(reader, certificate, "good", clock()) == ISSUER


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[issuers.a]\nfallback = ["b"]\n[issuers.b]\nfallback = ["A"]', "issuers.a.fallback leads back to it: a -> b -> a"),
        ('[issuers.a]\nfallback = ["a"]', "a -> a"),
        ('[issuers.a]\nfallback = ["b", "B"]', "named twice"),
        ('[issuers.a]\nfallback = ["no name"]', "is no name of an issuer"),
        ('[issuers.a]\norders = "300"', "such as 300/3h"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, text: str, words: str) -> None:
    """With the setting's name, and what would be right."""
    path = tmp_path / "certworker.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"issuers\.a") as caught:
        load_settings(path, {})
    assert words in str(caught.value)
