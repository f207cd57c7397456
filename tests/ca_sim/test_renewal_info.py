"""When certificates are to be renewed, and what replaces them (RFC 9773)."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ca_sim.acme.jose import encode
from ca_sim.acme.renewal_info import certificate_id, serial_in
from ca_sim.authority.hierarchy import serial_of
from ca_sim.problems import MalformedError, NotFoundError
from tests.ca_sim.applicant import Applicant, applying
from tests.ca_sim.caller import assert_problem, make_csr
from tests.support.clock import START


@pytest.fixture
def applicant() -> Iterator[Applicant]:
    """Open an authority and an account."""
    with applying() as opened:
        yield opened


def times(window: dict[str, str]) -> tuple[datetime, datetime]:
    """Read the times of a window."""
    return datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"])


def test_the_window_is_a_share_of_the_lifetime(applicant: Applicant) -> None:
    """From 66 to 68 % by default, with Retry-After, and without an explanation."""
    leaf = applicant.obtain("usual.test")
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    answer = applicant.renewal_info(certificate_id(leaf))
    start, end = times(answer.json()["suggestedWindow"])
    assert start == leaf.not_valid_before_utc + lifetime * 66 / 100
    assert end == leaf.not_valid_before_utc + lifetime * 68 / 100
    assert answer.headers["Retry-After"] == "21600"
    assert set(answer.json()) == {"suggestedWindow"}


def test_the_identifier_is_that_of_the_specification() -> None:
    """The serial of the example in RFC 9773 section 4.1 has a first bit that is set, and so a zero before it."""
    assert serial_in("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE") == "87654321"


@pytest.mark.parametrize(
    ("identifier", "status"),
    [("nonsense", 400), ("a.b.c", 400), (".AQ", 400), ("AQ.", 400), ("AQ==.AQ", 400), ("A.AQ", 400), ("AQ.AQ", 404)],
)
def test_what_names_no_certificate_is_malformed(applicant: Applicant, identifier: str, status: int) -> None:
    """400 for what is no identifier, 404 for an unknown one."""
    assert_problem(applicant.renewal_info(identifier), "malformed", status)


def test_the_serial_alone_does_not_do(applicant: Applicant) -> None:
    """The key identifier of another authority is not found."""
    leaf = applicant.obtain("exact.test")
    _, serial = certificate_id(leaf).split(".")
    assert_problem(applicant.renewal_info(f"{encode(b'another key')}.{serial}"), "malformed", 404)


def test_a_revoked_certificate_is_renewed_at_once(applicant: Applicant) -> None:
    """Its window lies in the past, whatever was set."""
    leaf = applicant.obtain("revoked.test")
    assert applicant.revoke(leaf).status_code == 200
    start, end = times(applicant.window(leaf))
    assert start < end < applicant.clock()


def test_an_incident_pulls_the_windows_in(applicant: Applicant) -> None:
    """For those named, over management, with an explanation; one can be set alone and given its usual window back."""
    leaf, other = applicant.obtain("struck.test"), applicant.obtain("spared.test")
    before = applicant.window(other)
    window = {"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T02:00:00Z"}
    why = "https://ca-sim.example/incident"
    serial = f"{leaf.serial_number:040X}"
    answer = applicant.manage("POST", "/renewal-windows", window | {"serials": [serial], "explanation_url": why})
    assert answer.json() == {"count": 1}
    told = applicant.renewal_info(certificate_id(leaf)).json()
    assert told == {"suggestedWindow": window, "explanationURL": why}
    assert applicant.window(other) == before
    path = f"/certificates/{serial_of(other)}/renewal-window"
    assert applicant.manage("PUT", path, window).json() == window | {"explanation_url": ""}
    assert applicant.window(other) == window
    applicant.manage("DELETE", path)
    assert applicant.window(other) == before


def test_an_incident_strikes_all_or_none(applicant: Applicant) -> None:
    """An unknown serial number leaves every window as it was; so does a window that ends before it begins."""
    leaf = applicant.obtain("all-or-none.test")
    before = applicant.window(leaf)
    renewals = applicant.authority.house.acme.renewals
    with pytest.raises(NotFoundError):
        renewals.pull_in([serial_of(leaf), "ff"], START, START + timedelta(hours=1))
    with pytest.raises(MalformedError):
        renewals.pull_in([serial_of(leaf)], START, START)
    assert applicant.window(leaf) == before
    body = {"serials": [serial_of(leaf)], "start": "2026-01-01T00:00:00", "end": "2026-01-01T01:00:00Z"}
    assert applicant.manage("POST", "/renewal-windows", body).status_code == 400


def test_ten_thousand_windows_are_pulled_in_quickly(applicant: Applicant) -> None:
    """A large incident takes about a second."""
    house = applicant.authority.house
    one = house.certificates.find(serial_of(applicant.obtain("many.test")))
    serials = [f"{number:x}" for number in range(1, 10_001)]
    with house.book.transaction():
        for serial in serials:
            house.book.put_certificate(replace(one, serial=serial))
    began = time.perf_counter()
    assert house.acme.renewals.pull_in(serials, START, START + timedelta(hours=1)) == 10_000
    assert time.perf_counter() - began < 5


def test_what_an_order_replaces_is_told_and_replaced_once(applicant: Applicant) -> None:
    """It is echoed; a second order for it is alreadyReplaced, with 409; the same order again is given again."""
    identifier = certificate_id(applicant.obtain("old.test"))
    answer = applicant.order("old.test", replaces=identifier)
    assert answer.json()["replaces"] == identifier
    again = applicant.order("old.test", replaces=identifier)
    assert again.headers["Location"] == answer.headers["Location"]
    assert_problem(applicant.order("old.test", "more.test", replaces=identifier), "alreadyReplaced", 409)
    applicant.finalize(answer.json(), make_csr(["old.test"]))
    assert applicant.post(answer.headers["Location"]).json()["status"] == "valid"
    assert_problem(applicant.order("old.test", replaces=identifier), "alreadyReplaced", 409)


def test_an_order_that_failed_replaces_nothing(applicant: Applicant) -> None:
    """Its certificate is free for another order."""
    identifier = certificate_id(applicant.obtain("again.test"))
    order = applicant.order("again.test", "failing.test", replaces=identifier)
    applicant.look.failing.add("failing.test")
    applicant.prove(order.json())
    assert applicant.post(order.headers["Location"]).json()["status"] == "invalid"
    assert applicant.order("again.test", replaces=identifier).status_code == 201


def test_only_a_certificate_of_ones_own_can_be_replaced(applicant: Applicant) -> None:
    """Another account's is unauthorized; unknown ones, and those without a name in common, are malformed."""
    identifier = certificate_id(applicant.obtain("own.test"))
    assert_problem(applicant.other().order("own.test", replaces=identifier), "unauthorized", 403)
    assert_problem(applicant.order("stranger.test", replaces=identifier), "malformed", 400)
    for text in ("nonsense", "AQ.AQ", ""):
        assert_problem(applicant.order("own.test", replaces=text), "malformed", 400)
    assert_problem(applicant.order("own.test", replaces=5), "malformed", 400)


def test_a_certificate_that_was_spoilt_has_no_renewal_info(applicant: Applicant) -> None:
    """What is no certificate at all cannot be asked for, and nothing breaks."""
    good = applicant.obtain("good.test")
    house = applicant.authority.house
    garbage = replace(house.certificates.find(serial_of(good)), serial="abc", chain="garbage")
    house.book.keep_certificate(garbage)
    key, _ = certificate_id(good).split(".")
    assert_problem(applicant.renewal_info(f"{key}.{encode(bytes.fromhex('0abc'))}"), "malformed", 404)
