"""When the result of a validation shows, and an authority that looks at nothing."""

import asyncio
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ca_sim.identifiers import Identifier
from ca_sim.problems import ConnectionFailedError
from ca_sim.server import serve_in_thread
from ca_sim.validation.http01 import Http01
from tests.ca_sim.applicant import Applicant, applying
from tests.ca_sim.caller import PROBLEM, calling
from tests.ca_sim.conftest import settings_for
from tests.ca_sim.responder import Responder
from tests.support.clock import FakeClock


@pytest.mark.parametrize("kind", ["http-01", "dns-01", "tls-alpn-01"])
def test_nothing_is_looked_at_where_all_is_valid(kind: str) -> None:
    """Every challenge is offered and met, though nobody shows anything; a wildcard is had too."""
    with applying(kinds=(), validation={"always_valid": True, "check_caa": False}) as applicant:
        order = applicant.order("a.test").json()
        applicant.post(applicant.challenge(order["authorizations"][0], kind)["url"], {})
        assert applicant.post(order["authorizations"][0]).json()["status"] == "valid"
        assert applicant.obtain("b.test", "*.b.test")


def answered(applicant: Applicant, name: str) -> tuple[str, str]:
    """Order for a name and answer its challenge; give the URLs of order and authorization."""
    answer = applicant.order(name)
    order = answer.json()
    applicant.prove(order)
    return answer.headers["Location"], order["authorizations"][0]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([b"HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"token.thumbprint"], None),
        (
            [b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"],
            "the server goes on with another protocol",
        ),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"token.thumbprint"], "closed before the answer was complete"),
        ([b"token.thumbprint"], "the answer is not HTTP"),
    ],
)
def test_odd_answers_of_web_servers(answer: list[bytes], says: str | None) -> None:
    """What comes before the answer is passed over; what is none is told as what it is."""
    spoken = asyncio.Event()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # the other side may have heard enough
            await reader.readuntil(b"\r\n\r\n")
            for piece in answer:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        spoken.set()

    async def here(_: Identifier) -> list[str]:
        return ["127.0.0.1"]

    async def look() -> None:
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            validate = Http01(here, port=port, tls_port=port, timeout_seconds=2)
            try:
                await validate(Identifier("dns", "odd.test"), "token", "token.thumbprint")
            finally:
                await spoken.wait()

    with pytest.raises(ConnectionFailedError, match=says) if says else nullcontext():
        asyncio.run(look())


def test_a_result_shows_when_its_time_has_come() -> None:
    """Until then the challenge is processing, with Retry-After; then it is as of that time, whenever it is looked at."""
    with applying(validation={"delay_seconds": 30}, authorization_lifetime_seconds=1000) as applicant:
        at = applicant.clock()
        applicant.look.failing = {"bad.test"}
        good_order, good = answered(applicant, "good.test")
        bad_order, bad = answered(applicant, "bad.test")
        applicant.wait(seconds=29)
        for url in (good, bad):
            answer = applicant.post(url)
            assert answer.json()["status"] == "pending"
            assert [answer.json()["challenges"][0].get(name) for name in ("status", "error")] == ["processing", None]
            assert "Retry-After" in answer.headers
            assert "verdict" not in answer.text
        applicant.wait(seconds=41)
        assert applicant.post(good_order).json()["status"] == "ready"
        assert applicant.post(bad_order).json()["status"] == "invalid"
        met, refused = applicant.post(good).json(), applicant.post(bad).json()
        assert met["status"] == met["challenges"][0]["status"] == "valid"
        assert datetime.fromisoformat(met["challenges"][0]["validated"]) == at + timedelta(seconds=30)
        assert datetime.fromisoformat(met["expires"]) == at + timedelta(seconds=1030)
        assert refused["challenges"][0]["error"]["type"] == PROBLEM + "unauthorized"


def test_a_result_can_come_too_late() -> None:
    """An authorization that expired meanwhile stays so, and its order is invalid."""
    with applying(validation={"delay_seconds": 100}, order_lifetime_seconds=60) as applicant:
        order, authorization = answered(applicant, "late.test")
        applicant.wait(seconds=200)
        assert applicant.post(authorization).json()["status"] == "expired"
        assert applicant.post(order).json()["status"] == "invalid"


def test_a_result_that_waits_is_remembered(tmp_path: Path, responder: Responder) -> None:
    """After a restart nothing is looked at again: the page is gone, and the authorization becomes valid all the same."""
    state = str(tmp_path)
    with applying(validation={"delay_seconds": 30}, state_directory=state) as applicant:
        _, authorization = answered(applicant, "waits.test")
    clock = FakeClock()
    settings = settings_for(responder, validation={"delay_seconds": 30}, state_directory=state)
    with serve_in_thread(settings, clock) as authority, calling(authority, applicant.key) as client:
        client.register(onlyReturnExisting=True)
        base = authority.directory_url.removesuffix(urlsplit(authority.directory_url).path)
        url = base + urlsplit(authorization).path
        assert client.post(url).json()["status"] == "pending"
        clock.advance(timedelta(seconds=30))
        assert client.post(url).json()["status"] == "valid"
    assert "waits.test" not in responder.hosts
