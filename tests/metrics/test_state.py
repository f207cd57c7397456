"""What a scrape gets: the database's truth, in the words that dashboards and alerts rely on."""

from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from certworker.vault.issuance import Pending, Rejected
from certworker.vault.notification.ledger import NoticeStatus
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for
from tests.support.everything import a_notice
from tests.support.recording import Recorder, an_audience
from tests.support.scraping import of, scrape


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set up a house with a worker."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened


def test_an_empty_deployment_tells_its_version(deployment: Deployment) -> None:
    """Nothing is there yet, and the exposition is sound."""
    results = ("issued", "retried", "failed", "cancelled")
    assert scrape(deployment) == {
        "certworker_build_info": {of(version=version("certworker")): 1},
        "certworker_issuance_attempts_total": {of(vault="contoso", issuer=ISSUER, result=result): 0 for result in results},
        "certworker_issuance_warnings_total": {of(vault="contoso", issuer=ISSUER): 0},
        "certworker_fleet_issuance_attempts_total": {of(result=result): 0 for result in results},
        "certworker_issuers_down": {of(): 0},
        "certworker_issuer_series_limit": {of(): 500},
        "certworker_issuers_without_series": {of(): 0},
        "certworker_certificate_series_limit": {of(): 1000},
        "certworker_certificates_without_series": {of(): 0},
        "certworker_fleet_changes_waiting": {of(): 0},
    }


def test_a_certificate_tells_its_times(deployment: Deployment) -> None:
    """Absolute Unix seconds, with vault, name and issuer and nothing else."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    found, labels = scrape(deployment), of(vault="contoso", name="web", issuer=ISSUER)
    due = deployment.renewal("web").due_at
    assert due is not None
    for name, value in (
        ("not_before_timestamp_seconds", START.timestamp()),
        ("not_after_timestamp_seconds", (START + timedelta(days=90)).timestamp()),
        ("renewal_due_timestamp_seconds", due.timestamp()),
        ("renewal_failures", 0),
    ):
        assert found[f"certworker_certificate_{name}"] == {labels: value}


def test_what_is_pending_is_counted(deployment: Deployment, clock: FakeClock) -> None:
    """By vault and issuer, with the time of the oldest; a certificate without a version has no times."""
    deployment.authority.script.extend([lambda _, __, at: Pending({"step": "waits"}, at + timedelta(days=1))] * 2)
    deployment.create("a", policy_for("a.test"))
    clock.advance(timedelta(hours=1))
    deployment.create("b", policy_for("b.test"))
    deployment.create("c", policy_for("c.test", "Unknown"))
    deployment.work()
    found = scrape(deployment)
    assert found["certworker_operations_pending"] == {
        of(vault="contoso", issuer=ISSUER): 2,
        of(vault="contoso", issuer="Unknown"): 1,
    }
    oldest = found["certworker_operations_pending_oldest_timestamp_seconds"]
    assert oldest[of(vault="contoso", issuer=ISSUER)] == START.timestamp()
    assert "certworker_certificate_not_after_timestamp_seconds" not in found


def test_attempts_are_counted_over_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    """Issued, retried, failed, cancelled: each by issuer, and no restart sets them back."""
    with open_deployment(tmp_path, clock) as deployment:
        answers = (
            lambda *_: Pending({}, None, "The CA is down."),
            lambda *_: Rejected("Request rejected", "No."),
        )
        deployment.authority.script.extend(answers)
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        clock.advance(timedelta(minutes=1))
        deployment.work()
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        deployment.create("manual", policy_for("web.test", "Unknown"))
        deployment.house.certificates.request_cancellation(deployment.administrator, deployment.vault, "manual")
        deployment.work()
        before = scrape(deployment)["certworker_issuance_attempts_total"]
    assert {labels: value for labels, value in before.items() if value} == {
        of(vault="contoso", issuer=ISSUER, result="retried"): 1,
        of(vault="contoso", issuer=ISSUER, result="failed"): 1,
        of(vault="contoso", issuer=ISSUER, result="issued"): 1,
        of(vault="contoso", issuer="Unknown", result="cancelled"): 1,
    }
    with open_deployment(tmp_path, clock) as deployment:
        assert scrape(deployment)["certworker_issuance_attempts_total"] == before


def test_an_issuer_that_is_spelt_in_two_ways_is_one(deployment: Deployment) -> None:
    """Whoever wrote it first, nothing that was counted is lost."""
    for name, issuer in (("a", ISSUER), ("b", ISSUER.upper()), ("c", "Self"), ("d", "SELF")):
        deployment.create(name, policy_for(f"{name}.test", issuer))
    deployment.work()
    found = scrape(deployment)
    for name in ("issuance_attempts_total", "certificates", "certificate_ready"):
        assert {dict(labels)["issuer"] for labels in found[f"certworker_{name}"]} == {ISSUER, "Self"}
        assert sum(found[f"certworker_{name}"].values()) == 4
    assert {dict(labels)["issuer"] for labels in found["certworker_issuer_up"]} == {ISSUER}


def test_a_failed_renewal_is_seen(deployment: Deployment, clock: FakeClock) -> None:
    """The gauge counts failures in a row, and success sets it back."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    deployment.authority.script.append(lambda *_: Rejected("Request rejected", "No."))
    for failures in (1, 0):
        clock.set(deployment.renewal("web").due_at or clock())
        deployment.work()
        assert list(scrape(deployment)["certworker_certificate_renewal_failures"].values()) == [failures]


