"""JSON Web Tokens (RFC 7519), RS256 only, and the key set that others check them by (RFC 7517)."""

import hashlib
import hmac
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from certworker.crypto.keys import base64url, load_private, public_jwk
from certworker.errors import TokenExpired, Unauthenticated

ALGORITHM = "RS256"
SKEW_SECONDS = 60
"""How far the clocks of issuer and reader may be apart."""


def sign_token(private_key: bytes, key_id: str, claims: Mapping[str, Any]) -> str:
    """Sign claims with a DER PKCS#8 RSA key."""
    key = load_private(private_key)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("tokens are signed by RSA keys")
    return jwt.encode(dict(claims), key, algorithm=ALGORITHM, headers={"kid": key_id})


def token_key_id(token: str) -> str:
    """Read which key a token says it was signed by. Raises Unauthenticated where it is no token."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise Unauthenticated("The bearer token is not a JSON Web Token.") from None
    if header.get("alg") != ALGORITHM:
        raise Unauthenticated(f"The bearer token is not signed with {ALGORITHM}.")
    return str(header.get("kid", ""))


def verify_token(token: str, public_key: bytes, at: datetime) -> dict[str, Any]:
    """Give the claims of a token that the DER public key signed and that is valid at `at`.

    Issuer and audience are the caller's to check. Raises Unauthenticated.
    """
    key = load_der_public_key(public_key)
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("tokens are checked by RSA keys")
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    try:
        # the times are checked below: PyJWT would read the machine's clock
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=[ALGORITHM], options=options)  # type: ignore[arg-type]
    except jwt.InvalidTokenError:
        raise Unauthenticated("The bearer token's signature is not valid.") from None
    check_times(claims, at)
    return claims


def check_times(claims: Mapping[str, Any], at: datetime) -> None:
    """Refuse a token's claims outside their time. Raises Unauthenticated."""
    now, expires, not_before = at.timestamp(), claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(not_before, int | float):
        raise Unauthenticated("The bearer token does not say when it expires.")
    if now >= expires + SKEW_SECONDS:
        raise TokenExpired("The bearer token has expired.")
    if now < not_before - SKEW_SECONDS:
        raise Unauthenticated("The bearer token is not valid yet.")


def key_set(public_keys: Mapping[str, bytes]) -> dict[str, Any]:
    """Show DER public keys, by key id, as a JWK set."""
    return {"keys": [{**public_jwk(der), "use": "sig", "kid": kid, "alg": ALGORITHM} for kid, der in public_keys.items()]}


def key_thumbprint(spki: bytes) -> str:
    """Name a public key: the SHA-256 of its DER form, as base64url."""
    return base64url(hashlib.sha256(spki).digest())


def hash_secret(secret: str) -> str:
    """Hash a client secret with a salt of its own.

    One round of SHA-256 is enough for what we make ourselves, 256 bits of the operating system's random numbers: there is
    nothing to guess. A password that a person chose would need a slow hash.
    """
    salt = os.urandom(16)
    return salt.hex() + ":" + hashlib.sha256(salt + secret.encode()).hexdigest()


def secret_matches(secret: str, hashed: str | None) -> bool:
    """Compare a client secret with a hash in constant time; without a hash it takes as long, and is wrong."""
    salt, _, digest = (hashed or "00" * 16 + ":").partition(":")
    return hmac.compare_digest(hashlib.sha256(bytes.fromhex(salt) + secret.encode()).hexdigest(), digest)
