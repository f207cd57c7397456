"""The alert rules: Prometheus takes them, each fires when it must and is silent when it must, and each says what to do."""

import re
from pathlib import Path

import pytest

from certworker.metrics.catalogue import catalogue
from certworker.worker.round import Group
from tests.support.promql import problems, read_names
from tests.support.rules import ALERTS, CASES, SAMPLES, Alert, alerts, cases, run_tool

EACH = pytest.mark.parametrize("alert", alerts(), ids=lambda alert: f"{alert.name}-{alert.severity}")
SUBJECTS = frozenset({"vault", "name", "issuer", "channel", "peer", "group", "plane", "grant", "round", "webhook", "budget"})


@pytest.mark.system("promtool")
def test_prometheus_takes_the_samples() -> None:
    """Its settings and the rules are sound by the word of promtool."""
    assert f"{len(alerts())} rules found" in run_tool("promtool", "check", "rules", ALERTS)
    run_tool("promtool", "check", "config", SAMPLES / "prometheus.yml")


@pytest.mark.system("amtool")
def test_alertmanager_takes_the_sample() -> None:
    """Its settings are sound by the word of amtool."""
    assert "3 receivers" in run_tool("amtool", "check-config", SAMPLES / "alertmanager.yml")


@pytest.mark.system("promtool")
@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_the_rules_do_as_their_cases_say(file: Path) -> None:
    """Promtool plays the cases: what fires and when, with which labels and words, and what is silent."""
    run_tool("promtool", "test", "rules", file)


def test_every_alert_has_a_case_for_both() -> None:
    """One in which it fires and one in which it does not, for each severity that it has."""
    wanted, known = {(alert.name, alert.severity) for alert in alerts()}, tuple(cases())
    fires = {(case.alert, severity) for case in known for severity in case.severities}
    silent = {(name, severity) for name, severity in wanted for case in known if case.is_silent(name, severity)}
    assert fires == wanted
    assert silent == wanted


@EACH
def test_an_alert_asks_for_what_there_is(alert: Alert) -> None:
    """Each metric, label and value in its expression is one of the catalogue."""
    assert read_names(alert.expression).selectors
    assert problems(alert.expression, catalogue()) == []


@EACH
def test_an_alert_says_what_and_what_to_do(alert: Alert) -> None:
    """Its summary is one sentence with all that it is about, such as vault and name, and with what to do."""
    assert alert.severity in {"critical", "warning", "info"}
    assert set(alert.annotations) == {"summary", "description", "runbook_url"}
    summary = alert.annotations["summary"]
    assert summary.endswith(".")
    assert ":" in summary or "," in summary, "what is wrong, and what to do"
    told = set(re.findall(r"\$labels\.(\w+)", summary))
    wanted = SUBJECTS & read_names(alert.expression).grouped
    if alert.name == "CertworkerOperationWaitsForPerson":
        wanted -= {"issuer"}  # nobody signs it by itself
    if alert.name == "CertworkerTroubleWithoutName":
        wanted -= {"vault", "name"}  # they are not known
    if alert.name == "CertworkerCaDownWithoutName":
        wanted -= {"vault", "issuer"}
    assert wanted <= told


def test_every_job_of_the_worker_is_watched() -> None:
    """The rules name the jobs, so that one of an older release alarms nobody; and they name all that there are."""
    watching = [alert for alert in alerts() if "group" in alert.expression and "_last_run_" in alert.expression]
    assert len(watching) == 2
    for alert in watching:
        named = [
            matcher.value.split("|")
            for selector in read_names(alert.expression).selectors
            for matcher in selector.matchers
            if matcher.label == "group"
        ]
        assert [sorted(jobs) for jobs in named] == [sorted(Group)]
