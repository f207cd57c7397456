"""Release of keys: a real authority over TLS, right attestations, and every wrong one."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event, Thread
from time import sleep
from typing import Any

import jwt
import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.keys import KeyClient, KeyReleasePolicy
from azure.keyvault.keys._shared import http_challenge_cache
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key

from certworker.api.app import build_app
from certworker.api.serve import BackgroundServer
from certworker.cli.sockets import bind, port_of
from certworker.worker.rounds import Rounds
from tests.api.releasing import (
    assert_refused,
    caller_of,
    create,
    encoded,
    hs256,
    open_release_world,
    parts,
    release,
    seconds,
    self_signed,
    told,
    unsigned,
    wrapped_key,
)
from tests.api.world import SELF_SIGNED, Caller, TestAuthority, World
from tests.support.attester import KID, Attester, policy_for, public_jwk, running_attester, target_jwk, unwrap
from tests.support.clock import FakeClock

UNVERIFIED = "Target environment attestation statement cannot be verified."
UNMET = "Target environment attestation does not meet key release policy requirements."
SHA_1 = SHA1()  # noqa: S303 - what Key Vault wraps with unless told otherwise
OCTETS = bytes(range(32))


@pytest.fixture(scope="module")
def signer() -> rsa.RSAPrivateKey:
    """Give the key that the authority signs with."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def attester(authority: TestAuthority, signer: rsa.RSAPrivateKey) -> Iterator[Attester]:
    """Run an attestation authority."""
    with running_attester(authority, signer) as attester:
        yield attester


@pytest.fixture
def world(tmp_path: Path, clock: FakeClock, authority: TestAuthority, attester: Attester) -> Iterator[World]:
    """Give a deployment that believes the authority."""
    with open_release_world(tmp_path, clock, authority.bundle, (attester.url + "/",)) as world:
        yield world


