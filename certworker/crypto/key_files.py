"""Keys as the files of other programs: PEM (RFC 7468) to JWK (RFC 7517) and back, and signatures as OpenSSL has them.

No error repeats what was read: not the password, and nothing of the key.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from certworker.crypto.imports import accept_key
from certworker.crypto.key_numbers import number_bytes
from certworker.crypto.keys import CURVES, PublicKey, base64url, load_private, public_der, public_jwk
from certworker.errors import BadParameter

_PRIVATE: Final = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]*PRIVATE KEY)-----.*?-----END (?P=label)-----[^\S\n]*(?:\n|\Z)", re.DOTALL
)
_JOSE_CURVES: Final = {"P-256K": "secp256k1"}.items()
"""Key Vault's names of curves, and those of RFC 8812 where they differ."""


def is_private_pem(content: bytes) -> bool:
    """Whether there is a private key in PEM."""
    return _PRIVATE.search(content) is not None


def needs_password(content: bytes) -> bool:
    """Whether a private key in PEM opens only with a password."""
    return any(b"ENCRYPTED" in block.group() for block in _PRIVATE.finditer(content))


def read_private_pem(content: bytes, password: str | None) -> dict[str, str]:
    """Read the one private key of a PEM text, and give it as the members of a JWK: RSA or EC, of a kind that a vault holds.

    A password that is not needed is left alone. Raises BadParameter.
    """
    blocks = [block.group() for block in _PRIVATE.finditer(content)]
    if len(blocks) != 1:
        raise BadParameter(f"There are {len(blocks)} private keys in the PEM text: it has one.")
    given = password.encode() if password and needs_password(blocks[0]) else None
    try:
        key = load_pem_private_key(blocks[0], given, unsafe_skip_rsa_key_validation=True)  # checked when it is accepted
    except (UnsupportedAlgorithm, InternalError):
        raise BadParameter("The private key is of a kind, or encrypted in a way, that is not supported.") from None
    except (ValueError, TypeError):
        raise BadParameter(_unreadable(blocks[0], password)) from None
    return _private_jwk(accept_key(key))


def public_pem(jwk: Mapping[str, str]) -> bytes:
    """Show a public JWK, in Key Vault's words, as PEM, `PUBLIC KEY`. Raises BadParameter for a key without a public half."""
    return _public_key(jwk).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def to_jose(jwk: Mapping[str, str]) -> dict[str, str]:
    """Give the public half of a key as others know it (RFC 7518 section 6, RFC 8812), with its `kid`.

    Raises as `public_pem`.
    """
    return {"kid": jwk["kid"], **_public_members(_public_key(jwk)), **_renamed(jwk, dict(_JOSE_CURVES))}


def from_jose(jwk: Mapping[str, object]) -> dict[str, object]:
    """Give a JWK in Key Vault's words."""
    return {**jwk, **_renamed(jwk, {theirs: ours for ours, theirs in _JOSE_CURVES})}


def ecdsa_to_der(signature: bytes) -> bytes:
    """Show r and s side by side (RFC 7518 section 3.4) as DER, which OpenSSL reads (RFC 3279 section 2.2.3)."""
    half = len(signature) // 2
    return encode_dss_signature(*(int.from_bytes(part, "big") for part in (signature[:half], signature[half:])))


def ecdsa_from_der(signature: bytes, curve: str) -> bytes:
    """Show such a DER as r and s, each as long as the curve's order. Raises BadParameter."""
    size = (CURVES[curve].key_size + 7) // 8
    try:
        return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(signature))
    except (ValueError, OverflowError):
        raise BadParameter(f"The signature is no DER of two numbers for the curve {curve}.") from None


def _unreadable(block: bytes, password: str | None) -> str:
    if not needs_password(block):
        return "The private key cannot be read: it is damaged, or not PKCS#8, PKCS#1 or SEC 1."
    if password:
        return "The password does not open the private key, or it was altered."
    return "The private key is protected by a password: it is needed."


def _private_jwk(der: bytes) -> dict[str, str]:
    key = load_private(der)
    public = public_jwk(public_der(der))
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        crt = {"dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
        members = {"d": numbers.d, "p": numbers.p, "q": numbers.q, **crt}
        return {**public, **{name: base64url(number_bytes(number)) for name, number in members.items()}}
    size = (key.curve.key_size + 7) // 8
    return {**public, "d": base64url(key.private_numbers().private_value.to_bytes(size, "big"))}


def _public_key(jwk: Mapping[str, str]) -> PublicKey:
    match jwk["kty"].removesuffix("-HSM"):
        case "RSA":
            return rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
        case "EC":
            return ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), CURVES[jwk["crv"]]).public_key()
    raise BadParameter(f"A key of the type {jwk['kty']} has no public half.")


def _public_members(key: PublicKey) -> dict[str, str]:
    return public_jwk(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _renamed(jwk: Mapping[str, object], names: Mapping[str, str]) -> dict[str, str]:
    curve = jwk.get("crv")
    return {"crv": names[curve]} if isinstance(curve, str) and curve in names else {}


def _number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
