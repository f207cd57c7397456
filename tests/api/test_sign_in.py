"""Users sign in, and programs go on for them: every grant of the identity provider, called in this process."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from certworker.settings import IdentitySettings
from certworker.vault.identities.records import User
from certworker.vault.rights.caller import Caller as Who
from certworker.vault.sign_in.known_clients import AZURE_CLI
from certworker.worker.rounds import Rounds
from tests.api.world import VERSION, Caller, World, open_world
from tests.support.clock import FakeClock

LOGIN = "https://login.localhost:8443"
VAULTS = "https://vault.localhost:8443"
MANAGEMENT = "https://management.core.windows.net/"
NAME, PASSWORD = "ada@contoso.test", "correct Horse 7"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
REDIRECT = "http://localhost:51234"
OFFLINE = f"{VAULTS}/.default openid profile offline_access"
AGAIN = timedelta(seconds=31)


@dataclass(frozen=True)
class SignIns:
    """A deployment with a user, and the ways to sign in."""

    call: Caller
    user: User

    @property
    def world(self) -> World:
        """The deployment."""
        return self.call.world

    def ask(self, path: str = "oauth2/v2.0/token", **form: str) -> httpx.Response:
        """Post a form, as az unless told otherwise."""
        return self.call.bare("POST", f"{LOGIN}/{self.world.tenant}/{path}", data={"client_id": AZURE_CLI, **form})

    def token(self, **form: str) -> dict[str, Any]:
        """Ask for tokens and get them."""
        answer = self.ask(**form)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def by_password(self, scope: str = OFFLINE, password: str = PASSWORD) -> httpx.Response:
        """Sign in by the password."""
        return self.ask(grant_type="password", username=NAME.upper(), password=password, scope=scope)

    def refused(self, **form: str) -> tuple[int, str, int]:
        """Ask for tokens and get none: the status, OAuth's word and the number."""
        answer = self.ask(**form)
        body = answer.json()
        return answer.status_code, body["error"], body["error_codes"][0]

    def page(self, path: str, params: dict[str, str]) -> tuple[httpx.Response, dict[str, str], dict[str, str]]:
        """Open a page; give it with the fields that its form carries, and the cookie to send along."""
        shown = self.call.bare("GET", f"{LOGIN}{path}", params=params)
        return shown, carried(shown), cookie(shown)

    def authorize(self, **changes: str) -> tuple[httpx.Response, dict[str, str], dict[str, str]]:
        """Open the sign-in page for az."""
        params = {"client_id": AZURE_CLI, "response_type": "code", "redirect_uri": REDIRECT, "scope": OFFLINE}
        params |= {"state": "st&te", "nonce": "n-1", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        return self.page(f"/{self.world.tenant}/oauth2/v2.0/authorize", params | changes)

    def submit(self, fields: dict[str, str], headers: dict[str, str], **more: str) -> httpx.Response:
        """Send the sign-in form."""
        filled = {"login": NAME, "passwd": PASSWORD, "answer": "sign-in", **more}
        url = f"{LOGIN}/{self.world.tenant}/oauth2/v2.0/authorize"
        return self.call.bare("POST", url, data=fields | filled, headers=headers, follow_redirects=False)

    def code(self) -> str:
        """Sign in on the page, and read the code out of where it leads."""
        _, fields, headers = self.authorize()
        sent = self.submit(fields, headers)
        assert sent.status_code == 303, sent.text
        return parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]

    def redeem(self, code: str, **changes: str) -> httpx.Response:
        """Exchange a code."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        return self.ask(**(form | changes))


def carried(shown: httpx.Response) -> dict[str, str]:
    """Read the hidden fields of a form."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', shown.text)
    return {name: value.replace("&amp;", "&") for name, value in found}


def cookie(shown: httpx.Response) -> dict[str, str]:
    """Read the cookie to send along."""
    return {"Cookie": shown.headers["set-cookie"].partition(";")[0]}