@pytest.fixture(scope="module")
def target() -> rsa.RSAPrivateKey:
    """Give the key that an environment holds."""
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    ("enc", "digest"),
    [(None, SHA_1), ("CKM_RSA_AES_KEY_WRAP", SHA_1), ("RSA_AES_KEY_WRAP_256", SHA256()), ("RSA_AES_KEY_WRAP_384", SHA384())],
)
def test_a_key_is_released(
    call: Caller, attester: Attester, target: rsa.RSAPrivateKey, enc: str | None, digest: HashAlgorithm
) -> None:
    """The environment unwraps the very key that the vault shows; the answer is signed, and tells what was asked."""
    made = create(call, attester)
    token = attester.attest(call.world.clock(), target)
    content = parts(release(call, token, nonce="fresh", **({"enc": enc} if enc else {})), call.world)
    wrapping = enc or "CKM_RSA_AES_KEY_WRAP"
    kid = f"{call.world.vault_url}/keys/secret-key"
    assert content["request"] == {"api-version": "2026-04-01", "enc": wrapping, "kid": kid, "nonce": "fresh"}
    wrapped, header = wrapped_key(content)
    assert header == {"kid": "TpmEphemeralEncryptionKey", "alg": "dir", "enc": wrapping}
    shown = content["response"]["key"]
    del shown["key"]["key_hsm"]
    assert shown == made
    private = load_der_private_key(unwrap(target, wrapped, digest), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert public_jwk(private)["x"] == made["key"]["x"]
    (event,) = told(call.world)
    assert event["authority"] == attester.url
    assert event["object_id"] == call.world.administrator.object_id


@pytest.mark.parametrize("kty", ["RSA", "oct"])
def test_keys_of_every_kind_are_released(call: Caller, attester: Attester, target: rsa.RSAPrivateKey, kty: str) -> None:
    """RSA as PKCS#8, longer than RSA alone could wrap; and an imported oct key as its octets, by version."""
    if kty == "RSA":
        made = create(call, attester, kty="RSA", key_size=3072)
    else:
        k = base64.urlsafe_b64encode(OCTETS).decode().rstrip("=")
        settings = {"attributes": {"exportable": True}, "release_policy": {"data": encoded(policy_for(attester.url))}}
        made = call("PUT", "/keys/secret-key", {"key": {"kty": "oct", "k": k}, **settings}).json()
    version = made["key"]["kid"].rpartition("/")[2]
    token = attester.attest(call.world.clock(), target)
    content = parts(release(call, token, f"/keys/Secret-Key/{version}/release"), call.world)
    assert content["request"]["kid"] == made["key"]["kid"]
    opened = unwrap(target, wrapped_key(content)[0], SHA_1)
    if kty == "oct":
        assert opened == OCTETS
    else:
        private = load_der_private_key(opened, None)
        assert isinstance(private, rsa.RSAPrivateKey)
        assert public_jwk(private)["n"] == made["key"]["n"]


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"])
def test_every_algorithm_of_a_signature_holds(
    call: Caller, attester: Attester, target: rsa.RSAPrivateKey, algorithm: str
) -> None:
    """Whatever an authority signs with, as long as others can prove it by a public key."""
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    if algorithm in curves:
        attester.keys[KID] = ec.generate_private_key(curves[algorithm])
    create(call, attester)
    token = attester.attest(call.world.clock(), target, algorithm=algorithm)
    assert release(call, token).status_code == 200


def test_keys_shown_by_certificates_are_read(call: Caller, attester: Attester, target: rsa.RSAPrivateKey) -> None:
    """Azure Attestation shows its keys as certificates; and where there is no discovery, its keys are looked for at /certs."""
    der = base64.b64encode(self_signed(attester.keys[KID])).decode()
    attester.answers["/.well-known/openid-configuration"] = (404, b"")
    attester.answers["/certs"] = (200, json.dumps({"keys": [{"kty": "RSA", "kid": KID, "x5c": [der]}]}).encode())
    create(call, attester)
    assert release(call, attester.attest(call.world.clock(), target)).status_code == 200


Wrong = Callable[[Attester, FakeClock, rsa.RSAPrivateKey], str]
STRANGER = rsa.generate_private_key(65537, 2048)
SMALL = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what is refused


WRONG: dict[str, tuple[int, str, Wrong]] = {
    "another key": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, key=STRANGER)),
    "unknown kid": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, kid="unknown")),
    "no kid": (400, "The attestation (target)", lambda a, c, t: a.attest(c(), t, kid=None)),
    "alg none": (400, "The attestation (target)", unsigned),
    "alg HS256": (400, "The attestation (target)", hs256),
    "no signature": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t).rpartition(".")[0] + "."),
    "another algorithm": (
        403,
        UNVERIFIED,
        lambda a, c, t: a.attest(c(), t, algorithm="ES256", key=ec.generate_private_key(ec.SECP256R1())),
    ),
    "expired": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"exp": seconds(c, seconds=-60)})),
    "stale": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"iat": seconds(c, seconds=-361)})),
    "of the future": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"iat": seconds(c, seconds=61)})),
    "not valid yet": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"nbf": seconds(c, seconds=61)})),
    "no exp": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"exp": None})),
    "no iat": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"iat": None})),
    "exp as text": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"exp": "9999999999"})),
    "exp beyond time": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"exp": 10**30})),
    "another issuer": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"iss": "https://other.example"})),
    "issuer that is none": (400, "The attestation (target)", lambda a, c, t: a.attest(c(), t, {"iss": None})),
    "claims that do not fit": (403, UNMET, lambda a, c, t: a.attest(c(), t, {"x-ms-isolation-tee": {}})),
    "no runtime": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"x-ms-runtime": None})),
    "keys that are none": (403, UNVERIFIED, lambda a, c, t: a.attest(c(), t, {"x-ms-runtime": {"keys": "none"}})),
    "a key for signatures": (
        403,
        UNVERIFIED,
        lambda a, c, t: a.attest(c(), t, {"x-ms-runtime": {"keys": [target_jwk(t, key_ops=["verify"])]}}),
    ),
    "a small key": (
        403,
        UNVERIFIED,
        lambda a, c, _: a.attest(c(), STRANGER, {"x-ms-runtime": {"keys": [target_jwk(SMALL)]}}),
    ),
    "no token": (400, "The attestation (target)", lambda _a, _c, _t: "not.a.token"),
    "nothing": (400, "The attestation (target)", lambda _a, _c, _t: ""),
    "too long": (400, "The attestation (target)", lambda _a, _c, _t: "e" * 70_000),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_attestation_is_refused(call: Caller, attester: Attester, target: rsa.RSAPrivateKey, wrong: str) -> None:
    """In Key Vault's words, with what is wrong behind them; and a right one counts afterwards."""
    create(call, attester)
    status, message, make = WRONG[wrong]
    assert_refused(release(call, make(attester, call.world.clock, target)), status, message, call.world)
    assert release(call, attester.attest(call.world.clock(), target)).status_code == 200


