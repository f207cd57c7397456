"""The seal over HTTP: from this machine only, JSON only, and nothing that was sent comes back."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from certworker.api.sealed import WORDS, build_sealed_app, build_sealed_ops_app, sealed_context
from certworker.metrics.counters import Counters
from certworker.metrics.exposition import SealedExposition
from certworker.seal.enclosing import NewSeal, make_enclosed
from certworker.seal.keeper import Keeper
from certworker.settings import Metrics, Seal, SealKind, Settings
from tests.support.clock import FakeClock

PATH = "/certworker/v1/seal"
PASSPHRASE = "correct horse battery"


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Give the settings of a service whose seal is kept, and closed."""
    seal = Seal(kind=SealKind.PASSPHRASE, master_key_file=tmp_path / "master.key", socket=tmp_path / "seal.sock")
    make_enclosed(seal, NewSeal(seal.kind, PASSPHRASE))
    keeper = Keeper(seal)
    keeper.start()
    yield Settings(seal=seal)
    keeper.close()


def ask(settings: Settings, method: str, path: str, client: str = "127.0.0.1", **sent: Any) -> httpx.Response:  # noqa: ANN401
    """Ask the operators' app of a sealed service, as a client of an address."""
    transport = httpx.ASGITransport(
        build_sealed_ops_app(settings, SealedExposition(Counters(), settings.seal).text), client=(client, 1)
    )

    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.request(method, path, **sent)

    return asyncio.run(go())


def test_the_passphrase_opens_the_seal(settings: Settings) -> None:
    """The state is told before and after; a second time it does no harm."""
    assert ask(settings, "GET", PATH).json() == {"sealed": True, "kind": "passphrase", "have": 0, "needed": 1}
    for client in ("127.0.0.1", "::1"):
        opened = ask(settings, "POST", f"{PATH}/unseal", client, json={"passphrase": PASSPHRASE})
        assert (opened.status_code, opened.json()["sealed"]) == (200, False)
        assert opened.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("client", ["192.0.2.7", "2001:db8::7", "nobody"])
def test_another_machine_is_refused(settings: Settings, client: str) -> None:
    """Its passphrase is not even looked at."""
    assert ask(settings, "POST", f"{PATH}/unseal", client, json={"passphrase": PASSPHRASE}).status_code == 403
    assert ask(settings, "GET", PATH, client).status_code == 403
    assert ask(settings, "GET", PATH).json()["sealed"] is True


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {"passphrase": "wrong horse battery"}}, 400),
        ({"json": {"share": PASSPHRASE}}, 400),
        ({"content": b'{"passphrase": "horse \\ud800"}', "headers": {"content-type": "application/json"}}, 400),
        ({"json": {"passphrase": PASSPHRASE, "share": "x"}}, 400),
        ({"json": {"passphrase": 12}}, 400),
        ({"json": [PASSPHRASE]}, 400),
        ({"json": {}}, 400),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b" " * 9000, "headers": {"content-type": "application/json"}}, 400),
        ({"content": b'{"passphrase": "correct horse battery"}', "headers": {"content-type": "text/plain"}}, 415),
        ({"data": {"passphrase": PASSPHRASE}}, 415),
        ({}, 415),
    ],
)
def test_what_opens_nothing_is_refused_and_not_repeated(settings: Settings, sent: dict[str, Any], status: int) -> None:
    """Each in Key Vault's shape of an error; the seal stays closed."""
    answer = ask(settings, "POST", f"{PATH}/unseal", **sent)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]
    assert "horse" not in answer.text
    assert ask(settings, "GET", PATH).json()["sealed"] is True


def test_a_name_that_leads_here_by_a_trick_gets_nothing(settings: Settings) -> None:
    """A page whose own name was made to resolve to this machine is refused by its Host."""
    answer = ask(settings, "POST", f"{PATH}/unseal", json={"passphrase": PASSPHRASE}, headers={"host": "evil.example"})
    assert answer.status_code == 421


def test_it_is_refused_on_a_port_that_others_reach_as_well(settings: Settings) -> None:
    """There the port takes any name, for those who scrape it; the seal does not."""
    settings = settings.model_copy(update={"metrics": Metrics(listen="0.0.0.0")})  # noqa: S104
    for method, path in (("GET", PATH), ("POST", f"{PATH}/unseal")):
        answer = ask(settings, method, path, json={"passphrase": PASSPHRASE}, headers={"host": "evil.example:9464"})
        assert answer.status_code == 403
    assert ask(settings, "GET", "/healthz", headers={"host": "monitoring.example"}).status_code == 200
    assert ask(settings, "GET", PATH, headers={"host": "[::1]:9464"}).json()["sealed"] is True


def test_without_a_keeper_it_says_so(settings: Settings) -> None:
    """503, and not a hang."""
    settings.seal.socket.unlink()
    assert ask(settings, "GET", PATH).status_code == 503


def test_without_a_seal_there_is_nothing_to_open(tmp_path: Path) -> None:
    """It is told, and no socket is asked."""
    answer = ask(Settings(seal=Seal(socket=tmp_path / "none.sock")), "GET", PATH)
    assert answer.json() == {"kind": "none", "sealed": False}


def test_metrics_tell_that_it_is_sealed(settings: Settings) -> None:
    """An alert can be made of it; what is in the database is absent."""
    answer = ask(settings, "GET", "/metrics")
    assert answer.status_code == 200
    lines = {line for line in answer.text.splitlines() if not line.startswith("#")}
    assert {"certworker_sealed 1.0", 'certworker_seal_info{kind="passphrase"} 1.0'} < lines
    assert any(line.startswith("certworker_build_info") for line in lines)
    assert not any("database_up" in line or "certificate" in line for line in lines)


def test_everything_else_is_unavailable(settings: Settings, clock: FakeClock) -> None:
    """On the operators' port and on the HTTPS port, which has a certificate of the moment to say it by."""
    assert ask(settings, "GET", "/console").status_code == 503
    assert (ask(settings, "GET", "/readyz").text, ask(settings, "GET", "/healthz").status_code) == ("not ready: sealed\n", 200)

    async def go() -> list[httpx.Response]:
        transport = httpx.ASGITransport(build_sealed_app())
        async with httpx.AsyncClient(transport=transport, base_url="https://main.vault.localhost") as http:
            return [await http.get("/secrets/a"), await http.put("/secrets/a", json={"value": "v"}), await http.post("/keys")]

    for answer in asyncio.run(go()):
        assert (answer.status_code, answer.json()) == (503, {"error": {"code": "ServiceUnavailable", "message": WORDS}})
        assert answer.headers["x-ms-request-id"]
    assert sealed_context(settings, clock).minimum_version.name == "TLSv1_2"
