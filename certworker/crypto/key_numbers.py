"""Keys as the numbers that they are made of, which is how a PKCS#11 token takes them and gives them."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certworker.crypto.keys import CURVES, load_private

_OBJECT_IDENTIFIERS: Final = MappingProxyType(
    {
        "P-256": bytes.fromhex("06082a8648ce3d030107"),
        "P-384": bytes.fromhex("06052b81040022"),
        "P-521": bytes.fromhex("06052b81040023"),
        "P-256K": bytes.fromhex("06052b8104000a"),
    }
)
_DIGEST_INFO: Final = MappingProxyType(  # RFC 8017 section 9.2, note 1
    {
        "256": bytes.fromhex("3031300d060960864801650304020105000420"),
        "384": bytes.fromhex("3041300d060960864801650304020205000430"),
        "512": bytes.fromhex("3051300d060960864801650304020305000440"),
    }
)
_OCTET_STRING: Final = 0x04


@dataclass(frozen=True, slots=True, repr=False)
class RsaNumbers:
    """A private RSA key (RFC 8017 section 3.2), each number as big-endian bytes."""

    modulus: bytes
    public_exponent: bytes
    private_exponent: bytes
    prime1: bytes
    prime2: bytes
    exponent1: bytes
    exponent2: bytes
    coefficient: bytes


@dataclass(frozen=True, slots=True, repr=False)
class EcNumbers:
    """A private EC key: the curve's parameters in DER, and the secret number as big-endian bytes."""

    parameters: bytes
    private: bytes


def private_numbers(der: bytes) -> RsaNumbers | EcNumbers:
    """Take a DER PKCS#8 apart."""
    key = load_private(der)
    if isinstance(key, rsa.RSAPrivateKey):
        private = key.private_numbers()
        public = private.public_numbers
        numbers = (public.n, public.e, private.d, private.p, private.q, private.dmp1, private.dmq1, private.iqmp)
        return RsaNumbers(*(number_bytes(number) for number in numbers))
    curve = next(name for name, known in CURVES.items() if known.name == key.curve.name)
    secret = key.private_numbers().private_value.to_bytes((key.curve.key_size + 7) // 8, "big")
    return EcNumbers(curve_parameters(curve), secret)


def number_bytes(number: int) -> bytes:
    """Show a number as big-endian bytes, as few as it needs."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def curve_parameters(curve: str) -> bytes:
    """Give the DER object identifier of a curve, by Key Vault's name for it (RFC 5480 section 2.1.1)."""
    return _OBJECT_IDENTIFIERS[curve]


def digest_info(size: str, digest: bytes) -> bytes:
    """Put what names SHA-256, SHA-384 or SHA-512 before a digest: PKCS#1 signs both (RFC 8017 section 9.2)."""
    return _DIGEST_INFO[size] + digest


def rsa_public_der(modulus: bytes, exponent: bytes) -> bytes:
    """Make a DER SubjectPublicKeyInfo of an RSA key's numbers."""
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
    return numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def ec_public_der(curve: str, point: bytes) -> bytes:
    """Make a DER SubjectPublicKeyInfo of a point, which a token gives as it is or as a DER OCTET STRING.

    Raises ValueError where it is no point of the curve.
    """
    size = 1 + 2 * ((CURVES[curve].key_size + 7) // 8)
    if len(point) > size and point[0] == _OCTET_STRING:
        point = point[-size:]
    key = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[curve], point)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
