"""Records that are easily forgotten, or would say what is not so."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from certworker.api.identity.managed import build_managed_app
from certworker.audit.opening import open_audit_log
from certworker.settings.identity import ManagedIdentity
from certworker.vault.rights.caller import Caller as Who
from certworker.vault.sign_in.known_clients import AZURE_CLI
from tests.api.recording import Recorder, recorded
from tests.api.world import VERSION, Caller, World
from tests.support.clock import FakeClock

LOGIN = "https://login.localhost:8443"
PASSWORD = "correct Horse 7"
ASKED = {
    "client_id": AZURE_CLI,
    "response_type": "code",
    "redirect_uri": "http://localhost:51234",
    "scope": "https://vault.localhost:8443/.default",
    "code_challenge": "c" * 43,
    "code_challenge_method": "S256",
}


@pytest.fixture
def call_recorded(world: World) -> tuple[Caller, Recorder]:
    """Call an app whose records are kept."""
    return recorded(world)


def ask_managed(world: World, recorder: Recorder, path: str, headers: dict[str, str]) -> httpx.Response:
    """Ask the endpoint of the administrator's application, as if it were a managed identity."""
    settings = ManagedIdentity(
        identity=world.administrator.object_id, kind="app-service", port=8500, header_file=Path("header")
    )
    app = build_managed_app(replace(world.house, trail=recorder), settings, "right")

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8500") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(send())


@pytest.mark.parametrize(("header", "status"), [("right", 200), ("wrong", 401)])
def test_who_gets_the_token_of_a_managed_identity_is_recorded(
    call_recorded: tuple[Caller, Recorder], header: str, status: int
) -> None:
    """Its port is none of the planes, but gives tokens as they do: no record, no token."""
    call, recorder = call_recorded
    path = f"/msi/token?api-version=2019-08-01&resource={call.world.house.settings.resource}"
    with recorder.told() as new:
        answer = ask_managed(call.world, recorder, path, {"X-IDENTITY-HEADER": header})
    assert answer.status_code == status
    (record,) = new
    assert (record["operationName"], record["properties"]["httpStatusCode"]) == ("TokenIssue", status)
    assert record["properties"].get("clientId") == (call.world.administrator.client_id if status == 200 else None)
    recorder.full = True
    answer = ask_managed(call.world, recorder, path, {"X-IDENTITY-HEADER": header})
    assert answer.status_code == 503
    assert "access_token" not in answer.text


def add_user(world: World, **properties: object) -> str:
    """Add Ada."""
    who = Who(world.administrator.object_id, world.administrator.client_id, world.tenant)
    named = {"user_name": "ada@contoso.test", "display_name": "Ada", **properties}
    return world.house.identities.users.create(who, named, PASSWORD).object_id


def sign_in(call: Caller, **more: str) -> httpx.Response:
    """Sign in on the page."""
    url = f"{LOGIN}/{call.world.tenant}/oauth2/v2.0/authorize"
    shown = call.bare("GET", url, params=ASKED)
    fields = {}
    for part in shown.text.split("<input ")[1:]:
        name, _, rest = part.partition('name="')[2].partition('"')
        fields[name] = rest.partition('value="')[2].partition('"')[0].replace("&amp;", "&")
    cookie = {"cookie": shown.headers["set-cookie"].partition(";")[0]}
    filled = fields | {"login": "ada@contoso.test", "passwd": PASSWORD, "answer": "sign-in"} | more
    return call.bare("POST", url, data=filled, headers=cookie, follow_redirects=False)


def test_a_sign_in_that_is_refused_is_no_success(call_recorded: tuple[Caller, Recorder]) -> None:
    """Be it by the page or by sending the browser back, which succeeds as HTTP."""
    call, recorder = call_recorded
    add_user(call.world)
    for more, status, code in (
        ({"answer": "no"}, 303, "access_denied/AADSTS65004"),
        ({"passwd": "wrong"}, 400, "invalid_grant/AADSTS50126"),
        ({"passwd": "wrong", "login": "P@ssword-in-the-wrong-field"}, 400, "invalid_grant/AADSTS50126"),
    ):
        with recorder.told() as new:
            assert sign_in(call, **more).status_code == status
        assert (new[-1]["resultType"], new[-1]["resultDescription"]) == ("Failure", code)
        assert "ssword" not in str(new)
    with recorder.told() as new:
        assert sign_in(call).status_code == 303
    assert new[-1]["resultType"] == "Success"
    assert new[-1]["properties"]["userPrincipalName"] == "ada@contoso.test"


def test_a_password_that_is_changed_at_sign_in_has_its_record_in_the_transaction(
    call_recorded: tuple[Caller, Recorder],
) -> None:
    """Beside that of the sign-in, which is written when it is answered."""
    call, recorder = call_recorded
    user = add_user(call.world, must_change_password=True)
    waiting = len(recorder.pending())
    assert sign_in(call, newpasswd="another Horse 8").status_code == 303
    (record,) = recorder.pending()[waiting:]
    assert record["operationName"] == "MeChangePassword"
    assert record["identity"]["claim"]["objectidentifier"] == user


def test_a_log_that_is_opened_by_a_request_records_it_once(world: World) -> None:
    """The new chain's head is written into the database meanwhile, and is no change of the request's."""
    house = world.house
    with open_audit_log(house.settings.audit, house.store, house.keyring, house.clock, "tests") as log:
        logged = replace(world, house=replace(house, trail=log))
        before = Recorder(house.store).pending()
        assert Caller(logged)("GET", "/secrets").status_code == 200
        assert Recorder(house.store).pending() == before


def test_a_path_at_a_host_that_is_nobodys_names_no_vault(call_recorded: tuple[Caller, Recorder]) -> None:
    """Else anybody could write among the records of a vault, with no word to its planes."""
    call, recorder = call_recorded
    path = f"/subscriptions/x/resourceGroups/y/providers/Microsoft.KeyVault/vaults/{call.world.vault.name}"
    with recorder.told() as new:
        assert call.bare("GET", f"https://elsewhere.example{path}?{VERSION}").status_code == 404
    assert [record["resourceId"] for record in new] == [""]


def test_keys_that_the_service_rotates_by_itself_are_recorded(world: World, clock: FakeClock) -> None:
    """In the transaction of the change, by the service."""
    recorder = Recorder(world.house.store)
    keys = world.house.sign_in.signing_keys
    keys.rotate()
    found: list[Any]
    with recorder.told() as found:
        assert keys.tend(clock() + timedelta(days=world.house.settings.identity.signing_key_days)) >= 1
    assert [record["operationName"] for record in found] == ["SigningKeyRotate"]
    assert found[0]["identity"]["claim"] == {"appid": "certworker"}
