"""JSON Web Keys and Signatures as ACME uses them (RFC 8555 section 6.2; RFC 7515, 7517, 7518, 7638)."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ca_sim.problems import BadPublicKeyError, BadSignatureAlgorithmError, MalformedError, UnauthorizedError

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
ALGORITHMS = ("ES256", "ES384", "ES512", "RS256")
MAC_ALGORITHMS = ("HS256", "HS384", "HS512")
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
_MIN_EXPONENT = 65537
_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_CURVE_OF_ALGORITHM = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "RS256": hashes.SHA256(),
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
    "HS256": hashes.SHA256(),
    "HS384": hashes.SHA384(),
    "HS512": hashes.SHA512(),
}
_NAME_OF_CURVE = {curve.name: name for name, curve in _CURVES.items()}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def decode(text: object, what: str) -> bytes:
    """Read base64url without padding (RFC 7515 section 2), strictly. Raises MalformedError that names `what`."""
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text):
        raise MalformedError(f"{what} is not base64url without padding")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise MalformedError(f"{what} is not base64url without padding") from error


def encode(data: bytes) -> str:
    """Write base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def public_jwk(key: PublicKey) -> dict[str, str]:
    """Give the members of a public key that its thumbprint is made of (RFC 7638 section 3.2)."""
    numbers = key.public_numbers()
    if isinstance(numbers, rsa.RSAPublicNumbers):
        return {"e": _integer(numbers.e), "kty": "RSA", "n": _integer(numbers.n)}
    name = _NAME_OF_CURVE[numbers.curve.name]
    size = (numbers.curve.key_size + 7) // 8
    x, y = (encode(value.to_bytes(size, "big")) for value in (numbers.x, numbers.y))
    return {"crv": name, "kty": "EC", "x": x, "y": y}


def _integer(value: int) -> str:
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def thumbprint(jwk: dict[str, str]) -> str:
    """Give the SHA-256 thumbprint of what `public_jwk` gave, in base64url (RFC 7638)."""
    return encode(hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest())


def key_authorization(token: str, jwk: dict[str, str]) -> str:
    """Give what a client must show for a challenge's token (RFC 8555 section 8.1)."""
    return f"{token}.{thumbprint(jwk)}"


def read_jwk(jwk: object) -> PublicKey:
    """Read the public key of a client. Raises MalformedError or BadPublicKeyError."""
    if not isinstance(jwk, dict):
        raise MalformedError("jwk is not a JSON object")
    if "d" in jwk:
        raise BadPublicKeyError("jwk holds a private key: consider it compromised")
    try:
        if jwk.get("kty") == "EC":
            return _read_ec(jwk)
        if jwk.get("kty") == "RSA":
            return _read_rsa(jwk)
    except ValueError as error:
        raise BadPublicKeyError("jwk is not a valid public key") from error
    raise BadPublicKeyError(f"keys of type {jwk.get('kty')!r} are not taken: use EC or RSA")


