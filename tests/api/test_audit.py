"""Every request has its record, before its answer leaves; nothing secret is in any."""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from certworker.api.call import Handler
from certworker.api.data_plane import ROUTES
from certworker.api.operation_names import operation_name
from certworker.api.routing import Route
from certworker.api.trace import RequestTrace
from certworker.store.transactions import SqlStore
from certworker.vault.store import Writer
from tests.api.recording import Recorder, recorded
from tests.api.world import VERSION, Caller, World

SECRET = "hunter2-is-not-to-be-seen"


@pytest.fixture
def call_recorded(world: World) -> tuple[Caller, Recorder]:
    """Call an app whose records are kept."""
    return recorded(world)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{max(route.methods)} {route.path}")
def test_every_operation_of_the_data_plane_has_a_name(route: Route[Handler]) -> None:
    """Whoever adds a route gives it a name in the log."""
    assert all(operation_name(method, route.path) for method in route.methods)


def test_a_read_is_recorded_with_the_services_fields(call_recorded: tuple[Caller, Recorder]) -> None:
    """Who, from where, by which program, what, under which version, and how it ended."""
    call, recorder = call_recorded
    call("PUT", "/secrets/password", {"value": SECRET})
    asked = {"User-Agent": "test/1\x7f", "x-ms-client-request-id": "mine"}
    with recorder.told() as new:
        call("GET", "/Secrets/password/?maxresults=7&" + VERSION, headers=asked)
    (record,) = new
    vault, who = call.world.vault, call.world.administrator
    scope = f"/subscriptions/{vault.subscription_id}/resourceGroups/{vault.resource_group}"
    assert record["operationName"] == "SecretGet"
    assert record["category"] == "AuditEvent"
    assert record["operationVersion"] == "2026-04-01"
    assert record["resourceId"] == f"{scope}/providers/Microsoft.KeyVault/vaults/{vault.name}".upper()
    assert (record["resultType"], record["resultSignature"], record["resultDescription"]) == ("Success", "OK", "")
    assert record["durationMs"].isdecimal()
    assert (record["callerIpAddress"], record["correlationId"]) == ("127.0.0.1", "mine")
    claims = {"objectidentifier": who.object_id, "appid": who.client_id, "tid": who.tenant_id}
    assert record["identity"] == {"claim": claims}
    assert record["properties"] == {
        "clientInfo": "test/1?",
        "requestUri": f"{call.world.vault_url}/secrets/password?{VERSION}",
        "id": f"{call.world.vault_url}/secrets/password",
        "httpStatusCode": 200,
    }


def test_a_change_has_its_record_in_its_own_transaction(call_recorded: tuple[Caller, Recorder]) -> None:
    """It waits in the database, once; nothing is appended beside it."""
    call, recorder = call_recorded
    with recorder.told() as new:
        answer = call("POST", "/certificates/web/create", {"policy": {"key_props": {"kty": "EC"}, "issuer": {"name": "Self"}}})
    assert answer.status_code == 400
    assert [(record["operationName"], record["resultType"]) for record in new] == [("CertificateCreate", "Failure")]
    with recorder.told() as new:
        call.create("web")
    assert [(record["operationName"], record["properties"]["httpStatusCode"]) for record in new] == [("CertificateCreate", 202)]
    assert recorder.pending() == new
    assert new[0]["recordId"]


