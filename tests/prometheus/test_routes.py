"""The sample for Alertmanager: who hears of what, and what is not said because something else says it already."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from tests.support.ports import free_ports
from tests.support.rules import SAMPLES, alerts, run_tool

SAMPLE = SAMPLES / "alertmanager.yml"
SAID, HELD_BACK = False, True
WEB = {"vault": "contoso", "name": "web", "issuer": "acme"}
MAIL = {"vault": "contoso", "name": "mail", "issuer": "acme"}
OLD = {"vault": "contoso", "name": "old", "issuer": "acme"}
CA = {"vault": "contoso", "issuer": "acme"}


@pytest.mark.system("amtool")
@pytest.mark.parametrize(
    ("alert", "severity", "receiver"),
    [
        ("CertworkerRenewalOverdue", "critical", "pager"),
        ("CertworkerRenewalOverdue", "warning", "mail"),
        ("CertworkerOperationWaitsForPerson", "info", "mail"),
        ("CertworkerManyRefused", "warning", "security"),
        ("CertworkerSignInsRefused", "warning", "security"),
    ],
)
def test_an_alert_goes_to_whom_it_concerns(alert: str, severity: str, receiver: str) -> None:
    """What is critical wakes somebody, what looks like an attack goes to those of security, all else is mail."""
    assert (alert, severity) in {(known.name, known.severity) for known in alerts()}
    labels = (f"alertname={alert}", f"severity={severity}", "vault=contoso")
    told = run_tool("amtool", "config", "routes", "test", f"--config.file={SAMPLE}", *labels)
    assert told.split() == [receiver]


@pytest.mark.system("prometheus-alertmanager")
def test_what_follows_from_something_worse_is_not_said(tmp_path: Path) -> None:
    """A real Alertmanager holds back what its rules say: of the same certificate or CA, and nothing else."""
    fires = (
        ("CertworkerRenewalOverdue", "critical", WEB, SAID),
        ("CertworkerRenewalFailing", "warning", WEB, HELD_BACK),
        ("CertworkerRenewalPaused", "warning", MAIL, SAID),
        ("CertworkerCertificateExpired", "critical", OLD, SAID),
        ("CertworkerRenewalOverdue", "critical", OLD, HELD_BACK),
        ("CertworkerCaDown", "warning", CA, HELD_BACK),
        ("CertworkerCaDown", "critical", CA, SAID),
        ("CertworkerRenewalOverdue", "warning", MAIL, HELD_BACK),
        ("CertworkerRenewalOverdue", "warning", {**MAIL, "issuer": "other"}, SAID),
        ("CertworkerOperationWaitsForCa", "warning", MAIL, HELD_BACK),
        ("CertworkerDatabaseDown", "critical", {"instance": "a:9464"}, SAID),
        ("CertworkerWritesFail", "critical", {"instance": "a:9464"}, HELD_BACK),
        ("CertworkerServerErrors", "critical", {"plane": "vault"}, HELD_BACK),
        ("CertworkerAuditLogFails", "critical", {"instance": "a:9464"}, SAID),
        ("CertworkerRoundFails", "warning", {"group": "audit"}, HELD_BACK),
        ("CertworkerClockSkew", "warning", {"instance": "a:9464", "peer": "acme"}, SAID),
    )
    told = [{"labels": {"alertname": name, "severity": severity, **about}} for name, severity, about, _ in fires]
    with alertmanager(tmp_path) as address:
        httpx.post(f"{address}/api/v2/alerts", json=told).raise_for_status()
        found = httpx.get(f"{address}/api/v2/alerts").raise_for_status().json()
    became = {frozenset(alert["labels"].items()): bool(alert["status"]["inhibitedBy"]) for alert in found}
    assert became == {frozenset(one["labels"].items()): fate for one, (*_, fate) in zip(told, fires, strict=True)}


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    """Run it on a free port, alone; give its address. Nothing is sent meanwhile: it waits for others of a group."""
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    options = (f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", f"--storage.path={folder}")
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(("prometheus-alertmanager", f"--config.file={SAMPLE}", *options), stderr=log, stdout=log)
    try:
        _wait(address, running)
        yield address
    finally:
        running.terminate()
        running.wait(20)


def _wait(address: str, running: subprocess.Popen[bytes]) -> None:
    begun = monotonic()
    while True:
        try:
            httpx.get(f"{address}/-/ready").raise_for_status()
        except httpx.HTTPError:
            assert running.poll() is None, "it has ended"
            assert monotonic() - begun < 30
            sleep(0.05)
        else:
            return
