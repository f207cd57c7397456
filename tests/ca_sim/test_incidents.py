"""Incidents and the clock, as whoever runs the authority has them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ca_sim.csr import SigningRequest
from ca_sim.identifiers import Identifier
from ca_sim.in_process import InProcess, in_process
from ca_sim.issuing import Application
from ca_sim.settings import Settings, read
from tests.support.clock import START, FakeClock

MANAGEMENT = "http://management.ca-sim.test"
JSON = {"content-type": "application/json"}


@pytest.fixture
def authority() -> Iterator[InProcess]:
    """Open an authority in this thread."""
    with in_process(Settings(), FakeClock()) as opened:
        yield opened


def ask(authority: InProcess, method: str, path: str, document: object = None) -> tuple[int, dict[str, Any]]:
    """Ask management; give status and document."""
    content = b"" if document is None else json.dumps(document).encode()
    answer = authority.request(method, MANAGEMENT + path, JSON, content)
    return answer.status, json.loads(answer.body) if answer.body else {}


def issue(authority: InProcess, *names: str, profile: str = "classic") -> str:
    """Issue a certificate; give its serial number."""
    house = authority.house
    application = Application(
        api="acme",
        account_id="account",
        order_id=f"order-{names[0]}",
        request=SigningRequest(ec.generate_private_key(ec.SECP256R1()).public_key(), None),
        identifiers=tuple(Identifier("dns", name) for name in names),
        profile=profile,
        validity=timedelta(days=90),
    )
    certificate = house.issuing.issue(application)
    house.book.keep_certificate(certificate)
    return certificate.serial


def statuses(authority: InProcess) -> dict[str, str]:
    """Give the status of every certificate by its first name."""
    listed = ask(authority, "GET", "/certificates")[1]["certificates"]
    return {entry["names"][0]: entry["status"] for entry in listed}


def test_an_incident_is_announced_and_then_revokes(authority: InProcess) -> None:
    """Windows are pulled in at once with an explanation; the certificates are revoked when the time has come."""
    hit, spared = issue(authority, "a.hit.test"), issue(authority, "b.spared.test")
    cause = {"names": ["*.hit.test"], "revoke_after_seconds": 3600, "explanation_url": "https://ca-sim.example/incident"}
    status, begun = ask(authority, "POST", "/incidents", cause)
    assert (status, begun["certificates"], begun["revoked"]) == (201, 1, None)
    _, window = ask(authority, "GET", f"/certificates/{hit}/renewal-window")
    assert datetime.fromisoformat(window["end"]) == START + timedelta(hours=1)
    _, other = ask(authority, "GET", f"/certificates/{spared}/renewal-window")
    assert datetime.fromisoformat(other["start"]) > START + timedelta(days=30)
    assert statuses(authority) == {"a.hit.test": "valid", "b.spared.test": "valid"}
    ask(authority, "POST", "/clock", {"speed": 0, "advance_seconds": 3600})
    assert statuses(authority) == {"a.hit.test": "revoked", "b.spared.test": "valid"}
    _, shown = ask(authority, "GET", f"/incidents/{begun['id']}")
    assert (shown["revoked"], shown["serials"]) == (1, [hit])
    _, revoked = ask(authority, "GET", f"/certificates/{hit}")
    assert (revoked["reason"], datetime.fromisoformat(revoked["revoked_at"])) == ("superseded", START + timedelta(hours=1))


def test_many_are_hit_at_once(authority: InProcess) -> None:
    """As many as are asked for are found, pulled in and revoked, the oldest first."""
    serials = [issue(authority, f"n{number}.test") for number in range(300)]
    _, begun = ask(authority, "POST", "/incidents", {"most": 200, "revoke_after_seconds": 0, "reason": "keyCompromise"})
    assert begun["revoked"] == 200
    _, shown = ask(authority, "GET", f"/incidents/{begun['id']}")
    assert shown["serials"] == serials[:200]


def test_serial_numbers_are_taken_as_tools_print_them(authority: InProcess) -> None:
    """In capitals and with colons, as OpenSSL has them."""
    serial = issue(authority, "named.test").upper().zfill(40)
    printed = ":".join(serial[begin : begin + 2] for begin in range(0, 40, 2))
    status, begun = ask(authority, "POST", "/incidents", {"serials": [printed], "revoke_after_seconds": 0})
    assert (status, begun["revoked"]) == (201, 1)
    status, refused = ask(authority, "POST", "/incidents", {"serials": ["12:34", serial]})
    assert (status, refused["error"]) == (404, "there is no certificate with the serial number 1234")


def test_a_clock_comes_to_its_end(tmp_path: Path) -> None:
    """A fast clock stands still there, whatever real time passes; management can set it back, also after a restart."""
    settings, clock = read({"state_directory": str(tmp_path)}), FakeClock()
    with in_process(settings, clock) as first:
        assert ask(first, "POST", "/clock", {"speed": 1e6})[0] == 200
        for days in (30, 400_000):
            clock.advance(timedelta(days=days))
            assert ask(first, "GET", "/clock")[1]["time"] == "9500-01-01T00:00:00Z"
    with in_process(settings, clock) as second:
        assert ask(second, "GET", "/status")[0] == 200
        assert ask(second, "POST", "/clock", {"time": "2030-01-01T00:00:00Z", "speed": 1})[0] == 200
        assert issue(second, "after.test")


def test_an_incident_outlives_a_restart(tmp_path: Path) -> None:
    """What was announced is carried out by the next process, also when its time came in between; the clock goes on."""
    settings, clock = read({"state_directory": str(tmp_path)}), FakeClock()
    with in_process(settings, clock) as first:
        issue(first, "late.test")
        ask(first, "POST", "/incidents", {"revoke_after_seconds": 60})
        ask(first, "POST", "/clock", {"time": "2030-01-01T00:00:00Z", "speed": 10})
    clock.advance(timedelta(seconds=60))
    with in_process(settings, clock) as second:
        _, shown = ask(second, "GET", "/clock")
        assert (datetime.fromisoformat(shown["time"]), shown["speed"]) == (datetime(2030, 1, 1, 0, 10, tzinfo=UTC), 10)
        assert statuses(second) == {"late.test": "revoked"}


@pytest.mark.parametrize(
    ("path", "document", "says"),
    [
        ("/incidents", {"reason": "because"}, "reason: 'because' is not one of"),
        ("/incidents", {"nams": ["x"]}, "nams is not a member"),
        ("/incidents", {"revoke_after_seconds": -1}, "greater than or equal to 0"),
        ("/incidents", [], "object"),
        ("/clock", {"time": "2026-01-01T00:00:00"}, "time"),
        ("/clock", {"speed": -1}, "speed"),
        ("/clock", {"time": "0001-01-01T00:00:00Z"}, "the time is between 1970-01-01"),
        ("/clock", {"time": "2040-01-01T00:00:00Z", "advance_seconds": -3e9}, "the time is between 1970-01-01"),
        ("/clock", {"time": "9999-12-31T00:00:00Z", "advance_seconds": 3e9}, "no such time in the calendar"),
        ("/faults", {"kind": "latency"}, "a latency needs seconds"),
        ("/faults", {"kind": "nonsense"}, "kind"),
        ("/faults", {"kind": "error", "extra": 1}, "extra is not a member"),
    ],
)
def test_what_makes_no_sense_is_refused(authority: InProcess, path: str, document: object, says: str) -> None:
    """One line says what is wrong; nothing has changed."""
    status, refused = ask(authority, "POST", path, document)
    assert status == 400
    assert says in refused["error"]
    assert ask(authority, "GET", "/faults")[1] == {"faults": []}
    assert ask(authority, "GET", "/incidents")[1] == {"incidents": []}
    assert authority.house.clock() == START


def test_faults_are_armed_listed_and_taken_out(authority: InProcess) -> None:
    """Each has an id and a tally; one or all of them can be taken out."""
    status, armed = ask(authority, "POST", "/faults", {"kind": "error", "at": ["acme.*"], "count": 2})
    assert (status, armed) == (201, {"id": "1", "met": 0, "struck": 0, "kind": "error", "at": ["acme.*"], "count": 2})
    assert authority.request("GET", "https://acme.ca-sim.test/directory", {}).status == 503
    assert ask(authority, "GET", "/faults")[1]["faults"][0]["struck"] == 1
    assert ask(authority, "DELETE", "/faults/1")[0] == 204
    assert ask(authority, "DELETE", "/faults/1")[0] == 404
    ask(authority, "POST", "/faults", {"kind": "error"})
    assert ask(authority, "DELETE", "/faults")[0] == 204
    assert authority.request("GET", "https://acme.ca-sim.test/directory", {}).status == 200


def test_a_clock_stands_still_and_is_stepped(authority: InProcess) -> None:
    """With speed 0 it moves only when it is told to."""
    assert ask(authority, "POST", "/clock", {"speed": 0})[1]["speed"] == 0
    _, moved = ask(authority, "POST", "/clock", {"advance_seconds": 90 * 86_400})
    assert datetime.fromisoformat(moved["time"]) == START + timedelta(days=90)
