"""The checks of the service, its ports, its worker and its notices."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.api.ops import MetricsText, build_ops_app
from certworker.api.serve import BackgroundServer
from certworker.bootstrap import House, open_house
from certworker.cli.sockets import bind
from certworker.doctor import Verdict
from certworker.doctor.service import answers_here, look_at_notices, look_at_service, look_at_worker
from certworker.settings import load_settings
from certworker.store.migrate import migrate
from certworker.vault.notification.ledger import NoticeStatus
from certworker.vault.vaults import Heartbeat
from tests.doctor.patient import Patient, only, worst
from tests.network.receivers import Receiver, receiving
from tests.support.clock import START
from tests.support.everything import a_notice


def a_text() -> tuple[bytes, str]:
    """Give what is scraped."""
    return b"up 1\n", "text/plain"


@contextmanager
def running(patient: Patient, text: MetricsText = a_text) -> Iterator[House]:
    """Serve the operators' port of the settings, as the service does."""
    with open_house(load_settings(patient.config, {}), patient.clock) as house:
        sockets = bind(("127.0.0.1",), patient.ports[1], "tests")
        server = BackgroundServer(build_ops_app(house, text), sockets)
        server.start()
        try:
            yield house
        finally:
            server.stop()


def test_a_service_that_runs_is_fine(patient: Patient) -> None:
    """It answers, is ready, and its metrics can be fetched."""
    with running(patient):
        assert answers_here(patient.subject())
        assert [one.verdict for one in look_at_service(patient.subject(runs=True))] == [Verdict.FINE, Verdict.FINE]


def test_metrics_that_cannot_be_fetched_are_told(patient: Patient) -> None:
    """With what the port answers; the rest of the examination knows that a service runs."""

    def broken() -> tuple[bytes, str]:
        raise ZeroDivisionError("hunter2")

    with running(patient, broken):
        fine, found = look_at_service(patient.subject(runs=True))
        assert (fine.verdict, found.verdict) == (Verdict.FINE, Verdict.WARNING)
        assert found.text == "Metrics cannot be fetched (HTTP status 500)."
        examined = [one for one in patient.examined() if one.check == "service"]
    assert examined == [fine, found]


def test_a_service_that_is_not_ready_says_why(patient: Patient) -> None:
    """As it tells an orchestrator."""
    (patient.folder / "certworker.db").unlink()
    migrate(f"sqlite:///{patient.folder}/certworker.db")
    with running(patient):
        found = only(worst(look_at_service(patient.subject(runs=True))))
    assert "has not been set up; run `certworker init`" in found.text


def test_a_service_that_does_not_run_has_its_ports_free(patient: Patient) -> None:
    """And it is said how to start it."""
    assert not answers_here(patient.subject())
    service, ports = look_at_service(patient.subject())
    assert (service.verdict, ports.verdict) == (Verdict.NOTE, Verdict.FINE)
    assert service.to_do == f"Start it: certworker run -c {patient.config}"


def test_a_port_that_another_program_has_is_told(patient: Patient) -> None:
    """By its setting."""
    with socket.create_server(("127.0.0.1", patient.ports[0])):
        found = only(worst(look_at_service(patient.subject())))
    assert found.verdict is Verdict.WRONG
    assert found.text.startswith(f"server.port: port {patient.ports[0]} of 127.0.0.1 is in use")


def test_another_program_at_the_operators_port_is_told(patient: Patient) -> None:
    """One that speaks HTTP and is something else."""
    with receiving(Receiver(body=b"welcome")) as receiver:
        patient.ports[1] = receiver.port
        assert not answers_here(patient.subject())
        texts = [one.text for one in worst(look_at_service(patient.subject()))]
    assert texts[0] == f"Another program answers at 127.0.0.1:{receiver.port}."
    assert texts[1].startswith("metrics.port: ")


@pytest.mark.parametrize(
    ("seconds", "runs", "verdict"),
    [(120, True, Verdict.FINE), (121, True, Verdict.WARNING), (121, False, Verdict.NOTE)],
)
def test_a_worker_is_known_by_its_beats(patient: Patient, seconds: int, runs: bool, verdict: Verdict) -> None:  # noqa: FBT001
    """One that was silent for long is told, unless no service is to run."""
    with patient.writing() as writer:
        writer.beat(Heartbeat("rounds", START, 0.1, failed=False))
    patient.clock = lambda: START + timedelta(seconds=seconds)
    assert only(look_at_worker(patient.subject(runs=runs))).verdict is verdict


def test_a_round_that_failed_is_told(patient: Patient) -> None:
    """By its name."""
    with patient.writing() as writer:
        writer.beat(Heartbeat("issuing", START, 0.1, failed=True))
    assert only(worst(look_at_worker(patient.subject()))).text.startswith("The last round of `issuing` failed")


def test_what_is_due_and_not_done_is_wrong(patient: Patient) -> None:
    """Where nobody is alive who could; else it is warned of. For five minutes it may wait."""
    subject = patient.subject()
    assert subject.records is not None
    waits = replace(subject, records=replace(subject.records, due_at=START - timedelta(minutes=5)))
    assert only(look_at_worker(waits)).verdict is Verdict.NOTE
    late = replace(subject, records=replace(subject.records, due_at=START - timedelta(seconds=301)))
    found = only(look_at_worker(late))
    assert found.verdict is Verdict.WRONG
    assert "No worker has done what is due since 2025-12-31 23:54:59Z; one has never been alive." in found.text
    assert late.records is not None
    beating = replace(late.records, heartbeats=(Heartbeat("rounds", START, 0.1, failed=False),))
    assert only(worst(look_at_worker(replace(late, records=beating)))).verdict is Verdict.WARNING


def test_notices_that_were_given_up_are_counted(patient: Patient) -> None:
    """By their channel."""
    assert only(look_at_notices(patient.subject())).verdict is Verdict.FINE
    with patient.writing() as writer:
        vault = writer.vault_by_name("contoso")
        assert vault is not None
        writer.add_notice(a_notice(vault.id, START, status=NoticeStatus.DEAD))
        writer.add_notice(a_notice(vault.id, START, id="7" * 32, address="bob@example.test", status=NoticeStatus.SENT))
    found = only(look_at_notices(patient.subject()))
    assert found.verdict is Verdict.WARNING
    assert found.text == "Notices by mail that were given up: 1."
