"""Whatever is asked for, done, refused or broken: no value that is secret is in the log, in any form, even at debug."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from certworker.crypto.keys import generate_key
from certworker.settings import IdentitySettings
from certworker.vault.audit.record import AuditRecord
from certworker.vault.rights.caller import Caller as Who
from certworker.vault.sign_in.known_clients import AZURE_CLI
from certworker.worker.rounds import Rounds
from tests.api.world import SELF_SIGNED, VERSION, Caller, World, open_world
from tests.support.clock import FakeClock
from tests.support.heard import Heard, hearing
from tests.support.parcels import a_parcel

LOGIN: Final = "https://login.localhost:8443"
VALUE: Final = 'a value\n"that" /nobody/ + reads % in \\ a lög'
PASSWORD: Final = "correct Horse & battery 7"
GUESS: Final = "a wrong guess, nearly right"
ISSUER_PASSWORD: Final = "kid:Qk9TS1mYWtlLUhNQUMta2V5LW9mLWEtQ0E"
PLAINTEXT: Final = b"a plaintext \x00\xff that nobody reads"


@dataclass
class Secrets:
    """A deployment, and all that was secret in what it was asked and what it answered."""

    call: Caller
    heard: Heard
    found: list[str | bytes] = field(default_factory=list)

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:  # noqa: ANN401 - JSON
        """Ask for something that comes of it as it should."""
        answer = self.call(method, path, body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def sign_in(self, **form: str) -> httpx.Response:
        """Ask for a token; every value of what is sent is secret, and every token of what is answered."""
        answer = self.call.bare("POST", f"{LOGIN}/{self.call.world.tenant}/oauth2/v2.0/token", data=form)
        hidden = ("client_secret", "password", "client_assertion", "refresh_token", "code", "device_code")
        self.found += [form[name] for name in hidden if name in form]
        self.found += [value for name, value in answer.json().items() if name.endswith("_token")]
        return answer


@pytest.fixture
def secrets(tmp_path: Path, clock: FakeClock) -> Iterator[Secrets]:
    """Give a deployment with a user, whose log is searched in the end."""
    with open_world(tmp_path, clock, identity=IdentitySettings(password_grant=True)) as world, hearing() as heard:
        administrator = Who(world.administrator.object_id, world.administrator.client_id, world.tenant)
        world.house.identities.users.create(administrator, {"user_name": "ada@contoso.test", "display_name": "Ada"}, PASSWORD)
        secrets = Secrets(Caller(world), heard, [PASSWORD, world.client_secret, world.token()])
        yield secrets
        heard.check_silent_about(*secrets.found)


def numbers_of(key: bytes) -> dict[str, str]:
    """Write an EC key as a JWK."""
    loaded = load_der_private_key(key, None)
    assert isinstance(loaded, EllipticCurvePrivateKey)
    numbers = loaded.private_numbers()
    public = numbers.public_numbers
    parts = {"d": numbers.private_value, "x": public.x, "y": public.y}
    return {name: _text(number.to_bytes(32)) for name, number in parts.items()}


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "said",
    [
        VALUE,
        VALUE.encode(),
        VALUE.encode().hex(),
        quote(VALUE),
        base64.b64encode(b"." + VALUE.encode() + b"..").decode(),
        base64.urlsafe_b64encode(b".." + VALUE.encode()).decode(),
        {"value": VALUE},
    ],
)
def test_the_search_finds_what_is_said(said: object) -> None:
    """In whatever form somebody lets it slip."""
    with hearing() as heard:
        logging.getLogger("certworker.careless").debug("It is %s.", said)
    with pytest.raises(AssertionError, match="secret 0 is in the log"):
        heard.check_silent_about(VALUE)


def test_of_secrets(secrets: Secrets) -> None:
    """Set, read, listed, backed up, deleted and restored; and what is refused for its body, its query or its header."""
    secrets.found += [VALUE]
    secrets("PUT", "/secrets/one", {"value": VALUE, "contentType": "text/plain"})
    assert secrets("GET", "/secrets/one")["value"] == VALUE
    secrets("GET", "/secrets")
    secrets.found += [backup := secrets("POST", "/secrets/one/backup")["value"]]
    secrets("DELETE", "/secrets/one")
    secrets("DELETE", "/deletedsecrets/one", status=204)
    secrets("POST", "/secrets/restore", {"value": backup})
    for method, path, body in (
        ("PUT", "/secrets/two", {"value": [VALUE]}),
        ("PUT", "/secrets/two", {"value": VALUE, "attributes": {"exp": VALUE}}),
        ("PUT", "/secrets/bad_name", {"value": VALUE}),
        ("POST", "/secrets/restore", {"value": backup[:-9] + "AAAAAAAAA"}),
        ("GET", f"/secrets?{VERSION}&maxresults={quote(VALUE)}", None),
    ):
        assert secrets.call(method, path, body).status_code == 400
    for headers in ({"Authorization": f"Bearer {quote(VALUE)}"}, {"X-Secret": "x", "Authorization": f"Basic {backup[:90]}"}):
        assert secrets.call("GET", "/secrets/one", headers=headers).status_code == 401


def test_of_keys(secrets: Secrets) -> None:
    """Imported, used, backed up and restored; and what cannot be imported or deciphered."""
    key = generate_key("EC", None, "P-256")
    jwk = numbers_of(key)
    secrets.found += [jwk["d"], base64.urlsafe_b64decode(jwk["d"] + "="), PLAINTEXT]
    secrets("PUT", "/keys/brought", {"key": {"kty": "EC", "crv": "P-256", **jwk}})
    secrets("POST", "/keys/own/create", {"kty": "RSA"})
    sealed = secrets("POST", "/keys/own/encrypt", {"alg": "RSA-OAEP-256", "value": _text(PLAINTEXT)})["value"]
    opened = secrets("POST", "/keys/own/decrypt", {"alg": "RSA-OAEP-256", "value": sealed})["value"]
    assert opened == _text(PLAINTEXT)
    wrapped = secrets("POST", "/keys/own/wrapkey", {"alg": "RSA-OAEP-256", "value": _text(PLAINTEXT)})["value"]
    secrets("POST", "/keys/own/unwrapkey", {"alg": "RSA-OAEP-256", "value": wrapped})
    secrets.found += [backup := secrets("POST", "/keys/brought/backup")["value"]]
    secrets("DELETE", "/keys/brought")
    secrets("DELETE", "/deletedkeys/brought", status=204)
    secrets("POST", "/keys/restore", {"value": backup})
    for method, path, body in (
        ("PUT", "/keys/broken", {"key": {"kty": "EC", "crv": "P-256", **jwk, "x": jwk["d"]}}),
        ("PUT", "/keys/broken", {"key": {"kty": "RSA", "crv": "P-384", **jwk}}),
        ("POST", "/keys/own/encrypt", {"alg": _text(PLAINTEXT), "value": _text(PLAINTEXT)}),
        ("POST", "/keys/own/decrypt", {"alg": "RSA-OAEP-256", "value": _text(PLAINTEXT)}),
        ("POST", "/keys/restore", {"value": backup[:-9] + "AAAAAAAAA"}),
    ):
        assert secrets.call(method, path, body).status_code == 400


def test_of_certificates_and_issuers(secrets: Secrets, clock: FakeClock) -> None:
    """Created, issued, renewed, imported with and without a password; an issuer's password; what does not open."""
    secrets.found += [ISSUER_PASSWORD, PASSWORD, GUESS]
    issuer = {"provider": "scripted", "credentials": {"account_id": "us", "pwd": ISSUER_PASSWORD}}
    secrets("PUT", "/certificates/issuers/ca", issuer)
    secrets("POST", "/certificates/own/create", {"policy": SELF_SIGNED}, 202)
    secrets("POST", "/certificates/issued/create", {"policy": SELF_SIGNED | {"issuer": {"name": "ca"}}}, 202)
    parcel = a_parcel()
    secrets.found += [parcel.key, parcel.key_pem().decode()]
    pem = {"value": parcel.pem(), "policy": {"secret_props": {"contentType": "application/x-pem-file"}}}
    secrets("POST", "/certificates/brought/import", pem)
    secrets("POST", "/certificates/closed/import", {"value": parcel.pfx(PASSWORD), "pwd": PASSWORD})
    for value, password in ((parcel.pfx(PASSWORD), GUESS), (parcel.pem(password=PASSWORD), GUESS), ("QUJD" * 9, GUESS)):
        assert secrets.call("POST", "/certificates/x/import", {"value": value, "pwd": password}).status_code == 400
    assert secrets.call("PUT", "/certificates/issuers/other", {"provider": 1, **issuer}).status_code < 500
    for days in (0, 300):  # in which the issued one is renewed
        clock.advance(timedelta(days=days))
        Rounds(secrets.call.world.house).run_due(clock())
    secrets.found += [secrets("GET", f"/secrets/{name}")["value"] for name in ("own", "issued", "brought", "closed")]
    assert any("CertificateNewVersionCreated" in line and '"issuer":"ca"' in line for line in secrets.heard.lines)


