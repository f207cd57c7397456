"""Private keys as JSON Web Keys (RFC 7517, RFC 7518 section 6): read, with every check before one is taken in.

What is wrong is told by the member's name, never by its value.
"""

import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import randbelow
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certworker.crypto.keys import CURVES, OCT_SIZES, RSA_SIZES, KeyKind, check_exponent, private_der
from certworker.errors import BadParameter

_LONGEST: Final = 4 * max(RSA_SIZES) // 8
"""No member has more characters than this."""
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*={0,2}")
_LEAST_APART: Final = 100
"""The primes differ within their first so many bits (FIPS 186-5, A.1.3), or n could be factored from its root."""
_MOST_BASES: Final = 24
"""Each finds two primes with a chance of a half, however they were chosen: it is a number that nobody knows before."""


@dataclass(frozen=True, slots=True, repr=False)
class PrivateJwk:
    """A key that was read: a DER PKCS#8, or the octets of an `oct` key. Its `repr` never shows it."""

    kind: KeyKind
    private_key: bytes


def read_private_jwk(kty: str, members: Mapping[str, str]) -> PrivateJwk:
    """Read a private key out of the members of a JWK, in base64url; `kty` is RSA, EC or oct.

    Raises BadParameter, which names the member, for whatever could not be a sound key of a kind that a vault holds.
    """
    match kty:
        case "RSA":
            return _read_rsa(_Members(members))
        case "EC":
            return _read_ec(_Members(members), members.get("crv"))
        case "oct":
            return _read_oct(_Members(members))
    raise BadParameter("key.kty: a key is RSA, EC or oct; one for a hardware token, RSA-HSM, EC-HSM or oct-HSM.", "key.kty")


class _Members:
    """The members of a JWK, decoded as they are asked for."""

    def __init__(self, members: Mapping[str, str]) -> None:
        self._members = members

    def octets(self, name: str) -> bytes:
        text = self._members.get(name)
        if not text:
            raise _bad(name, "is missing: the whole private key is needed")
        if len(text) > _LONGEST:
            raise _bad(name, "is too long for a key of a kind that a vault holds")
        if not _BASE64URL.fullmatch(text) or len(bare := text.rstrip("=")) % 4 == 1:
            raise _bad(name, "is not base64url (RFC 7515 section 2)")
        return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))

    def number(self, name: str) -> int:
        return int.from_bytes(self.octets(name), "big")

    def optional(self, name: str, computed: int) -> int:
        return self.number(name) if self._members.get(name) else computed

    def has(self, name: str) -> bool:
        return bool(self._members.get(name))


def _read_rsa(members: _Members) -> PrivateJwk:
    n, e, d = members.number("n"), members.number("e"), members.number("d")
    size = n.bit_length()
    if size not in RSA_SIZES or n % 2 == 0:
        raise _bad("n", "is no modulus of 2048, 3072 or 4096 bits")
    check_exponent(e, "key.e")
    if not size // 2 < d.bit_length() <= size or d >= n:
        raise _bad("d", "is not a private exponent of this modulus")
    p, q = _primes(members, n, e, d)
    if d * e % math.lcm(p - 1, q - 1) != 1:
        raise _bad("d", "does not belong to the public exponent and the primes")
    numbers = rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        dmp1=_check_crt("dp", members, d % (p - 1)),
        dmq1=_check_crt("dq", members, d % (q - 1)),
        iqmp=_check_crt("qi", members, _inverse(q, p)),
        public_numbers=rsa.RSAPublicNumbers(e, n),
    )
    try:
        key = numbers.private_key()  # OpenSSL looks whether the primes are primes: 45 ms and more, once for each import
    except ValueError:
        raise _bad("p", "and key.q are not both primes") from None
    return PrivateJwk(KeyKind("RSA", size, exponent=e), private_der(key))


def _primes(members: _Members, n: int, e: int, d: int) -> tuple[int, int]:
    if members.has("p") != members.has("q"):
        raise _bad("p", "and key.q come together, or not at all")
    if not members.has("p"):
        p, q = _recover_primes(n, e, d)
    else:
        p, q = members.number("p"), members.number("q")
    half = n.bit_length() // 2
    for name, prime in (("p", p), ("q", q)):
        if prime.bit_length() != half or prime % 2 == 0:
            raise _bad(name, "is no prime of half as many bits as key.n")
    if p * q != n:
        raise _bad("n", "is not the product of key.p and key.q")
    if abs(p - q).bit_length() <= half - _LEAST_APART:
        raise _bad("p", "and key.q are equal, or too near to each other")
    return p, q


def _recover_primes(n: int, e: int, d: int) -> tuple[int, int]:
    """Find the primes from the exponents (NIST SP 800-56B, appendix C.1). Raises BadParameter."""
    odd, halvings = d * e - 1, 0
    while odd % 2 == 0:
        odd, halvings = odd // 2, halvings + 1
    for tried in range(_MOST_BASES):
        base = 2 + randbelow(n - 3)
        root = pow(base, odd, n)  # a tenth of a second and more, in which no other thread goes on
        for _ in range(halvings):
            square = root * root % n
            if square == 1 and root not in {1, n - 1}:
                p = math.gcd(root - 1, n)
                return p, n // p
            root = square
        if root != 1 or (not tried and _is_power(n, base)):
            break  # no sound key: e and d would undo each other, and no base finds anything in one prime
    raise _bad("d", "does not belong to the modulus and the public exponent")


def _is_power(n: int, base: int) -> bool:
    """Whether n looks like a prime, or a power of one: by Fermat, it then has a factor in common with base**n - base."""
    return math.gcd(pow(base, n, n) - base, n) != 1


def _check_crt(name: str, members: _Members, right: int) -> int:
    if members.optional(name, right) != right:
        raise _bad(name, "does not belong to the private exponent and the primes")
    return right


def _inverse(q: int, p: int) -> int:
    try:
        return pow(q, -1, p)
    except ValueError:
        raise _bad("p", "and key.q are not both primes") from None


def _read_ec(members: _Members, curve: str | None) -> PrivateJwk:
    if curve is None or curve not in CURVES:
        raise _bad("crv", f"is missing or unknown: a curve is one of {', '.join(CURVES)}")
    x, y, d = (_coordinate(members, name, CURVES[curve]) for name in ("x", "y", "d"))
    public = ec.EllipticCurvePublicNumbers(x, y, CURVES[curve])
    try:
        public.public_key()
    except ValueError:
        raise _bad("x", f"and key.y are no point of the curve {curve}") from None
    try:
        key = ec.derive_private_key(d, CURVES[curve])
    except ValueError:
        raise _bad("d", f"is no private key of the curve {curve}") from None
    if key.public_key().public_numbers() != public:
        raise _bad("d", "does not belong to the point of key.x and key.y")
    return PrivateJwk(KeyKind("EC", curve=curve), private_der(key))


def _coordinate(members: _Members, name: str, curve: ec.EllipticCurve) -> int:
    number = members.number(name)
    if number.bit_length() > curve.key_size:
        raise _bad(name, f"has more than the {curve.key_size} bits of the curve")
    return number


def _read_oct(members: _Members) -> PrivateJwk:
    octets = members.octets("k")
    if len(octets) * 8 not in OCT_SIZES:
        raise _bad("k", "is no key of 128, 192 or 256 bits")
    return PrivateJwk(KeyKind("oct", len(octets) * 8), octets)


def _bad(name: str, what: str) -> BadParameter:
    return BadParameter(f"key.{name} {what}.", f"key.{name}")
