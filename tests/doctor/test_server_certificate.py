"""The check of the server's own certificate."""

import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ca_sim.server import Running
from certworker.api.server_certificate import ServerCertificate, server_names
from certworker.bootstrap import open_house
from certworker.crypto.keys import generate_key
from certworker.crypto.x509 import CertificateRequest, self_sign
from certworker.doctor import Verdict
from certworker.doctor.server_certificate import look_at_server_certificate
from certworker.settings import load_settings
from tests.doctor.patient import Patient, only, worst
from tests.issuers.pebble import write_certificate
from tests.support.clock import START

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


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


@pytest.mark.parametrize(
    ("lives", "left", "verdict"),
    [
        (30 * DAY, timedelta(0), Verdict.WRONG),
        (30 * DAY, SECOND, Verdict.WARNING),
        (30 * DAY, 6 * DAY - SECOND, Verdict.WARNING),
        (30 * DAY, 6 * DAY, Verdict.FINE),
        (365 * DAY, 7 * DAY - SECOND, Verdict.WARNING),
        (365 * DAY, 7 * DAY, Verdict.FINE),
    ],
)
def test_it_is_late_in_its_last_fifth_and_its_last_week(
    patient: Patient, lives: timedelta, left: timedelta, verdict: Verdict
) -> None:
    """Whichever is shorter; the moment of its end is the end."""
    subject = patient.subject()
    assert subject.records is not None
    names = server_names(subject.settings)
    request = CertificateRequest("CN=localhost", names, ("digitalSignature",), ())
    der = self_sign(generate_key("EC", None, "P-256"), request, START + left - lives, START + left)
    shown = replace(subject, records=replace(subject.records, server_certificate=der))
    assert only(look_at_server_certificate(shown)).verdict is verdict


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


def test_what_the_port_shows_is_compared(served: Patient, authority: Running) -> None:
    """A service that answers elsewhere, and not at its port, is noted; another certificate is warned of."""
    _, found = look_at_server_certificate(served.subject(runs=True))
    assert found.verdict is Verdict.NOTE
    assert f"port {served.ports[0]} of 127.0.0.1 does not" in found.text
    served.ports[0] = port = urlsplit(authority.directory_url).port or 0
    subject = served.subject(runs=True)
    assert subject.records is not None
    _, other = look_at_server_certificate(subject)
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=10))
    *_, same = look_at_server_certificate(replace(subject, records=replace(subject.records, server_certificate=der)))
    assert (other.verdict, other.text) == (
        Verdict.WARNING,
        f"Port {port} of 127.0.0.1 shows another certificate.",
    )
    assert (same.verdict, same.text) == (Verdict.FINE, f"Port {port} of 127.0.0.1 shows it.")