def test_an_attestation_counts_once(call: Caller, attester: Attester, target: rsa.RSAPrivateKey) -> None:
    """It is refused the second time, for another key too, and though its signature was written in another way."""
    attester.keys[KID] = ec.generate_private_key(ec.SECP256R1())
    create(call, attester)
    create(call, attester, "other")
    token = attester.attest(call.world.clock(), target, algorithm="ES256")
    assert release(call, token).status_code == 200
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    turned = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    again = f"{signed}.{base64.urlsafe_b64encode(turned).decode().rstrip('=')}"
    for replay in (token, again):
        for name in ("secret-key", "other"):
            answer = release(call, replay, f"/keys/{name}/release")
            assert answer.status_code == 403
            assert "it was used before" in answer.json()["error"]["message"]
    assert len(told(call.world)) == 1


def test_of_two_at_once_one_is_answered(call: Caller, attester: Attester, target: rsa.RSAPrivateKey) -> None:
    """However many use one attestation at the same moment."""
    create(call, attester)
    house, vault = call.world.house, call.world.vault
    token = attester.attest(call.world.clock(), target)
    results: list[str] = []
    caller = caller_of(call.world)
    gate = Barrier(4)

    def try_() -> None:
        gate.wait()
        try:
            house.releases.release(caller, vault, "secret-key", None, token)
            results.append("released")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
            results.append(type(error).__name__)

    threads = [Thread(target=try_) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["AttestationRefused"] * 3 + ["released"]
    assert len(told(call.world)) == 1


def test_used_attestations_are_forgotten_when_they_have_expired(
    call: Caller, attester: Attester, target: rsa.RSAPrivateKey
) -> None:
    """The worker takes them down, no sooner than nobody could use them any more."""
    create(call, attester)
    release(call, attester.attest(call.world.clock(), target))
    rounds = Rounds(call.world.house, "test-worker")
    assert rounds.run("clearance", call.world.clock()) == 0
    assert rounds.run("clearance", call.world.clock() + timedelta(hours=9)) == 1


def test_an_attestation_does_not_count_again_at_its_end(call: Caller, attester: Attester, target: rsa.RSAPrivateKey) -> None:
    """Where clocks may be a little apart, it is remembered for as long as it would be taken."""
    create(call, attester)
    clock = call.world.clock
    token = attester.attest(clock(), target, {"exp": seconds(clock, seconds=10)})
    assert release(call, token).status_code == 200
    clock.advance(timedelta(seconds=60))
    Rounds(call.world.house, "test-worker").run("clearance", clock())
    assert "it was used before" in release(call, token).json()["error"]["message"]
    clock.advance(timedelta(seconds=10))
    assert "it has expired" in release(call, token).json()["error"]["message"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attributes": {"enabled": False}}, "Operation release is not allowed on a disabled key."),
        ({"attributes": {"exp": 1_767_225_601}}, "Operation release is not allowed on an expired key."),
        ({"attributes": {"nbf": 1_767_326_000}}, "Operation release is not allowed on a key that is not yet valid."),
    ],
)
def test_a_key_outside_its_time_stays(
    call: Caller, attester: Attester, target: rsa.RSAPrivateKey, settings: dict[str, Any], message: str
) -> None:
    """Disabled, expired or not valid yet, it is not released."""
    create(call, attester, **settings)
    call.world.clock.advance(timedelta(seconds=5))
    assert_refused(release(call, attester.attest(call.world.clock(), target)), 403, message, call.world)


