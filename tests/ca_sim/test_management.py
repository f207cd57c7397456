"""The management endpoint."""

import httpx
import pytest
from cryptography import x509

from ca_sim.server import Running
from tests.ca_sim.caller import Caller, assert_problem
from tests.ca_sim.responder import Responder


def test_the_status_counts(caller: Caller, running: Running, responder: Responder) -> None:
    """Accounts, orders and certificates are counted; clock, profiles and directory are told."""
    before = httpx.get(f"{running.management_url}/status").json()
    caller.issue(responder, "counted.test")
    after = httpx.get(f"{running.management_url}/status").json()
    assert after["counts"]["certificates"] == before["counts"]["certificates"] + 1
    assert after["counts"]["orders"] == before["counts"]["orders"] + 1
    assert after["acme_directory"] == running.directory_url
    assert after["profiles"]["brief"]["validity_seconds"] == 300
    assert after["time"].endswith("Z")


def test_a_certificate_is_listed_and_shown(caller: Caller, running: Running, responder: Responder) -> None:
    """Serial, names, times and the digest of the key; capitals, colons and zeros in a serial do not matter."""
    leaf = caller.issue(responder, "shown.test", "also.shown.test")
    serial = f"{leaf.serial_number:x}"
    listed = every(running, "certificates")
    (entry,) = (entry for entry in listed if entry["serial"] == serial)
    assert entry["names"] == ["shown.test", "also.shown.test"]
    assert entry["status"] == "valid"
    assert len(str(entry["spki_sha256"])) == 64
    spelt = "00:" + serial.upper()
    shown = httpx.get(f"{running.management_url}/certificates/{spelt}").json()
    assert x509.load_pem_x509_certificates(shown["pem"].encode())[0] == leaf
    assert entry.items() <= shown.items()


def every(running: Running, what: str) -> list[dict[str, object]]:
    """Read a list page by page."""
    found: list[dict[str, object]] = []
    after = 0
    while after is not None:
        page = httpx.get(f"{running.management_url}/{what}", params={"after": after, "limit": 3}).json()
        found += page[what]
        after = page["next"]
    return found


def test_orders_are_listed(caller: Caller, running: Running) -> None:
    """Each order with its status and identifiers."""
    url = caller.order("listed.test").headers["Location"]
    (entry,) = (entry for entry in every(running, "orders") if url.endswith(f"/{entry['id']}"))
    assert entry["status"] == "pending"
    assert entry["identifiers"] == [{"type": "dns", "value": "listed.test"}]


@pytest.mark.parametrize(("reason", "word"), [("privilegeWithdrawn", "privilegeWithdrawn"), (4, "superseded")])
def test_the_authority_revokes(caller: Caller, running: Running, responder: Responder, reason: object, word: str) -> None:
    """By code or word; a second time and for the client it is revoked already."""
    leaf = caller.issue(responder, "withdrawn.test")
    url = f"{running.management_url}/certificates/{leaf.serial_number:x}/revoke"
    done = httpx.post(url, json={"reason": reason})
    assert done.status_code == 200
    assert (done.json()["status"], done.json()["reason"]) == ("revoked", word)
    assert_problem(caller.revoke(leaf), "alreadyRevoked", 400)
    assert "was revoked at" in httpx.post(url, json={}).json()["error"]


@pytest.mark.parametrize("body", [b'{"reason": "bored"}', b'{"reason": 7}', b'{"reason": true}', b"[]", b"x" * 5000])
def test_a_bad_revocation_is_explained(caller: Caller, running: Running, responder: Responder, body: bytes) -> None:
    """An unknown reason and a body that is none are 400 with a line of text."""
    leaf = caller.issue(responder, "kept.test")
    url = f"{running.management_url}/certificates/{leaf.serial_number:x}/revoke"
    answer = httpx.post(url, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert httpx.post(url, content=b"reason=1").status_code == 415


def test_the_root_can_be_fetched(running: Running) -> None:
    """The bundle is the one that verifies TLS."""
    assert httpx.get(f"{running.management_url}/root.pem").content == running.root_pem


@pytest.mark.parametrize(
    ("path", "status"),
    [("/certificates/beef", 404), ("/nothing", 404), ("/orders?after=x", 400), ("/certificates/beef/revoke", 405)],
)
def test_errors_are_json(running: Running, path: str, status: int) -> None:
    """What is wrong is told in one member."""
    answer = httpx.get(running.management_url + path)
    assert answer.status_code == status
    assert answer.json()["error"]
