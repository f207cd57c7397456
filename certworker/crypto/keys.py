"""Asymmetric keys: made, loaded, and shown as DER, PEM and JWK.

A private key travels as DER PKCS#8, a public key as DER SubjectPublicKeyInfo.
"""

import base64
import math
import os
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from certworker.errors import BadParameter

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

RSA_SIZES = (2048, 3072, 4096)
CURVES = MappingProxyType({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "P-256K": ec.SECP256K1()})
_CURVE_NAMES = MappingProxyType({curve.name: name for name, curve in CURVES.items()})
OCT_SIZES = (128, 192, 256)
_PUBLIC_EXPONENT = 65537
LARGEST_EXPONENT = 2**32 - 1


@dataclass(frozen=True, slots=True)
class KeyKind:
    """What a key is, wherever it lies: `kty` RSA, EC or oct; a size in bits (RSA, oct), or a curve (EC)."""

    kty: str
    size: int | None = None
    curve: str | None = None
    exponent: int = _PUBLIC_EXPONENT


def generate_material(kind: KeyKind) -> bytes:
    """Make a key of any kind: the octets of an `oct` key, or a DER PKCS#8. An RSA key takes 50 to 250 ms of a core."""
    if kind.kty == "oct":
        return os.urandom((kind.size or OCT_SIZES[-1]) // 8)
    if kind.kty == "RSA":
        return _generate_rsa(kind.size or RSA_SIZES[0], kind.exponent)
    return generate_key(kind.kty, kind.size, kind.curve)


def check_exponent(exponent: int, field: str) -> int:
    """Give back a public exponent of RSA that is sound: odd, from 65537 on (FIPS 186-5, A.1.1), of 32 bits at the most.

    Raises BadParameter.
    """
    if exponent % 2 == 0 or not _PUBLIC_EXPONENT <= exponent <= LARGEST_EXPONENT:
        raise BadParameter(f"{field}: a public exponent is an odd number from {_PUBLIC_EXPONENT} to {LARGEST_EXPONENT}.", field)
    return exponent


def _generate_rsa(size: int, exponent: int) -> bytes:
    """Make an RSA key. The library makes primes for 65537 only; another exponent is put to them where it is coprime."""
    while True:
        key = rsa.generate_private_key(_PUBLIC_EXPONENT, size)
        if exponent == _PUBLIC_EXPONENT:
            return private_der(key)
        numbers = key.private_numbers()
        p, q = numbers.p, numbers.q
        order = math.lcm(p - 1, q - 1)
        if math.gcd(exponent, order) == 1:
            d = pow(exponent, -1, order)
            public = rsa.RSAPublicNumbers(exponent, p * q)
            crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
            return private_der(rsa.RSAPrivateNumbers(p, q, d, *crt, public).private_key())


def generate_key(kty: str, size: int | None, curve: str | None) -> bytes:
    """Make a key: `kty` RSA with a size in bits (50 to 250 ms of a core), or EC with a curve. Gives DER PKCS#8."""
    if kty == "EC":
        if curve is None:
            raise ValueError("an EC key needs a curve")
        return private_der(ec.generate_private_key(CURVES[curve]))
    return private_der(rsa.generate_private_key(_PUBLIC_EXPONENT, size or RSA_SIZES[0]))


def load_private(der: bytes) -> PrivateKey:
    """Load a DER PKCS#8 key that was checked when it was made or imported (the checks alone take 45 ms)."""
    key = serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, PrivateKey):
        raise ValueError(f"a key of the kind {type(key).__name__} is not for certificates")  # noqa: TRY004
    return key


def private_der(key: PrivateKey) -> bytes:
    """Show a private key as DER PKCS#8."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def private_pem(der: bytes) -> bytes:
    """Show a DER PKCS#8 key as PEM, `PRIVATE KEY`."""
    return load_private(der).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def encrypted_private_pem(der: bytes, passphrase: bytes) -> bytes:
    """Show a DER PKCS#8 key as PEM, `ENCRYPTED PRIVATE KEY`."""
    return load_private(der).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))


def public_der(private: bytes) -> bytes:
    """Give the DER SubjectPublicKeyInfo of a DER PKCS#8 key."""
    return load_private(private).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def fits(spki: bytes, kty: str, size: int | None, curve: str | None) -> bool:
    """Whether a public key is of a kind: RSA of a size in bits, or EC on a curve."""
    key = serialization.load_der_public_key(spki)
    if isinstance(key, rsa.RSAPublicKey):
        return kty == "RSA" and key.key_size == (size or RSA_SIZES[0])
    return isinstance(key, ec.EllipticCurvePublicKey) and kty == "EC" and _CURVE_NAMES.get(key.curve.name) == curve


def kind_of(spki: bytes) -> tuple[str, int | None, str | None]:
    """Tell (kty, size in bits of an RSA key, curve of an EC key) of a public key."""
    key = serialization.load_der_public_key(spki)
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size, None
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVE_NAMES:
        return "EC", None, _CURVE_NAMES[key.curve.name]
    raise ValueError(f"a key of the kind {type(key).__name__} is not for certificates")


def key_kind(spki: bytes) -> KeyKind:
    """Tell the whole kind of a public key."""
    kty, size, curve = kind_of(spki)
    key = serialization.load_der_public_key(spki)
    exponent = key.public_numbers().e if isinstance(key, rsa.RSAPublicKey) else _PUBLIC_EXPONENT
    return KeyKind(kty, size, curve, exponent)


def public_jwk(spki: bytes) -> dict[str, str]:
    """Show a public key as the members of a JWK (RFC 7518 section 6): kty, n and e, or kty, crv, x and y."""
    key = serialization.load_der_public_key(spki)
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _base64url_number(numbers.n), "e": _base64url_number(numbers.e)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        size = (key.curve.key_size + 7) // 8
        x, y = (base64url(number.to_bytes(size, "big")) for number in (point.x, point.y))
        return {"kty": "EC", "crv": _CURVE_NAMES[key.curve.name], "x": x, "y": y}
    raise ValueError(f"a key of the kind {type(key).__name__} has no JWK here")


def signing_hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    """Choose the digest for a signature by `key`: SHA-256, or one as strong as a larger curve."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 256:  # noqa: PLR2004
        return hashes.SHA384() if key.curve.key_size == 384 else hashes.SHA512()  # noqa: PLR2004
    return hashes.SHA256()


def base64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _base64url_number(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
