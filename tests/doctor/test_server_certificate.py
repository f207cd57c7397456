"""The check of the server's own certificate."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.api.server_certificate import ServerCertificate
from certworker.bootstrap import open_house
from certworker.doctor import Verdict
from certworker.doctor.server_certificate import look_at_server_certificate
from certworker.settings import load_settings
from tests.doctor.patient import Patient, only, worst
from tests.issuers.pebble import write_certificate
from tests.support.clock import START


@pytest.fixture
def served(patient: Patient) -> Patient:
    """Let the first start make the certificate."""
    with open_house(load_settings(patient.config, {}), patient.clock) as house:
        ServerCertificate(house).ensure()
    return patient


@pytest.mark.parametrize(
    ("days", "verdict", "said"),
    [
        (0, Verdict.FINE, "It holds until"),
        (29, Verdict.WARNING, "already"),
        (60, Verdict.WRONG, "expired"),
        (-2, Verdict.WRONG, "not valid before"),
    ],
)
def test_its_time_is_looked_at(served: Patient, days: int, verdict: Verdict, said: str) -> None:
    """A renewal that comes too late is told before the end."""
    served.clock = lambda: START + timedelta(days=days)
    found = only(look_at_server_certificate(served.subject()))
    assert found.verdict is verdict
    assert said in found.text


def test_before_the_first_start_there_is_none(patient: Patient) -> None:
    """That is no fault."""
    assert only(look_at_server_certificate(patient.subject())).verdict is Verdict.SKIPPED


def test_names_that_it_lacks_are_told(served: Patient) -> None:
    """The domain was changed since."""
    subject = served.subject()
    server = subject.settings.server.model_copy(update={"domain": "vaults.example"})
    moved = replace(subject, settings=subject.settings.model_copy(update={"server": server}))
    found = only(worst(look_at_server_certificate(moved)))
    assert "vaults.example, management.vaults.example" in found.text


def test_files_must_go_together(patient: Patient, tmp_path: Path) -> None:
    """A key of another certificate is told by the settings; one that lacks names is warned of."""
    (tmp_path / "other").mkdir()
    key, certificate = write_certificate(tmp_path)
    subject = patient.subject()

    def with_files(key_file: Path) -> Verdict:
        update = {"certificate_file": certificate, "key_file": key_file}
        server = subject.settings.server.model_copy(update=update)
        seen = replace(subject, settings=subject.settings.model_copy(update={"server": server}))
        return max(look_at_server_certificate(seen), key=lambda one: one.verdict is not Verdict.FINE).verdict

    assert with_files(key) is Verdict.WARNING
    other, _ = write_certificate(tmp_path / "other")
    assert with_files(other) is Verdict.WRONG
    assert with_files(tmp_path / "nowhere.pem") is Verdict.WRONG


def test_what_the_port_shows_is_compared(served: Patient) -> None:
    """A service that answers elsewhere, and not at its port, is noted."""
    _, found = look_at_server_certificate(served.subject(runs=True))
    assert found.verdict is Verdict.NOTE
    assert f"port {served.ports[0]} of 127.0.0.1 does not" in found.text
