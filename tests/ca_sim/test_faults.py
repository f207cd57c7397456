"""Faults: which requests they strike, and how they show."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from ca_sim.book import Book
from ca_sim.clock import utc_now
from ca_sim.faults.engine import Faults
from ca_sim.faults.rules import Fault, FaultKind
from ca_sim.in_process import InProcess, NoAnswerError, in_process
from ca_sim.server import serve_in_thread
from ca_sim.settings import Settings
from tests.ca_sim.caller import calling
from tests.ca_sim.conftest import settings_for
from tests.ca_sim.responder import Responder
from tests.support.clock import FakeClock

START = datetime(2026, 1, 1, tzinfo=UTC)
DIRECTORY = "https://acme.ca-sim.test/directory"


@pytest.fixture
def authority() -> Iterator[InProcess]:
    """Open an authority in this thread."""
    with in_process(Settings(), FakeClock()) as opened:
        yield opened


def look(authority: InProcess) -> int:
    """Ask for the directory; give the status."""
    return authority.request("GET", DIRECTORY, {}).status


def arm(authority: InProcess, **members: object) -> None:
    """Put a fault in force."""
    authority.house.faults.arm(Fault.model_validate(members))


def test_without_faults_nothing_goes_wrong(authority: InProcess) -> None:
    """None is armed at the start."""
    assert authority.house.faults.list_() == []
    assert look(authority) == 200


def test_a_fault_strikes_so_often_and_spares_the_first(authority: InProcess) -> None:
    """By count and skip; what was met and struck is tallied."""
    arm(authority, kind="error", at=["acme.directory"], skip=1, count=2, status=502)
    assert [look(authority) for _ in range(5)] == [200, 502, 502, 200, 200]
    (armed,) = authority.house.faults.list_()
    assert (armed.met, armed.struck) == (3, 2)


def test_a_fault_is_for_some_requests_only(authority: InProcess) -> None:
    """Patterns of request kinds choose."""
    arm(authority, kind="error", at=["acme.new-*", "public.*"])
    assert look(authority) == 200
    assert authority.request("HEAD", "https://acme.ca-sim.test/acme/new-nonce", {}).status == 503


def test_a_fault_has_its_time(authority: InProcess) -> None:
    """From `begins` until before `ends`, by the virtual clock."""
    clock = authority.house.clock
    clock.set(START, 0)
    arm(authority, kind="error", begins=START + timedelta(hours=1), ends=START + timedelta(hours=2))
    seen = []
    for _ in range(3):
        seen.append(look(authority))
        clock.advance(timedelta(hours=1))
    assert seen == [200, 503, 200]


def test_a_rate_is_repeatable_also_over_a_restart(tmp_path: Path) -> None:
    """The same seed strikes the same requests; another seed others."""

    def struck(seed: int, *, restart_at: int | None = None, path: Path | None = None) -> list[bool]:
        book, found = Book(path), []
        faults = Faults(book, lambda: START)
        faults.arm(Fault(kind=FaultKind.STUCK, rate=0.3, seed=seed))
        for number in range(100):
            if number == restart_at:
                faults = Faults(book, lambda: START)
            found.append(faults.strike(FaultKind.STUCK, "acme.issue") is not None)
        book.close()
        return found

    plain = struck(1)
    assert plain == struck(1) == struck(1, restart_at=50, path=tmp_path / "book.sqlite")
    assert plain != struck(2)
    assert 15 < sum(plain) < 45


@pytest.mark.parametrize("as_date", [False, True])
def test_a_throttle_says_when_to_come_back(authority: InProcess, as_date: bool) -> None:  # noqa: FBT001
    """In seconds or as a date, in the API's own shape."""
    arm(authority, kind="throttle", seconds=90, as_date=as_date)
    answer = authority.request("GET", DIRECTORY, {})
    value = dict(answer.headers)["retry-after"]
    expected = authority.house.clock() + timedelta(seconds=90)
    assert answer.status == 429
    assert b"rateLimited" in answer.body
    assert (parsedate_to_datetime(value) == expected) if as_date else (value == "90")


@pytest.mark.parametrize("kind", ["drop-before", "drop-after"])
def test_a_connection_is_cut(authority: InProcess, kind: str) -> None:
    """There is no answer at all."""
    arm(authority, kind=kind, count=1)
    with pytest.raises(NoAnswerError):
        look(authority)
    assert look(authority) == 200


def test_what_is_late_may_be_too_late(authority: InProcess) -> None:
    """A short latency is borne, a long one is not."""
    arm(authority, kind="latency", seconds=5, count=1)
    assert look(authority) == 200
    arm(authority, kind="latency", seconds=30)
    with pytest.raises(NoAnswerError, match="in time"):
        look(authority)


@pytest.mark.parametrize("mangling", ["truncated", "html", "json"])
def test_an_answer_is_mangled(authority: InProcess, mangling: str) -> None:
    """The status stays, the body is another; its length is right."""
    whole = authority.request("GET", DIRECTORY, {})
    arm(authority, kind="mangle", mangling=mangling)
    answer = authority.request("GET", DIRECTORY, {})
    assert answer.status == 200
    assert answer.body != whole.body
    assert dict(answer.headers)["content-length"] == str(len(answer.body))


@pytest.mark.parametrize(
    "members",
    [
        {"kind": "nonsense"},
        {"kind": "latency"},
        {"kind": "clock-skew"},
        {"kind": "error", "rate": 0},
        {"kind": "error", "rate": 1.5},
        {"kind": "throttle", "status": 500},
        {"kind": "error", "at": []},
        {"kind": "error", "begins": "2026-01-02T00:00:00Z", "ends": "2026-01-01T00:00:00Z"},
        {"kind": "error", "begins": "2026-01-02T00:00:00"},
        {"kind": "error", "often": True},
        {"kind": "stuck", "seconds": 1e300},
        {"kind": "throttle", "seconds": float("nan")},
        {"kind": "wrong-validity", "seconds": -1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(members: dict[str, object]) -> None:
    """Before it is armed."""
    with pytest.raises(ValidationError):
        Fault.model_validate(members)


@pytest.mark.parametrize("kind", ["drop-before", "drop-after"])
def test_a_connection_that_is_cut_on_purpose_is_no_error_of_the_server(
    responder: Responder, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """The log tells of the fault alone, and the next connection is served."""
    with serve_in_thread(settings_for(responder), utc_now) as authority, calling(authority) as client:
        fault = {"kind": kind, "at": ["acme.new-nonce"], "count": 2}
        assert httpx.post(f"{authority.management_url}/faults", json=fault).status_code == 201
        for url in (client.directory["newNonce"], client.directory["newNonce"]):
            with pytest.raises(httpx.RemoteProtocolError):
                client.http.post(url, content=b"x")
        assert client.nonce()
    assert [record.message for record in caplog.records if record.levelname in {"ERROR", "WARNING"}] == []
