"""JSON Web Tokens of others (RFC 7519): what they say before it is proven, and the proof by a key or a certificate."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certworker.crypto.attestations import verify_attestation
from certworker.errors import BadParameter, Unauthenticated

Claims = Mapping[str, Any]

ALGORITHMS: Final = ("RS256", "PS256", "ES256")
"""What the token of a foreign issuer may be signed with: signatures only, never `none` and never a shared secret."""
MAX_TOKEN: Final = 64 * 1024
"""So many characters has a token at the most."""


@dataclass(frozen=True, slots=True)
class UnprovenToken:
    """What a token says before anything is proven. `digest` names it, whatever its signature looks like."""

    header: Mapping[str, Any]
    claims: Claims
    digest: str

    @property
    def issuer(self) -> str:
        """Who says to have made it; empty where it does not tell."""
        found = self.claims.get("iss")
        return found if isinstance(found, str) else ""

    @property
    def key_id(self) -> str:
        """The key that it says to be signed by; empty where it does not tell."""
        found = self.header.get("kid")
        return found if isinstance(found, str) else ""


def read_token(token: str) -> UnprovenToken:
    """Read a token without believing it. Raises Unauthenticated for what is none, or not signed as it must be."""
    if len(token) > MAX_TOKEN:
        raise Unauthenticated(f"The token has more than {MAX_TOKEN} characters.")
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False, **_UNCHECKED})  # type: ignore[arg-type]
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise Unauthenticated("The token is not a JSON Web Token.") from None
    if header.get("alg") not in ALGORITHMS:
        raise Unauthenticated(f"The token's algorithm is not one of {', '.join(ALGORITHMS)}.")
    return UnprovenToken(header, claims, hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest())


def texts_of(claim: object) -> list[str]:
    """Give the texts of a claim that is one, or a list of them, such as `aud` (RFC 7519 section 4.1.3)."""
    values = claim if isinstance(claim, list) else [claim]
    return [text for text in values if isinstance(text, str)]


def prove_by_key(token: str, unproven: UnprovenToken, jwk: Mapping[str, Any]) -> Claims:
    """Give the claims of a token that a key of its issuer signed. Raises Unauthenticated."""
    try:
        return verify_attestation(token, str(unproven.header["alg"]), jwk)
    except BadParameter:
        raise Unauthenticated("The token's signature is not valid.") from None


def prove_by_certificate(token: str, unproven: UnprovenToken, certificate: bytes) -> Claims:
    """Give the claims of a token that the key of a DER certificate signed. Raises Unauthenticated."""
    return prove_by_key(token, unproven, {"x5c": [base64.b64encode(certificate).decode()]})


def names_certificate(unproven: UnprovenToken, certificate: bytes) -> bool:
    """Tell whether a token's header names this DER certificate (x5t and x5t#S256, RFC 7515 sections 4.1.7 and 4.1.8)."""
    found = x509.load_der_x509_certificate(certificate)
    named = {
        "x5t": found.fingerprint(hashes.SHA1()),  # noqa: S303 - a name, as the header has it
        "x5t#S256": found.fingerprint(hashes.SHA256()),
    }
    given = {name: unproven.header[name] for name in named if name in unproven.header}
    return bool(given) and all(_octets(value) == named[name] for name, value in given.items())


def _octets(text: object) -> bytes:
    try:
        return base64.urlsafe_b64decode(f"{text}==")
    except (binascii.Error, ValueError):
        return b""


_UNCHECKED: Final = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
