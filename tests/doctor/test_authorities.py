"""The check of the CAs and of the clock, against a simulated CA that is served over TLS."""

from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ca_sim.server import Running
from certworker.clock import utc_now
from certworker.doctor import Verdict
from certworker.doctor.authorities import look_at_authorities
from certworker.doctor.finding import Finding
from tests.doctor.patient import Patient, only, worst
from tests.issuers.memory import serving
from tests.support.ports import free_ports

LOCAL = "[network]\nallow_private = ['localhost']\n"


def look(patient: Patient, check: str = "CAs") -> list[Finding]:
    """Look at the CAs; give what is said of them, or of the clock."""
    return [one for one in look_at_authorities(patient.subject()) if one.check == check]


def trusting(bundle: Path) -> str:
    """Write the settings that reach the simulated CA."""
    return f"{LOCAL}[issuers.ca]\nca_bundle = '{bundle}'\n"


def test_a_ca_that_answers_is_fine(patient: Patient, authority: Running, bundle: Path) -> None:
    """Its directory, and its clock."""
    patient.clock, patient.sections = utc_now, trusting(bundle)
    patient.add_issuer(authority.directory_url)
    ca, clock = look_at_authorities(patient.subject())
    assert (ca.verdict, clock.verdict) == (Verdict.FINE, Verdict.FINE)
    assert ca.text.startswith("The CA of contoso/ca can be reached, and shows its ACME directory")


@pytest.mark.parametrize(
    ("seconds", "verdict", "said"),
    [(20, Verdict.WARNING, "ahead of"), (-20, Verdict.WARNING, "behind"), (7200, Verdict.WRONG, "s ahead of")],
)
def test_a_clock_that_differs_is_told(
    patient: Patient, authority: Running, bundle: Path, seconds: int, verdict: Verdict, said: str
) -> None:
    """By how much at the least, and which way."""
    patient.clock, patient.sections = lambda: utc_now() + timedelta(seconds=seconds), trusting(bundle)
    patient.add_issuer(authority.directory_url)
    found = only(look(patient, "clock"))
    assert found.verdict is verdict
    assert said in found.text
    (told,) = (int(word) for word in found.text.split() if word.isdecimal())
    # what the round trip leaves open is taken off
    assert abs(seconds) - 8 <= told <= abs(seconds)
    assert "timedatectl" in found.to_do


def test_what_stands_in_the_way_is_told_apart(patient: Patient, authority: Running, bundle: Path) -> None:
    """Egress rules, a root that is not trusted, a closed port, a name that does not resolve."""
    patient.add_issuer(authority.directory_url)
    refused = only(worst(look(patient)))
    assert "network.allow_private" in refused.text
    patient.sections = LOCAL
    untrusted = only(worst(look(patient)))
    assert "a root that is not trusted here" in untrusted.text
    assert "issuers.ca.ca_bundle" in untrusted.to_do
    (port,) = free_ports(1)
    patient.sections = trusting(bundle)
    patient.add_issuer(f"https://localhost:{port}/directory")
    assert f"nothing listens at localhost:{port}" in only(worst(look(patient))).text
    patient.add_issuer("https://ca.invalid/directory")
    skipped = only(look(patient))
    assert skipped.verdict is Verdict.SKIPPED
    assert "its name does not resolve" in skipped.text


def test_a_certificate_for_another_name_is_told(patient: Patient, authority: Running, bundle: Path) -> None:
    """The CA's own is for localhost alone."""
    patient.sections = f"[network]\nallow_private = ['*.localhost']\n[issuers.ca]\nca_bundle = '{bundle}'\n"
    patient.add_issuer(authority.directory_url.replace("localhost", "other.localhost"))
    assert "is for another name" in only(worst(look(patient))).text


def test_what_does_not_speak_tls_is_told(patient: Patient, plain: int) -> None:
    """A port of plain HTTP."""
    patient.sections = LOCAL
    patient.add_issuer(f"https://localhost:{plain}/")
    assert "does not speak TLS" in only(worst(look(patient))).text


@pytest.mark.parametrize(
    ("path", "said"),
    [("text", "is no ACME directory"), ("missing", "HTTP status 404"), ("busy", "it is down or being serviced")],
)
def test_what_is_no_directory_is_told(patient: Patient, plain: int, path: str, said: str) -> None:
    """Another page, none, and a CA that is down."""
    patient.sections = LOCAL
    patient.add_issuer(f"http://localhost:{plain}/{path}")
    assert said in only(worst(look(patient))).text


def test_cas_with_a_rest_api_are_asked_for_nothing_secret(patient: Patient, authority: Running, bundle: Path) -> None:
    """One answers, the other wants a certificate first: a handshake is enough."""
    patient.clock = utc_now
    bases = {str(name): url for name, url in authority.bases.items()}
    sections = [f"[issuers.{name}]\nca_bundle = '{bundle}'\nurl = '{bases[name]}/v2'\n" for name in ("digicert", "globalsign")]
    patient.sections = LOCAL + "".join(sections)
    patient.add_issuer("1000001", "DigiCert", "digicert")
    patient.add_issuer("key", "GlobalSign", "globalsign")
    assert [one.verdict for one in look(patient)] == [Verdict.FINE, Verdict.FINE]


def test_without_records_it_is_said_why_nothing_was_asked(patient: Patient) -> None:
    """The issuers are in the database; one that is disabled is not asked."""
    assert only(look(patient)).verdict is Verdict.NOTE
    patient.add_issuer("https://ca.invalid/directory", enabled=False)
    assert only(look(patient)).verdict is Verdict.NOTE
    (patient.folder / "certworker.db").unlink()
    assert only(look(patient)).verdict is Verdict.SKIPPED


@pytest.fixture
def plain() -> Iterator[int]:
    """Serve a page that is no directory, none at all, and a CA that is down, over plain HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"welcome"
            self.send_response({"/text": 200, "/busy": 503}.get(self.path, 404))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Handler) as port:
        yield port
