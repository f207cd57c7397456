"""External accounts: what binds a new account, and what does not (RFC 8555 section 7.3.4)."""

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ca_sim.acme.jose import decode, encode, public_jwk
from ca_sim.clock import utc_now
from ca_sim.server import Running, serve_in_thread
from ca_sim.settings import Settings, SettingsError, read
from tests.ca_sim.caller import Caller, assert_problem, calling, make_key
from tests.ca_sim.conftest import settings_for
from tests.ca_sim.responder import Responder

KEYS = {f"kid-{number}": encode(hashlib.sha512(str(number).encode()).digest()) for number in range(8)}
HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def with_accounts(responder: Responder, *, required: bool = True, **changed: object) -> Settings:
    """Make the settings of an authority that has external accounts."""
    acme = {"external_account_required": required, "external_accounts": KEYS} | changed.pop("acme", {})  # type: ignore[operator]
    return settings_for(responder, acme=acme, **changed)


def bind(
    client: Caller, kid: str, *, algorithm: str = "HS256", mac_key: str = "", jwk: object = None, **header: object
) -> dict[str, str]:
    """Make the binding of a client's key; what is given differs from what is right, None leaves a member out."""
    right = {"alg": algorithm, "kid": kid, "url": client.directory["newAccount"]}
    members = {name: value for name, value in (right | header).items() if value is not None}
    protected = encode(json.dumps(members).encode())
    payload = encode(json.dumps(jwk or public_jwk(client.key.public_key())).encode())
    key = decode(mac_key or KEYS.get(kid, KEYS["kid-0"]), "the key")
    mac = hmac.digest(key, f"{protected}.{payload}".encode(), HASHES.get(algorithm, "sha256"))
    return {"protected": protected, "payload": payload, "signature": encode(mac)}


@pytest.fixture(scope="module")
def demanding(responder: Responder) -> Iterator[Running]:
    """Serve an authority that wants external accounts."""
    with serve_in_thread(with_accounts(responder), utc_now) as authority:
        yield authority