def test_a_key_that_may_not_leave_stays(call: Caller, attester: Attester, target: rsa.RSAPrivateKey) -> None:
    """One that is not exportable, one of a certificate, a deleted one, one that there is not; and without permission none."""
    call("POST", "/keys/plain/create", {"kty": "EC"})
    call.create("web", SELF_SIGNED)
    create(call, attester, "gone")
    call("DELETE", "/keys/gone")
    create(call, attester)
    token = attester.attest(call.world.clock(), target)
    for name in ("plain", "web"):
        assert_refused(release(call, token, f"/keys/{name}/release"), 403, "Operation release is not permitted", call.world)
    for name in ("gone", "none"):
        assert release(call, token, f"/keys/{name}/release").status_code == 404
    nobody, _ = call.world.add_principal("nobody", administrator=False)
    bearer = {"Authorization": f"Bearer {call.world.token(nobody)}"}
    answer = call("POST", "/keys/secret-key/release", {"target": token}, headers=bearer)
    assert answer.status_code == 403
    assert "Microsoft.KeyVault/vaults/keys/release/action" in answer.json()["error"]["message"]
    assert attester.asked == {}, "nobody is asked about what cannot be"
    assert release(call, token).status_code == 200


def test_what_is_asked_must_be_right(call: Caller, attester: Attester, target: rsa.RSAPrivateKey) -> None:
    """An unknown wrapping, no target, a nonce without end."""
    create(call, attester)
    token = attester.attest(call.world.clock(), target)
    assert_refused(release(call, token, enc="RSA-OAEP"), 400, "enc has the value 'RSA-OAEP'", call.world)
    assert_refused(release(call, token, nonce="n" * 1025), 400, "nonce", call.world)
    assert call("POST", "/keys/secret-key/release", {}).status_code == 400
    assert release(call, token).status_code == 200


def test_the_settings_must_allow_an_authority(
    tmp_path: Path, clock: FakeClock, authority: TestAuthority, attester: Attester, target: rsa.RSAPrivateKey
) -> None:
    """A policy alone does not make anybody believed, nor asked."""
    with open_release_world(tmp_path, clock, authority.bundle, ("https://other.example",)) as world:
        call = Caller(world)
        create(call, attester)
        refused = release(call, attester.attest(clock(), target))
        assert_refused(refused, 403, UNVERIFIED, world)
        assert "release.authorities" in refused.text
        assert attester.asked == {}


