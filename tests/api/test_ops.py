"""The plain HTTP ports: for operators, and for a CA's http-01 validation."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from certworker.api.challenges import build_challenge_app
from certworker.api.console import render_console
from certworker.api.ops import build_ops_app
from certworker.vault.summary.records import Member, Place, State
from tests.api.world import Caller, World
from tests.support.clock import START


def get(app: ASGIApp, path: str, method: str = "GET", host: str = "localhost") -> httpx.Response:
    """Call an app once."""

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{host}") as client:
            return await client.request(method, path)

    return asyncio.run(send())


def ops(world: World) -> ASGIApp:
    """Build the operators' app with a metric of the test's own."""
    return build_ops_app(world.house, lambda: (b"up 1\n", "text/plain; version=1.0.0"))


def member(**changes: object) -> Member:
    """Make a member of the fleet that is valid for 30 days."""
    made = Member(Place("vault", "WEB"), "contoso", "web", "ca", State.VALID, "0" * 32, not_after=START + timedelta(days=30))
    return replace(made, **changes)  # type: ignore[arg-type]


def test_metrics_and_health_are_answered(world: World) -> None:
    """The metrics as they were given, and the two questions of an orchestrator."""
    answer = get(ops(world), "/metrics")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "up 1\n", "text/plain; version=1.0.0")
    assert get(ops(world), "/healthz").text == "ok\n"
    assert get(ops(world), "/readyz").text == "ready\n"
    assert get(ops(world), "/secrets/web").status_code == 404
    assert get(ops(world), "/console", "POST").status_code == 405


def test_a_service_that_cannot_answer_is_not_ready(world: World, tmp_path: Path) -> None:
    """Alive, but not ready: the reason is told."""
    world.house.store.close()
    for file in tmp_path.glob("certworker.db*"):
        file.unlink()
    (tmp_path / "certworker.db").mkdir()
    answer = get(ops(world), "/readyz")
    assert answer.status_code == 503
    assert answer.text.startswith("not ready: ")
    assert get(ops(world), "/console").status_code == 503
    assert get(ops(world), "/healthz").status_code == 200
    assert get(build_challenge_app(world.house), "/.well-known/acme-challenge/token").status_code == 503


def test_the_console_lists_the_fleet(call: Caller) -> None:
    """Each certificate with its issuer and state, on a page without a script."""
    call.create("web")
    page = get(ops(call.world), "/console")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<td>contoso</td><td>web</td><td>Self</td>" in page.text
    assert "<script" not in page.text


def test_the_console_escapes_what_others_wrote() -> None:
    """A CA's words and an issuer's name are text, whatever they look like."""
    page = render_console([member(issuer="<b>", last_error="<script>alert(1)</script>")], 1, START)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<td>&lt;b&gt;</td>" in page
    assert "1 certificate," in page
    assert "No certificates yet." in render_console([], 0, START)


def test_the_console_says_that_there_are_more() -> None:
    """Of a large fleet it shows those that need somebody first."""
    page = render_console([member(), member(state=State.RENEWAL_FAILED)], 100_000, START)
    assert "100,000 certificates, as of" in page
    assert "these 2 need somebody first" in page
    assert '<span class="state soon">renewal failed</span>' in page


@pytest.mark.parametrize(("due_in_hours", "style"), [(1, "valid"), (-1, "soon"), (None, "soon")])
def test_the_console_warns_of_an_end_that_nothing_comes_before(due_in_hours: int | None, style: str) -> None:
    """A certificate of days whose renewal is ahead is well; one whose renewal has gone by, or that has none, is not."""
    due_at = None if due_in_hours is None else START + timedelta(hours=due_in_hours)
    page = render_console([member(not_after=START + timedelta(days=2), due_at=due_at)], 1, START)
    assert f'<span class="state {style}">valid</span>' in page


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "valid"),
        ({"not_after": START}, "expired"),
        ({"not_after": START, "state": State.REVOKED}, "revoked"),
        ({"not_before": START + timedelta(hours=1)}, "not_yet_valid"),
        ({"state": State.BEING_ISSUED, "not_after": None, "version": None}, "being_issued"),
        ({"state": State.DISABLED}, "disabled"),
    ],
)
def test_a_certificate_has_one_state(changes: dict[str, object], word: str) -> None:
    """The word that asks for the most comes first."""
    assert member(**changes).word_at(START) == word


def test_a_challenge_is_answered(world: World) -> None:
    """The key authorization, as the type that RFC 8555 wants, until it is taken down."""
    app = build_challenge_app(world.house)
    world.house.challenges.post("token-1_A", "token-1_A.thumb", START + timedelta(hours=1))
    answer = get(app, "/.well-known/acme-challenge/token-1_A")
    assert (answer.status_code, answer.content) == (200, b"token-1_A.thumb")
    assert answer.headers["content-type"] == "application/octet-stream"
    world.house.challenges.take_down("token-1_A")
    assert get(app, "/.well-known/acme-challenge/token-1_A").status_code == 404


@pytest.mark.parametrize(
    "path", ["/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/a.b", "/.well-known/acme-challenge/a/b"]
)
def test_nothing_else_is_answered(world: World, path: str) -> None:
    """The responder knows tokens and nothing else."""
    assert get(build_challenge_app(world.house), path).status_code == 404


@pytest.mark.parametrize("host", ["localhost:9464", "127.0.0.1", "[::1]:9464", "ops.localhost"])
def test_the_operators_port_answers_to_local_names(world: World, host: str) -> None:
    """By whatever name of its own it is called."""
    assert get(ops(world), "/metrics", host=host).status_code == 200


@pytest.mark.parametrize("host", ["rebound.example", "localhost.example:9464", "127.0.0.1.example"])
def test_a_name_of_somebody_elses_gets_nothing(world: World, host: str) -> None:
    """A page whose name was made to resolve to loopback does not read the fleet (DNS rebinding)."""
    for path in ("/metrics", "/console", "/healthz"):
        answer = get(ops(world), path, host=host)
        assert (answer.status_code, answer.headers["cache-control"]) == (421, "no-store")
