"""Attestations: JSON Web Tokens (RFC 7519) of an authority that is not ours, checked by one of its own keys (RFC 7517)."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certworker.errors import BadParameter

Claims = Mapping[str, Any]

MAX_ATTESTATION: Final = 64 * 1024
"""So many characters has an attestation at the most."""
_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = MappingProxyType(
    {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
)
ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *_CURVES})
"""What an attestation may be signed with: signatures only, never `none` and never a shared secret."""
_RSA_BITS: Final = range(2048, 8192 + 1)
_UNCHECKED: Final[Mapping[str, Any]] = MappingProxyType(
    {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
)
"""Times and names are checked by whoever knows what they must be; PyJWT would read the machine's clock."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """What an attestation says of itself before anything is proven. `digest` names it, whatever its signature looks like."""

    algorithm: str
    key_id: str
    issuer: str
    digest: str


def read_attestation(token: str) -> Unproven:
    """Read what must be known to find its key. Raises BadParameter for what is no token, or not signed as it must be."""
    if len(token) > MAX_ATTESTATION:
        raise _bad(f"it has more than {MAX_ATTESTATION} characters")
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options=_options(proven=False))
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise _bad("it is no JSON Web Token") from None
    algorithm, key_id, issuer = header.get("alg"), header.get("kid"), claims.get("iss")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _bad(f"its algorithm is not one of {', '.join(sorted(ALGORITHMS))}")
    if not isinstance(key_id, str) or not key_id:
        raise _bad("its header has no kid")
    if not isinstance(issuer, str) or not issuer:
        raise _bad("it has no iss")
    return Unproven(algorithm, key_id, issuer, hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest())


def verify_attestation(token: str, algorithm: str, jwk: Mapping[str, Any]) -> Claims:
    """Give the claims of an attestation that one of its authority's keys signed. Raises BadParameter."""
    key = _signer(jwk, algorithm)
    try:
        claims: Claims = jwt.decode(token, key, algorithms=[algorithm], options=_options(proven=True))
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise _bad("its signature is not valid") from None
    return claims


def encryption_key(jwk: Mapping[str, Any]) -> rsa.RSAPublicKey | None:
    """Read an RSA key that is for encryption: `use` (or `key_use`) is enc, or `key_ops` has encrypt. None for any other."""
    operations = jwk.get("key_ops")
    meant = any(use in ("enc", ["enc"]) for use in (jwk.get("use"), jwk.get("key_use")))
    if not meant and not (isinstance(operations, list) and "encrypt" in operations):
        return None
    try:
        key = _public_key(jwk, "RS256")
    except BadParameter:
        return None
    return key if isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS else None


def _signer(jwk: Mapping[str, Any], algorithm: str) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm:
        raise _bad("the authority's key is not for its algorithm")
    key = _public_key(jwk, algorithm)
    if isinstance(key, ec.EllipticCurvePublicKey):
        fits = algorithm in _CURVES and isinstance(key.curve, _CURVES[algorithm])
    else:
        fits = algorithm not in _CURVES and key.key_size in _RSA_BITS
    if not fits:
        raise _bad("the authority's key is not for its algorithm")
    return key


def _public_key(jwk: Mapping[str, Any], algorithm: str) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    """Load a key that is given by its members, or else by a certificate (`x5c`), as Azure Attestation does."""
    key: object
    try:
        if "n" in jwk or "x" in jwk:
            key = jwt.PyJWK.from_dict(dict(jwk), algorithm).key
        else:
            key = x509.load_der_x509_certificate(base64.b64decode(jwk["x5c"][0])).public_key()
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, IndexError, UnsupportedAlgorithm):
        raise _bad("the authority's key cannot be read") from None
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise _bad("the authority's key is not for its algorithm")
    return key


def _options(*, proven: bool) -> Any:  # noqa: ANN401 - PyJWT's own type is not public
    return {"verify_signature": proven, **_UNCHECKED}


def _bad(why: str) -> BadParameter:
    return BadParameter(f"The attestation (target) cannot be used: {why}.", "target")