def test_a_policy_must_be_one(call: Caller, attester: Attester) -> None:
    """It is looked at when the key is made, and when it is changed."""
    body = {"kty": "EC", "attributes": {"exportable": True}, "release_policy": {"data": encoded({"version": "1.0.0"})}}
    answer = call("POST", "/keys/k/create", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")
    create(call, attester)
    assert call("PATCH", "/keys/secret-key", {"release_policy": {"data": encoded([])}}).status_code == 400


Misbehave = Callable[[Attester], None]
DISCOVERY = "/.well-known/openid-configuration"


def say(path: str, content: bytes, status: int = 200) -> Misbehave:
    """Let the authority say something else."""
    return lambda attester: attester.answers.update({path: (status, content)})


MISBEHAVIOUR: dict[str, Misbehave] = {
    "huge": say("/certs", b'{"keys": [' + b" " * 300_000 + b"]}"),
    "many keys": say("/certs", json.dumps({"keys": [{"kid": str(n)} for n in range(200)]}).encode()),
    "no JSON": say(DISCOVERY, b"<html>"),
    "nested without end": say("/certs", b"[" * 100_000),
    "no object": say(DISCOVERY, b"[]"),
    "no key set": say("/certs", b'{"keys": {}}'),
    "no jwks_uri": say(DISCOVERY, b"{}"),
    "jwks_uri without TLS": say(DISCOVERY, b'{"jwks_uri": "http://localhost/certs"}'),
    "jwks_uri on a private address": say(DISCOVERY, b'{"jwks_uri": "https://127.0.0.1/certs"}'),
    "another issuer's": say(DISCOVERY, b'{"issuer": "https://other.example", "jwks_uri": "https://localhost/certs"}'),
    "an error": say(DISCOVERY, b"{}", 500),
    "a redirect": say(DISCOVERY, b"{}", 302),
}


@pytest.mark.parametrize("how", MISBEHAVIOUR)
def test_an_authority_that_misbehaves(call: Caller, attester: Attester, target: rsa.RSAPrivateKey, how: str) -> None:
    """It is a 503 that names the host, told again without asking for a minute; then a right answer is taken."""
    create(call, attester)
    token = attester.attest(call.world.clock(), target)
    MISBEHAVIOUR[how](attester)
    first = release(call, token)
    assert (first.status_code, first.json()["error"]["code"]) == (503, "ServiceUnavailable"), first.text
    asked = attester.asked.total()
    assert release(call, token).text == first.text
    assert attester.asked.total() == asked
    assert told(call.world) == []
    attester.answers.clear()
    call.world.clock.advance(timedelta(seconds=61))
    assert release(call, token).status_code == 200


def test_an_authority_that_is_slow(
    tmp_path: Path, clock: FakeClock, authority: TestAuthority, attester: Attester, target: rsa.RSAPrivateKey
) -> None:
    """Nobody waits for it longer than the settings say, nor soon again."""
    attester.gate = Event()
    with open_release_world(tmp_path, clock, authority.bundle, (attester.url,), patience=0.3) as world:
        call = Caller(world)
        create(call, attester)
        token = attester.attest(clock(), target)
        first = release(call, token)
        assert (first.status_code, first.json()["error"]["code"]) == (503, "ServiceUnavailable"), first.text
        asked = attester.asked.total()
        assert release(call, token).text == first.text
        assert attester.asked.total() == asked
    attester.gate.set()


def test_a_key_that_is_none_is_refused(call: Caller, attester: Attester, target: rsa.RSAPrivateKey) -> None:
    """What the authority shows under the right kid may be nonsense, weak, or for something else."""
    create(call, attester)
    right = {**public_jwk(attester.keys[KID]), "kid": KID}
    for jwk in (
        {"kid": KID},
        {"kid": KID, "kty": "oct", "k": "c2VjcmV0"},
        {**right, "use": "enc"},
        {**right, "alg": "RS512"},
        {**right, "n": "AQAB"},
        {**right, "n": 7},
        {**public_jwk(SMALL), "kid": KID},
        {"kid": KID, "kty": "RSA", "x5c": ["bm8="]},
        {"kid": KID, "kty": "RSA", "x5c": []},
    ):
        attester.answers["/certs"] = (200, json.dumps({"keys": [jwk, "none", {"kid": 1}]}).encode())
        call.world.clock.advance(timedelta(hours=1))
        assert_refused(release(call, attester.attest(call.world.clock(), target)), 403, UNVERIFIED, call.world)


def test_keys_are_kept_and_asked_for_again(call: Caller, attester: Attester, target: rsa.RSAPrivateKey) -> None:
    """One hour without asking; a new key of the authority is found a minute after the last look; an old one ends in time."""
    create(call, attester)
    clock = call.world.clock
    for _ in range(3):
        assert release(call, attester.attest(clock(), target)).status_code == 200
        clock.advance(timedelta(minutes=10))
    assert attester.asked["/certs"] == 1
    old, new = attester.keys[KID], rsa.generate_private_key(65537, 2048)
    attester.keys = {"the next key": new}
    assert release(call, attester.attest(clock(), target, kid="the next key", key=new)).status_code == 200
    assert attester.asked["/certs"] == 2
    assert release(call, attester.attest(clock(), target, key=old)).status_code == 403
    for _ in range(5):
        assert release(call, attester.attest(clock(), target, kid="made up", key=new)).status_code == 403
    assert attester.asked["/certs"] == 2, "made-up key ids do not make it ask"


def test_a_made_up_key_id_costs_no_keys(call: Caller, attester: Attester, target: rsa.RSAPrivateKey) -> None:
    """Where the authority does not answer then, its own keys count to the end of their hour, and no longer."""
    create(call, attester)
    clock = call.world.clock
    assert release(call, attester.attest(clock(), target)).status_code == 200
    attester.answers["/certs"] = (500, b"{}")
    clock.advance(timedelta(minutes=30))
    assert [release(call, attester.attest(clock(), target, kid=kid)).status_code for kid in ("made up", KID)] == [503, 200]
    clock.advance(timedelta(minutes=31))
    assert release(call, attester.attest(clock(), target)).status_code == 503


def test_many_ask_once(call: Caller, attester: Attester, target: rsa.RSAPrivateKey) -> None:
    """Releases that come together while nothing is known make one request between them."""
    create(call, attester)
    attester.gate = Event()
    tokens = [attester.attest(call.world.clock(), target, {"jti": str(number)}) for number in range(3)]
    released: list[str] = []
    who, house, vault = caller_of(call.world), call.world.house, call.world.vault

    def go(token: str) -> None:
        released.append(house.releases.release(who, vault, "secret-key", None, token).key.name)

    threads = [Thread(target=go, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    while not attester.asked:
        sleep(0.001)
    attester.gate.set()
    for thread in threads:
        thread.join()
    assert released == ["secret-key"] * 3
    assert attester.asked["/certs"] == 1


def test_the_sdk_releases(
    tmp_path: Path, clock: FakeClock, authority: TestAuthority, attester: Attester, target: rsa.RSAPrivateKey
) -> None:
    """Azure's own KeyClient makes an exportable key and has it released."""
    http_challenge_cache.clear()
    sockets = bind(("127.0.0.1",), 0, "tests")
    with open_release_world(tmp_path, clock, authority.bundle, (attester.url,), port=port_of(sockets)) as world:
        server = BackgroundServer(build_app(world.house), sockets, authority.context)
        server.start()
        try:
            released = release_by_sdk(world, authority, attester, target)
        finally:
            server.stop()
    http_challenge_cache.clear()
    content = jwt.decode(released, options={"verify_signature": False})
    wrapped, _ = wrapped_key(content)
    private = load_der_private_key(unwrap(target, wrapped, SHA256()), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    assert public_jwk(private)["n"] == content["response"]["key"]["key"]["n"]
    assert content["request"]["nonce"] == "fresh"


def release_by_sdk(world: World, authority: TestAuthority, attester: Attester, target: rsa.RSAPrivateKey) -> str:
    """Do it."""
    verify = {"connection_verify": str(authority.bundle)}
    credential = ClientSecretCredential(
        world.tenant,
        world.administrator.client_id,
        world.client_secret,
        authority=world.house.settings.authority,
        disable_instance_discovery=True,
        **verify,
    )
    policy = KeyReleasePolicy(json.dumps(policy_for(attester.url, secureboot=True)).encode())
    with credential, KeyClient(world.vault_url, credential, **verify) as client:
        key = client.create_rsa_key("released", exportable=True, release_policy=policy)
        assert key.properties.exportable
        assert key.properties.release_policy is not None
        token = attester.attest(world.clock(), target)
        result = client.release_key("released", token, algorithm="RSA_AES_KEY_WRAP_256", nonce="fresh")
    return str(result.value)