@pytest.mark.parametrize(("kid", "algorithm"), list(zip(KEYS, HASHES, strict=False)))
def test_a_bound_account_shows_its_binding(
    demanding: Running, responder: Responder, kid: str, algorithm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The account is made, echoes the binding as it came, and orders; the MAC key is in no line of the log."""
    with caplog.at_level(logging.DEBUG, "ca_sim"), calling(demanding) as client:
        assert client.directory["meta"]["externalAccountRequired"] is True
        binding = bind(client, kid, algorithm=algorithm)
        answer = client.register(externalAccountBinding=binding)
        assert answer.status_code == 201, answer.text
        assert answer.json()["externalAccountBinding"] == binding
        assert client.post(client.kid).json()["externalAccountBinding"] == binding
        assert client.register().status_code == 200  # an account that is there is found without a binding
        assert client.issue(responder, "bound.test")
    assert kid in caplog.text
    assert KEYS[kid] not in caplog.text


def test_without_a_binding_there_is_no_account(demanding: Running) -> None:
    """The problem says what is missing."""
    with calling(demanding) as client:
        assert_problem(client.register(), "externalAccountRequired", 403)


@pytest.mark.parametrize(
    ("wrong", "word", "status"),
    [
        ({"kid": "kid-unknown"}, "unauthorized", 403),
        ({"mac_key": KEYS["kid-6"]}, "unauthorized", 403),
        ({"url": "https://localhost/acme/new-account"}, "malformed", 400),
        ({"nonce": "abc"}, "malformed", 400),
        ({"kid": None}, "malformed", 400),
        ({"kid": 7}, "malformed", 400),
        ({"jwk": public_jwk(make_key().public_key())}, "malformed", 400),
        ({"jwk": [1]}, "malformed", 400),
        ({"algorithm": "ES256"}, "badSignatureAlgorithm", 400),
        ({"algorithm": "none"}, "badSignatureAlgorithm", 400),
    ],
    ids=["kid", "mac", "url", "nonce", "no kid", "kid's type", "another key", "no key", "a signature", "no signature"],
)
def test_a_wrong_binding_makes_no_account(demanding: Running, wrong: dict[str, object], word: str, status: int) -> None:
    """Each check refuses, and the external account stays free."""
    with calling(demanding) as client:
        arguments = {"kid": "kid-5", **{name: value for name, value in wrong.items() if name != "kid"}}
        binding = bind(client, **arguments) if "kid" not in wrong else _bind_as(client, wrong["kid"])  # type: ignore[arg-type]
        assert_problem(client.register(externalAccountBinding=binding), word, status)
        assert_problem(client.register(onlyReturnExisting=True), "accountDoesNotExist", 400)


def _bind_as(client: Caller, kid: object) -> dict[str, str]:
    """Bind with what may be no key identifier at all."""
    if isinstance(kid, str):
        return bind(client, kid)
    header = {"alg": "HS256", "url": client.directory["newAccount"]} | ({} if kid is None else {"kid": kid})
    protected, payload = encode(json.dumps(header).encode()), encode(json.dumps(public_jwk(client.key.public_key())).encode())
    mac = hmac.digest(decode(KEYS["kid-5"], "the key"), f"{protected}.{payload}".encode(), "sha256")
    return {"protected": protected, "payload": payload, "signature": encode(mac)}


@pytest.mark.parametrize("binding", ["text", {"payload": "x"}, {"protected": "e30", "payload": "!", "signature": ""}])
def test_what_is_no_jws_is_refused(demanding: Running, binding: object) -> None:
    """What cannot be read is malformed, or has no algorithm that is taken."""
    with calling(demanding) as client:
        answer = client.register(externalAccountBinding=binding)
        assert answer.status_code == 400
        assert answer.json()["type"].rpartition(":")[2] in {"malformed", "badSignatureAlgorithm"}


def test_an_external_account_binds_one_account_at_a_time(demanding: Running) -> None:
    """A second account is refused until the first one is deactivated; a change of its key does not free it."""
    with calling(demanding) as first, calling(demanding) as second:
        assert first.register(externalAccountBinding=bind(first, "kid-4")).status_code == 201
        assert_problem(second.register(externalAccountBinding=bind(second, "kid-4")), "unauthorized", 403)
        first.post(first.kid, {"status": "deactivated"})
        assert second.register(externalAccountBinding=bind(second, "kid-4")).status_code == 201


def test_a_binding_is_optional_unless_it_is_required(responder: Responder, running: Running) -> None:
    """Without external accounts it is not looked at and not reflected; with some it must be right all the same."""
    with calling(running) as client:
        assert client.directory["meta"]["externalAccountRequired"] is False
        answer = client.register(externalAccountBinding=bind(client, "kid-0", mac_key=KEYS["kid-1"]))
        assert answer.status_code == 201
        assert "externalAccountBinding" not in answer.json()
    with serve_in_thread(with_accounts(responder, required=False), utc_now) as authority, calling(authority) as client:
        wrong = bind(client, "kid-0", mac_key=KEYS["kid-1"])
        assert_problem(client.register(externalAccountBinding=wrong), "unauthorized", 403)
        assert client.register().status_code == 201


def test_accounts_outlive_keys_that_are_replaced_or_removed(tmp_path: Path, responder: Responder) -> None:
    """After a restart with other keys the accounts work on; new ones need a key of now."""
    keys = {name: make_key() for name in ("old", "new")}
    state = str(tmp_path / "state")
    with (
        serve_in_thread(with_accounts(responder, state_directory=state), utc_now) as authority,
        calling(authority, keys["old"]) as old,
    ):
        assert old.register(externalAccountBinding=bind(old, "kid-0")).status_code == 201
    later = with_accounts(
        responder, state_directory=state, acme={"external_accounts": {"kid-0": KEYS["kid-1"], "kid-2": KEYS["kid-2"]}}
    )
    with (
        serve_in_thread(later, utc_now) as authority,
        calling(authority, keys["old"]) as old,
        calling(authority, keys["new"]) as new,
    ):
        assert old.register().status_code == 200
        assert old.order("still.test").status_code == 201
        for kid, mac_key in (("kid-0", KEYS["kid-0"]), ("kid-3", KEYS["kid-3"]), ("kid-0", KEYS["kid-1"])):
            # the replaced key, a removed one, and the right one of an external account that binds another account
            assert_problem(new.register(externalAccountBinding=bind(new, kid, mac_key=mac_key)), "unauthorized", 403)
        assert new.register(externalAccountBinding=bind(new, "kid-2")).status_code == 201


@pytest.mark.parametrize(
    ("acme", "says"),
    [
        ({"external_accounts": {"a": "c2hvcnQ"}}, "the key has 5 bytes, fewer than 32"),
        ({"external_accounts": {"a": KEYS["kid-0"] + "="}}, "the key is not base64url without padding"),
        ({"external_accounts": {"": KEYS["kid-0"]}}, "at least 1 character"),
        ({"external_account_required": True}, "external_account_required needs external_accounts"),
        ({"external_accounts": {"a": KEYS["kid-0"]}, "issue_seconds": "x", "sede": 1}, "did you mean seed?"),
    ],
)
def test_mistakes_are_told_without_the_key(acme: dict[str, object], says: str) -> None:
    """The line says what would be right, and neither it, its cause nor the settings show a MAC key."""
    with pytest.raises(SettingsError) as caught:
        read({"acme": acme})
    assert says in str(caught.value)
    for secret in ("c2hvcnQ", KEYS["kid-0"]):
        assert secret not in f"{caught.value}{caught.value.__cause__}"
    assert KEYS["kid-0"] not in repr(read({"acme": {"external_accounts": {"a": KEYS["kid-0"]}}}))