def test_the_scheduler_tells_when_it_ran(deployment: Deployment, clock: FakeClock) -> None:
    """An alert on a stalled scheduler compares this with the present."""
    clock.advance(timedelta(days=1))
    deployment.work()
    found, group = scrape(deployment), of(group="rounds")
    assert found["certworker_scheduler_last_run_timestamp_seconds"] == {group: clock().timestamp()}
    assert found["certworker_scheduler_last_run_failed"] == {group: 0}
    assert 0 <= found["certworker_scheduler_last_run_duration_seconds"][group] < 60


def test_what_was_warned_about_is_counted(deployment: Deployment) -> None:
    """Beside the attempts, among which it is one: a CA that grants less than was asked for."""
    deployment.create("web", policy_for("web.test"))
    deployment.work()
    found = scrape(deployment)
    assert found["certworker_issuance_attempts_total"][of(vault="contoso", issuer=ISSUER, result="issued")] == 1
    assert sum(found["certworker_issuance_attempts_total"].values()) == 1
    assert found["certworker_issuance_warnings_total"] == {of(vault="contoso", issuer=ISSUER): 1}


def test_notices_and_overdue_renewals_are_counted(tmp_path: Path, clock: FakeClock) -> None:
    """By channel and status; a renewal is overdue when 30 percent of its time are gone, and critical after 70."""
    with open_deployment(tmp_path, clock, audience=an_audience(Recorder())) as deployment:
        deployment.create("web", policy_for("web.test"))
        deployment.work()
        with deployment.house.store.writing() as writer:
            dead = a_notice(deployment.vault.id, START, status=NoticeStatus.DEAD, due_at=None)
            assert writer.add_notice(dead)
        deployment.authority.script.extend([lambda *_: Rejected("caa", "CAA forbids it.", configuration=True)] * 9)
        for days, overdue in ((60, None), (71, "warning"), (83, "critical")):
            clock.set(START + timedelta(days=days))
            deployment.work()
            found = scrape(deployment)
            for severity in ("warning", "critical"):
                labels = of(vault="contoso", name="web", issuer=ISSUER, severity=severity)
                assert found["certworker_renewal_overdue"][labels] == (severity == overdue)
        assert found["certworker_notices"] == {of(channel="mail", status="dead"): 1}
        mail = of(channel="mail", webhook="")
        assert (found["certworker_notices_dead"], found["certworker_notices_retrying"]) == ({mail: 1}, {mail: 0})