def claims_of(token: str) -> dict[str, Any]:
    """Read what a token says."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


@pytest.fixture
def sign_ins(tmp_path: Path, clock: FakeClock) -> Iterator[SignIns]:
    """Give a deployment that lets users sign in by password, with one user in one group."""
    with open_world(tmp_path, clock, identity=IdentitySettings(password_grant=True, guesses=2)) as world:
        administrator = Who(world.administrator.object_id, world.administrator.client_id, world.tenant)
        user = world.house.identities.users.create(administrator, {"user_name": NAME, "display_name": "Ada"}, PASSWORD)
        with world.house.store.writing() as writer:
            writer.add_group_member("11111111-1111-1111-1111-111111111111", user.object_id)
        yield SignIns(Caller(world), user)


def test_a_password_gives_tokens_that_say_who_it_is(sign_ins: SignIns) -> None:
    """The name in any case; the access token is for the resource as asked for, the id token for the client."""
    body = sign_ins.by_password().json()
    claims = claims_of(body["access_token"])
    assert claims["aud"] == VAULTS
    assert (claims["oid"], claims["upn"], claims["name"]) == (sign_ins.user.object_id, NAME, "Ada")
    assert (claims["scp"], claims["idtyp"], claims["appid"], claims["appidacr"]) == (
        "user_impersonation",
        "user",
        AZURE_CLI,
        "0",
    )
    assert claims["groups"] == ["11111111-1111-1111-1111-111111111111"]
    told = claims_of(body["id_token"])
    assert (told["aud"], told["preferred_username"], told["tid"]) == (AZURE_CLI, NAME, sign_ins.world.tenant)
    assert f"{VAULTS}/user_impersonation" in body["scope"]
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    refused = sign_ins.call.bare("GET", f"/secrets?{VERSION}", headers=bearer)
    assert (refused.status_code, refused.json()["error"]["innererror"]["code"]) == (403, "ForbiddenByRbac")


def test_whoever_guesses_has_to_wait(sign_ins: SignIns, clock: FakeClock) -> None:
    """Twice as long each time, whether the name is anybody's or not; then the right password is taken, and ends the count."""
    wrong = [sign_ins.by_password(password="wrong").json()["error_codes"] for _ in range(3)]
    assert wrong == [[50126], [50126], [50053]]
    assert sign_ins.by_password().json()["error_codes"] == [50053]
    clock.advance(timedelta(seconds=61))
    assert sign_ins.by_password().status_code == 200
    assert sign_ins.by_password(password="wrong").json()["error_codes"] == [50126]
    nobody = [sign_ins.refused(grant_type="password", username="x@y", password="z", scope=OFFLINE)[2] for _ in range(3)]
    assert nobody == [50126, 50126, 50053]
    clock.advance(timedelta(days=-1))
    # a clock that was set back makes nobody wait a day
    assert sign_ins.refused(grant_type="password", username="x@y", password="z", scope=OFFLINE)[2] == 50126


def test_a_refresh_token_counts_once(sign_ins: SignIns, clock: FakeClock) -> None:
    """It gives tokens for any resource, and another of its kind; shown again later, it ends all that came of it."""
    first = sign_ins.by_password().json()["refresh_token"]
    going_on = {"grant_type": "refresh_token", "scope": f"{MANAGEMENT}/.default"}
    body = sign_ins.token(refresh_token=first, **going_on)
    assert claims_of(body["access_token"])["aud"] == MANAGEMENT
    assert sign_ins.token(refresh_token=first, **going_on)  # programs that share one start at the same time
    clock.advance(AGAIN)
    second = sign_ins.token(refresh_token=body["refresh_token"], **going_on)["refresh_token"]
    assert sign_ins.refused(refresh_token=first, **going_on) == (400, "invalid_grant", 70043)
    assert sign_ins.refused(refresh_token=second, **going_on) == (400, "invalid_grant", 70000)


def test_a_refresh_token_is_its_clients_and_ends(sign_ins: SignIns, clock: FakeClock) -> None:
    """No other client can use it; it ends with its time, with the password, and with the user."""
    users, world = sign_ins.world.house.identities.users, sign_ins.world
    administrator = Who(world.administrator.object_id, world.administrator.client_id, world.tenant)
    token = sign_ins.by_password().json()["refresh_token"]
    going_on = {"grant_type": "refresh_token", "scope": OFFLINE}
    other = "1950a258-227b-4e31-a9cf-717495945fc2"
    assert sign_ins.refused(refresh_token=token, client_id=other, **going_on)[1:] == ("invalid_grant", 70000)
    users.update(administrator, NAME, {}, "another Horse 8")
    assert sign_ins.refused(refresh_token=token, **going_on)[1:] == ("invalid_grant", 70000)
    token = sign_ins.by_password(password="another Horse 8").json()["refresh_token"]
    clock.advance(timedelta(days=90))
    assert sign_ins.refused(refresh_token=token, **going_on)[1:] == ("invalid_grant", 700082)