def test_of_tokens(secrets: Secrets) -> None:
    """Every grant, with what is right and with what is wrong."""
    world, scope = secrets.call.world, "https://vault.localhost:8443/.default"
    client = {"client_id": world.administrator.client_id, "scope": scope, "grant_type": "client_credentials"}
    assertion = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    user = {"client_id": AZURE_CLI, "scope": f"{scope} openid offline_access", "grant_type": "password"}
    named = {"username": "ada@contoso.test"}
    assert secrets.sign_in(**client, client_secret=world.client_secret).status_code == 200
    assert secrets.sign_in(**client, client_secret=GUESS).status_code == 401
    assert secrets.sign_in(**client, **assertion, client_assertion=world.token()).status_code >= 400
    assert secrets.sign_in(**(client | {"client_id": GUESS}), client_secret=GUESS).status_code >= 400
    assert secrets.sign_in(**user, **named, password=GUESS).status_code == 400
    assert secrets.sign_in(**user, username=PASSWORD, password=PASSWORD).status_code == 400
    refresh = secrets.sign_in(**user, **named, password=PASSWORD).json()["refresh_token"]
    going_on = user | {"grant_type": "refresh_token"}
    assert secrets.sign_in(**going_on, refresh_token=refresh).status_code == 200
    assert secrets.sign_in(**going_on, refresh_token=refresh[:-4] + "AAAA").status_code == 400
    page = f"{LOGIN}/{world.tenant}/oauth2/v2.0/authorize"
    assert secrets.call.bare("GET", page, params={"client_id": GUESS, "login_hint": PASSWORD}).status_code >= 400


@dataclass
class BrokenTrail:
    """A log of this process that breaks in a way that nobody foresaw, with a value in its words."""

    raised: Callable[[], Exception]

    def append(self, record: AuditRecord) -> None:  # noqa: ARG002 - the port's
        """Break."""
        raise self.raised()

    def try_out(self) -> None:
        """Break."""
        raise self.raised()


def _nested() -> Exception:
    try:
        json.loads(f"[{VALUE!r}")
    except ValueError as error:
        error.add_note(VALUE)
        return RuntimeError(VALUE, {"password": PASSWORD}, error)
    raise AssertionError("it is no JSON")


@pytest.mark.parametrize("raised", [lambda: KeyError(VALUE), lambda: OSError(5, VALUE, VALUE), _nested])
def test_of_what_nobody_foresaw(world: World, raised: Callable[[], Exception]) -> None:
    """Kind and place of an exception are told, and no word of it."""
    with hearing() as heard:
        broken = Caller(replace(world, house=replace(world.house, trail=BrokenTrail(raised))))
        assert broken("GET", "/secrets").status_code == 500
    assert any(f'"exception":"{type(raised()).__name__}' in line for line in heard.lines)
    heard.check_silent_about(VALUE, PASSWORD, world.client_secret)
