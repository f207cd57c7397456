"""Tokens hold for as long as they say, and only those that we signed."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from certworker.crypto.keys import generate_key, public_der
from certworker.crypto.tokens import (
    SKEW_SECONDS,
    hash_secret,
    key_set,
    key_thumbprint,
    secret_matches,
    sign_token,
    token_key_id,
    verify_token,
)
from certworker.errors import Unauthenticated
from tests.support.clock import START

KEY = generate_key("RSA", 2048, None)
PUBLIC = public_der(KEY)
NOW = int(START.timestamp())
CLAIMS: dict[str, Any] = {"sub": "somebody", "nbf": NOW, "exp": NOW + 3600}


def part(value: object) -> str:
    """Write one part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_tells_its_claims_and_its_key() -> None:
    """What was signed is read, and the key set checks it for others."""
    token = sign_token(KEY, "key-1", CLAIMS)
    assert verify_token(token, PUBLIC, START) == CLAIMS
    assert token_key_id(token) == "key-1"
    others = jwt.PyJWKSet.from_dict(key_set({"key-1": PUBLIC}))["key-1"]
    assert jwt.decode(token, others, algorithms=["RS256"], options={"verify_exp": False, "verify_nbf": False}) == CLAIMS


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "None"}, {"typ": "JWT"}, {"alg": "HS256"}, {"alg": "RS512"}])
def test_another_algorithm_is_refused(header: dict[str, str]) -> None:
    """Neither none, nor one that takes the public key for a shared secret."""
    pem = load_der_public_key(PUBLIC).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (PUBLIC, pem, b""):
        signed = f"{part({**header, 'kid': 'key-1'})}.{part(CLAIMS)}"
        signature = base64.urlsafe_b64encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
        for token in (f"{signed}.{signature}", f"{signed}."):
            with pytest.raises(Unauthenticated):
                verify_token(token, PUBLIC, START)
            with pytest.raises(Unauthenticated):
                token_key_id(token)


def test_a_token_that_was_tampered_with_is_refused() -> None:
    """A changed claim, a changed signature, another key's signature."""
    head, _, signature = sign_token(KEY, "key-1", CLAIMS).split(".")
    changed = f"{head}.{part({**CLAIMS, 'sub': 'root'})}.{signature}"
    cut = f"{head}.{part(CLAIMS)}.{signature[:-8]}"
    foreign = sign_token(generate_key("RSA", 2048, None), "key-1", CLAIMS)
    for token in (changed, cut, foreign):
        with pytest.raises(Unauthenticated, match="signature is not valid"):
            verify_token(token, PUBLIC, START)


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "....", "é.é.é", "e30.e30.", "x" * 10_000])
def test_what_is_no_token_is_refused(token: str) -> None:
    """Whatever comes in the header's place."""
    with pytest.raises(Unauthenticated):
        token_key_id(token)
    with pytest.raises(Unauthenticated):
        verify_token(token, PUBLIC, START)


def test_claims_that_are_no_object_are_refused() -> None:
    """A list under a good signature is still no token."""
    signed = jwt.PyJWS().encode(b"[]", load_private_for_test(), algorithm="RS256")
    with pytest.raises(Unauthenticated):
        verify_token(signed, PUBLIC, START)


def load_private_for_test() -> Any:  # noqa: ANN401
    """Load the key in the form that PyJWT takes."""
    from cryptography.hazmat.primitives.serialization import load_der_private_key  # noqa: PLC0415

    return load_der_private_key(KEY, None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3600 + SKEW_SECONDS - 1, None),
        (3600 + SKEW_SECONDS, "expired"),
        (10**9, "expired"),
        (-SKEW_SECONDS, None),
        (-SKEW_SECONDS - 1, "not valid yet"),
    ],
)
def test_a_token_holds_between_its_times(seconds: int, words: str | None) -> None:
    """A minute of difference between clocks is allowed at either end."""
    token, at = sign_token(KEY, "key-1", CLAIMS), START + timedelta(seconds=seconds)
    if words is None:
        assert verify_token(token, PUBLIC, at)
        return
    with pytest.raises(Unauthenticated, match=words):
        verify_token(token, PUBLIC, at)


@pytest.mark.parametrize("claims", [{}, {"nbf": NOW}, {"exp": "never"}, {"exp": None}, {"exp": NOW + 60, "nbf": "now"}])
def test_a_token_without_a_time_is_refused(claims: dict[str, Any]) -> None:
    """A token that never ends is none of ours."""
    with pytest.raises(Unauthenticated, match="does not say when"):
        verify_token(sign_token(KEY, "key-1", claims), PUBLIC, START)


def test_only_rsa_keys_sign() -> None:
    """An EC key is a mistake of ours, and told so."""
    ec = generate_key("EC", None, "P-256")
    with pytest.raises(TypeError):
        sign_token(ec, "key-1", CLAIMS)
    with pytest.raises(TypeError):
        verify_token("a.b.c", public_der(ec), START)


def test_a_key_is_named_by_its_digest() -> None:
    """The name of a key is one of 43 characters and tells two keys apart."""
    assert len(key_thumbprint(PUBLIC)) == 43
    assert key_thumbprint(PUBLIC) != key_thumbprint(public_der(generate_key("RSA", 2048, None)))


def test_a_client_secret_matches_its_own_hash_only() -> None:
    """Each hash has a salt of its own, and nothing matches where there is none."""
    hashed = hash_secret("s3cret")
    assert secret_matches("s3cret", hashed)
    assert hashed != hash_secret("s3cret")
    assert "s3cret" not in hashed
    for wrong in ("", "S3cret", "s3cret ", hashed):
        assert not secret_matches(wrong, hashed)
    assert not secret_matches("", None)
    assert not secret_matches("s3cret", None)