def test_what_cannot_be_given_costs_no_refresh_token(sign_ins: SignIns, clock: FakeClock) -> None:
    """A resource that nobody has is refused, and the client goes on with the token that it has."""
    token = sign_ins.by_password().json()["refresh_token"]
    going_on = {"grant_type": "refresh_token", "refresh_token": token}
    assert sign_ins.refused(scope="https://nowhere.test/.default", **going_on)[1] == "invalid_resource"
    clock.advance(AGAIN)
    assert sign_ins.token(scope=OFFLINE, **going_on)["refresh_token"]


def test_another_password_ends_what_the_old_one_gave(sign_ins: SignIns) -> None:
    """Be it a refresh token or a code that waits still, and whoever changes it."""
    users, world = sign_ins.world.house.identities.users, sign_ins.world
    administrator = Who(world.administrator.object_id, world.administrator.client_id, world.tenant)
    token, code = sign_ins.by_password().json()["refresh_token"], sign_ins.code()
    users.change_password(Who(sign_ins.user.object_id, "", world.tenant), PASSWORD, "another Horse 8")
    assert sign_ins.refused(grant_type="refresh_token", refresh_token=token, scope=OFFLINE)[2] == 70000
    assert sign_ins.redeem(code).json()["error_codes"] == [70000]
    users.update(administrator, NAME, {}, PASSWORD)
    code = sign_ins.code()
    users.update(administrator, NAME, {"enabled": False})
    users.update(administrator, NAME, {"enabled": True})
    assert sign_ins.redeem(code).json()["error_codes"] == [70000]


def test_a_challenge_that_was_taken_away_is_noticed(sign_ins: SignIns) -> None:
    """Whoever shows a code_verifier has sent a code_challenge: without it the code is refused."""
    world, identities = sign_ins.world, sign_ins.world.house.identities
    administrator = Who(world.administrator.object_id, world.administrator.client_id, world.tenant)
    back = "https://app.test/cb"
    made = identities.applications.create(administrator, {"display_name": "App", "redirect_uris": {"web": (back,)}}).application
    _, secret = identities.applications.add_secret(administrator, made.object_id, None, None, None)
    identities.service_principals.create(administrator, made.client_id)
    _, fields, headers = sign_ins.authorize(client_id=made.client_id, redirect_uri=back, code_challenge="")
    code = parse_qs(urlsplit(sign_ins.submit(fields, headers).headers["location"]).query)["code"][0]
    shown = {"client_id": made.client_id, "client_secret": secret, "redirect_uri": back}
    assert sign_ins.redeem(code, **shown).json()["error_codes"] == [501481]
    assert sign_ins.redeem(code, code_verifier="", **shown).status_code == 200


def test_nobody_acts_on_behalf_of_who_called_somebody_else(sign_ins: SignIns) -> None:
    """A URI that an application took, and that is the vaults' or another application's id, makes no token its own."""
    world, identities = sign_ins.world, sign_ins.world.house.identities
    administrator = Who(world.administrator.object_id, world.administrator.client_id, world.tenant)
    other = identities.applications.create(administrator, {"display_name": "Other"}).application
    uris = (VAULTS, f"api://{other.client_id}", "api://middle")
    made = identities.applications.create(administrator, {"display_name": "Middle", "identifier_uris": uris}).application
    _, secret = identities.applications.add_secret(administrator, made.object_id, None, None, None)
    identities.service_principals.create(administrator, made.client_id)
    client = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "requested_token_use": "on_behalf_of"}
    client |= {"client_id": made.client_id, "client_secret": secret, "scope": f"{MANAGEMENT}/.default"}
    for uri, status in zip(uris, (400, 400, 200), strict=True):
        token = sign_ins.by_password(scope=f"{uri}/.default").json()["access_token"]
        assert sign_ins.ask(assertion=token, **client).status_code == status


