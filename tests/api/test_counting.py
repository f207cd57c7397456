"""Requests are counted by plane, operation, vault and how they ended; nothing that a client wrote is a label."""

import asyncio
from pathlib import Path

import httpx
import pytest

from certworker.api.app import build_app
from certworker.api.counting import result_of
from certworker.metrics.counters import Counters
from tests.metrics.test_counted_doors import counted
from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, open_deployment

PORT = 8443
SECRET = "n0t-to-be-seen"


def ask(deployment: Deployment, *wanted: tuple[str, str, dict[str, str] | None]) -> list[httpx.Response]:
    """Ask the app: method, URL and form."""

    async def go() -> list[httpx.Response]:
        app = build_app(deployment.house)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
            return [await http.request(method, url, data=form) for method, url, form in wanted]

    return asyncio.run(go())


def test_requests_are_counted_as_they_end(tmp_path: Path, clock: FakeClock) -> None:
    """On every plane; a vault that there is none of has no series, and neither has a grant that there is none of."""
    counters = Counters(tmp_path, clock)
    with open_deployment(tmp_path, clock, measures=counters) as deployment:
        tenant = deployment.administrator.tenant_id
        token = f"https://login.localhost:{PORT}/{tenant}/oauth2/v2.0/token"
        client = {"client_id": deployment.administrator.client_id, "client_secret": SECRET, "scope": "x/.default"}
        answers = ask(
            deployment,
            ("GET", f"https://contoso.vault.localhost:{PORT}/secrets/{SECRET}?api-version=2025-07-01", None),
            ("GET", f"https://{SECRET}.vault.localhost:{PORT}/secrets?api-version=2025-07-01", None),
            ("GET", f"https://management.localhost:{PORT}/subscriptions?api-version=2022-12-01", None),
            ("GET", f"https://graph.localhost:{PORT}/v1.0/users", None),
            ("GET", f"https://login.localhost:{PORT}/{tenant}/v2.0/.well-known/openid-configuration", None),
            ("POST", token, {**client, "grant_type": "client_credentials"}),
            ("POST", token, {**client, "grant_type": SECRET}),
        )
    assert [answer.status_code for answer in answers][2:5] == [401, 401, 200]
    by_plane: dict[str, float] = {}
    for labels, count in counted(counters, "http_requests_total").items():
        plane = labels.split()[1]
        by_plane[plane] = by_plane.get(plane, 0) + count
    assert by_plane == {"vault": 2, "management": 1, "graph": 1, "identity": 3}
    assert counted(counters, "http_request_duration_seconds_count") == by_plane
    assert counted(counters, "vault_requests_total") == {"refused contoso": 1}
    assert counted(counters, "sign_ins_total") == {"client_credentials refused": 1, "other refused": 1}
    assert counted(counters, "vault_operations_total")["Authentication refused"] >= 3
    assert SECRET not in str(list(counters.collector().collect()))


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, "success"),
        (302, "success"),
        (401, "refused"),
        (403, "refused"),
        (404, "invalid"),
        (429, "throttled"),
        (503, "failed"),
    ],
)
def test_a_status_says_how_it_ended(status: int, result: str) -> None:
    """In one of five words."""
    assert result_of(status) == result