def test_what_fails_after_its_commit_has_a_second_record(
    call_recorded: tuple[Caller, Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have the request's correlation id, and ids of their own."""
    call, recorder = call_recorded
    writing = SqlStore.writing

    @contextmanager
    def failing(self: SqlStore) -> Iterator[Writer]:
        with writing(self) as writer:
            yield writer
        raise OSError("after the commit")

    monkeypatch.setattr(SqlStore, "writing", failing)
    with recorder.told() as new:
        assert call("PUT", "/secrets/one", {"value": SECRET}).status_code == 500
    failed, kept = new
    assert (kept["resultType"], failed["resultType"]) == ("Success", "Failure")
    assert kept["correlationId"] == failed["correlationId"]
    assert kept["recordId"] != failed["recordId"]


@pytest.mark.parametrize(
    ("method", "url", "operation", "status", "description"),
    [
        ("GET", "/secrets/one", "SecretGet", 404, "SecretNotFound"),
        ("GET", "/certificates/no_name", "CertificateGet", 400, "BadParameter"),
        ("GET", "/nothing/at/all/here", "UnknownOperation", 404, "NotFound"),
        ("DELETE", "/rng", "UnknownOperation", 405, "MethodNotAllowed"),
        ("GET", "/secrets/%2e%2e", "UnknownOperation", 400, "BadParameter"),
        ("GET", "https://elsewhere.example/secrets/one", "UnknownOperation", 404, "VaultNotFound"),
        ("GET", "https://other.vault.localhost:8443/secrets/one", "UnknownOperation", 404, "VaultNotFound"),
        ("GET", "https://management.localhost:8443/subscriptions?api-version=2022-12-01", "Authentication", 401, ""),
    ],
)
def test_what_is_refused_is_recorded(
    call_recorded: tuple[Caller, Recorder], method: str, url: str, operation: str, status: int, description: str
) -> None:
    """On every plane and on hosts that there are not, with the error's code and never its text."""
    call, recorder = call_recorded
    with recorder.told() as new:
        assert call(method, url).status_code == status
    (record,) = new
    assert (record["operationName"], record["resultType"]) == (operation, "Failure")
    assert (record["resultSignature"], record["properties"]["httpStatusCode"]) == (str(status), status)
    assert record["resultDescription"].startswith(description)


def test_a_challenge_is_recorded_as_the_service_does(call_recorded: tuple[Caller, Recorder]) -> None:
    """Without a token it is an authentication, of the vault that was called, by nobody."""
    call, recorder = call_recorded
    with recorder.told() as new:
        call.bare("GET", f"/secrets/one?{VERSION}")
    (record,) = new
    assert (record["operationName"], record["resultDescription"]) == ("Authentication", "Unauthorized")
    assert record["identity"] == {"claim": {}}
    assert record["resourceId"].endswith(f"/VAULTS/{call.world.vault.name.upper()}")


@pytest.mark.parametrize("right", [True, False])
def test_who_asks_for_a_token_is_recorded(call_recorded: tuple[Caller, Recorder], *, right: bool) -> None:
    """By which grant and in whose name, refused or not; neither secret nor token."""
    call, recorder = call_recorded
    world = call.world
    form = {
        "grant_type": "client_credentials",
        "client_id": world.administrator.client_id,
        "client_secret": world.client_secret if right else SECRET,
        "scope": f"{world.house.settings.resource}/.default",
    }
    url = f"{world.house.settings.authority}/{world.tenant}/oauth2/v2.0/token"
    with recorder.told() as new:
        answer = call.bare("POST", url, data=form)
    assert answer.status_code == (200 if right else 401)
    (record,) = new
    assert (record["operationName"], record["resultType"]) == ("TokenIssue", "Success" if right else "Failure")
    assert record["properties"]["grantType"] == "client_credentials"
    assert record["properties"]["clientId"] == world.administrator.client_id
    text = json.dumps(record)
    assert not [
        hidden for hidden in (world.client_secret, SECRET, answer.json().get("access_token")) if hidden and hidden in text
    ]
    assert right or record["resultDescription"] == "invalid_client/AADSTS7000215"


@pytest.mark.parametrize(
    "url", ["/secrets/one", "/secrets/none", "https://login.localhost:8443/x", "https://elsewhere.example/"]
)
def test_without_a_record_there_is_no_answer(call_recorded: tuple[Caller, Recorder], url: str) -> None:
    """It is a 503 that says when to try again, and nothing of the answer leaks; once there is room it is as before."""
    call, recorder = call_recorded
    call("PUT", "/secrets/one", {"value": SECRET})
    before = call("GET", url)
    recorder.full = True
    answer = call("GET", url)
    assert answer.status_code == 503
    assert answer.headers["retry-after"].isdecimal()
    assert SECRET not in answer.text
    recorder.full = False
    assert call("GET", url).status_code == before.status_code


def test_a_change_needs_no_room_in_the_log(call_recorded: tuple[Caller, Recorder]) -> None:
    """Its record is in the database already, and so it is answered."""
    call, recorder = call_recorded
    recorder.full = True
    assert call("PUT", "/secrets/one", {"value": SECRET}).status_code == 200


def test_no_record_tells_a_secret(call_recorded: tuple[Caller, Recorder]) -> None:
    """Neither values nor tokens nor what was asked for in a query, whatever came of the request."""
    call, recorder = call_recorded
    call("PUT", "/secrets/one", {"value": SECRET, "tags": {"tag": SECRET}})
    backup = call("POST", "/secrets/one/backup").json()["value"]
    call("GET", f"/secrets/one?{VERSION}&maxresults={SECRET}")
    call("GET", f"/secrets?{VERSION}&maxresults={SECRET}")
    call("PUT", "/secrets/two", {"value": [SECRET]})
    call("PUT", f"/secrets/one?api-version={SECRET}", {"value": SECRET})
    call("POST", "/keys/key/create", {"kty": "oct-HSM", "k": SECRET})
    call("GET", "/secrets/one", headers={"Authorization": f"Bearer {SECRET}"})
    call("GET", "/secrets/one", headers={"X-Secret": SECRET, "Cookie": SECRET, "x-ms-client-request-id": "a b"})
    text = json.dumps(recorder.all())
    assert len(recorder.all()) == 9
    assert not [hidden for hidden in (SECRET, backup, "Bearer", "eyJ") if hidden in text]


@pytest.mark.parametrize("path", ["/secrets/web", "/nothing"])
def test_a_request_is_let_go_of_at_once(call: Caller, path: str) -> None:
    """Nothing of it waits for the garbage collector, whose rounds would be longer than many requests."""
    gc.collect()
    gc.disable()
    try:
        call("GET", path)
        assert not [found for found in gc.get_objects() if type(found) is RequestTrace]
    finally:
        gc.enable()