@pytest.mark.parametrize("field", ["client_id", "scope", "username"])
def test_a_null_character_is_no_text(sign_ins: SignIns, field: str) -> None:
    """Not every database keeps one: the form is refused as a whole."""
    form = {"grant_type": "password", "username": NAME, "password": PASSWORD, "scope": OFFLINE, field: "a\0b"}
    assert sign_ins.refused(**form) == (400, "invalid_request", 90100)


def test_a_code_is_given_on_a_page_and_counts_once(sign_ins: SignIns, clock: FakeClock) -> None:
    """It leads back to the client with its state; shown again, it ends what came of it."""
    code = sign_ins.code()
    body = sign_ins.redeem(code, client_info="1").json()
    assert claims_of(body["id_token"])["nonce"] == "n-1"
    told = json.loads(base64.urlsafe_b64decode(body["client_info"] + "=="))
    assert told == {"uid": sign_ins.user.object_id, "utid": sign_ins.world.tenant}
    assert sign_ins.redeem(code).json()["error_codes"] == [54005]
    again = sign_ins.refused(grant_type="refresh_token", refresh_token=body["refresh_token"], scope=OFFLINE)
    assert again == (400, "invalid_grant", 70000)
    late = sign_ins.code()
    wrong = {"code_verifier": "w" * 64}, {"code_verifier": ""}, {"redirect_uri": "http://localhost:1"}
    assert [sign_ins.redeem(late, **one).json()["error_codes"][0] for one in wrong] == [501481, 501481, 500112]
    clock.advance(timedelta(minutes=6))
    assert sign_ins.redeem(late).json()["error_codes"] == [70008]