def _read_ec(jwk: dict[str, Any]) -> ec.EllipticCurvePublicKey:
    curve = _CURVES.get(str(jwk.get("crv")))
    if curve is None:
        raise BadPublicKeyError(f"curve {jwk.get('crv')!r} is not taken: use one of {', '.join(_CURVES)}")
    x, y = (int.from_bytes(decode(jwk.get(name), f"jwk member {name}"), "big") for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()


def _read_rsa(jwk: dict[str, Any]) -> rsa.RSAPublicKey:
    n, e = (int.from_bytes(decode(jwk.get(name), f"jwk member {name}"), "big") for name in ("n", "e"))
    flaw = rsa_flaw(n, e)
    if flaw:
        raise BadPublicKeyError(flaw)
    return rsa.RSAPublicNumbers(e, n).public_key()


_SMALL_PRIMES = tuple(n for n in range(2, 752) if all(n % divisor for divisor in range(2, int(n**0.5) + 1)))


def rsa_flaw(modulus: int, exponent: int) -> str | None:
    """Say in one line why an RSA public key is too weak (or too large to check in good time), or give None."""
    bits = modulus.bit_length()
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        return f"an RSA key of {bits} bits is not taken: use {MIN_RSA_BITS} to {MAX_RSA_BITS} bits"
    if exponent < _MIN_EXPONENT or exponent % 2 == 0 or exponent.bit_length() > 64:  # noqa: PLR2004 - bits
        return "the RSA exponent is not taken: use 65537"
    if any(modulus % prime == 0 for prime in _SMALL_PRIMES):
        return "the RSA modulus is divisible by a small prime"
    return None


@dataclass(frozen=True, slots=True)
class Jws:
    """A flattened JWS whose signature is still to be verified. `header` is the protected header."""

    header: dict[str, Any]
    payload: bytes
    signature: bytes
    signed: bytes

    def verify(self, key: PublicKey) -> None:
        """Check the signature by `key`. Raises BadSignatureAlgorithmError or MalformedError."""
        algorithm = self.header["alg"]
        _check_fit(algorithm, key)
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(self.signature, self.signed, padding.PKCS1v15(), _HASHES[algorithm])
            else:
                key.verify(_der_signature(self.signature, key), self.signed, ec.ECDSA(_HASHES[algorithm]))
        except InvalidSignature as error:
            raise MalformedError("the signature of the JWS does not verify") from error

    def verify_mac(self, key: bytes) -> None:
        """Check the MAC by a shared key (RFC 7518 section 3.2). Raises UnauthorizedError."""
        mac = hmac.HMAC(key, _HASHES[self.header["alg"]])
        mac.update(self.signed)
        try:
            mac.verify(self.signature)
        except InvalidSignature as error:
            raise UnauthorizedError("the MAC of the JWS does not verify") from error


def _check_fit(algorithm: str, key: PublicKey) -> None:
    right = "RS256"
    if isinstance(key, ec.EllipticCurvePublicKey):
        name = _NAME_OF_CURVE[key.curve.name]
        right = next(alg for alg, curve in _CURVE_OF_ALGORITHM.items() if curve == name)
    if algorithm != right:
        raise _bad_algorithm(f"alg {algorithm} does not fit the key: use {right}")


def _der_signature(raw: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """Turn R || S of RFC 7518 section 3.4 into what cryptography takes."""
    size = (key.curve.key_size + 7) // 8
    if len(raw) != 2 * size:
        raise MalformedError(f"an ECDSA signature by this key has {2 * size} bytes, not {len(raw)}")
    return encode_dss_signature(int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big"))


def _bad_algorithm(detail: str, algorithms: Sequence[str] = ALGORITHMS) -> BadSignatureAlgorithmError:
    return BadSignatureAlgorithmError(detail, extra={"algorithms": list(algorithms)})


def read_jws(body: bytes | dict[str, Any], algorithms: Sequence[str] = ALGORITHMS) -> Jws:
    """Read a JWS in the flattened JSON serialization with a protected header only (RFC 8555 section 6.2).

    Raises MalformedError or BadSignatureAlgorithmError.
    """
    parts = read_json(body, "the body") if isinstance(body, bytes) else body
    if "signatures" in parts or "header" in parts:
        raise MalformedError("use one signature, in the flattened serialization, without an unprotected header")
    header = read_json(decode(parts.get("protected"), "protected"), "the protected header")
    if header.get("alg") not in algorithms:
        raise _bad_algorithm(f"alg {header.get('alg')!r} is not taken: use one of {', '.join(algorithms)}", algorithms)
    if "crit" in header or "b64" in header:
        raise MalformedError("no critical extension of JWS is known here")
    payload = decode(parts.get("payload"), "payload")
    signature = decode(parts.get("signature"), "signature")
    return Jws(header, payload, signature, f"{parts['protected']}.{parts['payload']}".encode("ascii"))


def read_json(data: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object. Raises MalformedError that names `what`."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{what} is not JSON") from error
    if not isinstance(found, dict):
        raise MalformedError(f"{what} is not a JSON object")
    return found