def test_the_page_is_safe(sign_ins: SignIns) -> None:
    """Nothing from elsewhere, no frame, no other site's form; and the way back is escaped."""
    shown, fields, headers = sign_ins.authorize()
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert shown.headers["referrer-policy"] == "same-origin"  # else browsers name no origin with our own forms
    assert f"form-action 'self' {REDIRECT}" in policy
    assert shown.headers["set-cookie"].startswith("__Host-")
    assert {"HttpOnly", "Secure", "SameSite=strict"} <= set(shown.headers["set-cookie"].split("; "))
    forged = fields | {"csrf": "x" * 43}
    for sent, with_headers in ((forged, headers), (fields, {}), (fields, headers | {"Origin": "https://evil.test"})):
        assert sign_ins.submit(sent, with_headers).status_code == 400
    assert sign_ins.submit(fields, headers | {"Origin": LOGIN}).status_code == 303
    wrong = sign_ins.submit(fields, headers, passwd="<script>", login="<b>")
    assert wrong.status_code == 400
    assert "<b>" not in wrong.text
    assert "&lt;b&gt;" in wrong.text
    assert "&lt;script&gt;" not in wrong.text
    cancelled = sign_ins.submit(fields, headers, answer="cancel").headers["location"]
    assert parse_qs(urlsplit(cancelled).query)["error"] == ["access_denied"]
    assert parse_qs(urlsplit(cancelled).query)["state"] == ["st&te"]
    posted = sign_ins.submit(fields | {"response_mode": "form_post"}, headers)
    assert posted.status_code == 200
    assert carried(posted)["code"]


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.test",
        "http://localhost@evil.test",
        "http://localhost:80@evil.test/",
        "http://localhost.evil.test",
        "https://localhost",
        "http://localhost/elsewhere",
        "javascript:alert(1)",
        "",
    ],
)
def test_nobody_is_sent_elsewhere(sign_ins: SignIns, redirect: str) -> None:
    """What is not registered, exactly as it is, is told on a page, and led to by nothing on it."""
    shown, _, _ = sign_ins.authorize(redirect_uri=redirect)
    assert shown.status_code == 400
    assert "location" not in shown.headers
    assert "<form" not in shown.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "https://vault.azure.net/.default"}, "invalid_resource"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_a_request_that_cannot_work_is_told_to_the_client(sign_ins: SignIns, changes: dict[str, str], error: str) -> None:
    """Where the way back is known to be the client's."""
    shown = sign_ins.call.bare(
        "GET",
        f"{LOGIN}/common/oauth2/v2.0/authorize",
        params={
            "client_id": AZURE_CLI,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": OFFLINE,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        | changes,
    )
    assert shown.status_code == 303
    assert parse_qs(urlsplit(shown.headers["location"]).query)["error"] == [error]


def test_a_device_is_let_in_by_its_code(sign_ins: SignIns, clock: FakeClock) -> None:
    """It asks at its pace until the user has entered the code; then it gets tokens, once."""
    started = sign_ins.ask("oauth2/v2.0/devicecode", scope=OFFLINE).json()
    polling = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": started["device_code"]}
    assert sign_ins.refused(**polling)[1] == "authorization_pending"
    assert sign_ins.refused(**polling)[1] == "slow_down"
    clock.advance(timedelta(seconds=11))
    assert sign_ins.refused(**polling)[1] == "authorization_pending"
    _, fields, headers = sign_ins.page("/device", {})
    shown = sign_ins.call.bare("POST", f"{LOGIN}/device", data=fields | {"user_code": "bcd-fgh-jkl"}, headers=headers)
    assert shown.status_code == 400
    code = started["user_code"].lower()
    shown = sign_ins.call.bare("POST", f"{LOGIN}/device", data=fields | {"user_code": code}, headers=headers)
    assert "Microsoft Azure CLI" in shown.text
    filled = {"answer": "sign-in", "login": NAME, "passwd": PASSWORD}
    assert sign_ins.call.bare("POST", f"{LOGIN}/device", data=carried(shown) | filled).status_code == 400  # no cookie
    done = sign_ins.call.bare("POST", f"{LOGIN}/device", data=carried(shown) | filled, headers=headers)
    assert done.status_code == 200
    assert claims_of(sign_ins.token(**polling)["access_token"])["oid"] == sign_ins.user.object_id
    assert sign_ins.refused(**polling)[1:] == ("invalid_grant", 70000)


def test_a_device_is_turned_away_or_too_late(sign_ins: SignIns, clock: FakeClock) -> None:
    """The user declines, or nobody comes."""
    one, other = (sign_ins.ask("oauth2/v2.0/devicecode", scope=OFFLINE).json() for _ in range(2))
    _, fields, headers = sign_ins.page("/device", {})
    declined = fields | {"user_code": one["user_code"], "answer": "cancel"}
    assert sign_ins.call.bare("POST", f"{LOGIN}/device", data=declined, headers=headers).status_code == 200
    assert sign_ins.refused(grant_type="device_code", device_code=one["device_code"])[1] == "access_denied"
    clock.advance(timedelta(minutes=15))
    assert sign_ins.refused(grant_type="device_code", device_code=other["device_code"])[1] == "expired_token"


def test_the_key_that_signs_is_followed_by_another(sign_ins: SignIns, clock: FakeClock) -> None:
    """What the older one has signed holds until it expires; then the key is gone from memory, from the set and the database."""
    world, keys = sign_ins.world, sign_ins.world.house.sign_in.signing_keys
    token = world.token()

    def status(bearer: str) -> int:
        return sign_ins.call.bare("GET", f"/secrets?{VERSION}", headers={"Authorization": f"Bearer {bearer}"}).status_code

    def kids() -> list[str]:
        found = sign_ins.call.bare("GET", f"{LOGIN}/{world.tenant}/discovery/v2.0/keys").json()
        return [key["kid"] for key in found["keys"]]

    assert status(token) == 200
    made = keys.rotate()
    assert jwt.get_unverified_header(world.token())["kid"] == made.id
    assert status(token) == status(world.token()) == 200
    assert len(kids()) == 2
    clock.advance(timedelta(hours=1, minutes=3))
    assert status(token) == 401
    assert kids() == [made.id]
    rounds = Rounds(world.house, "test-worker")
    assert rounds.run("signing-keys", clock()) == 1
    clock.advance(timedelta(days=90))
    assert rounds.run("signing-keys", clock()) == 1
    assert kids() != [made.id]


def test_a_token_ends_with_the_application_that_it_was_given_to(sign_ins: SignIns) -> None:
    """Only what everybody knows, az say, need not be in the directory."""
    claims = claims_of(sign_ins.by_password().json()["access_token"])
    world = sign_ins.world
    for client_id, message in ((AZURE_CLI, None), ("22222222-2222-2222-2222-222222222222", "application that is no longer")):
        token = world.house.directory.sign(world.tenant, claims | {"appid": client_id, "azp": client_id})
        answer = sign_ins.call("GET", "/secrets", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == (403 if message is None else 401)
        assert message is None or message in answer.json()["error"]["message"]
