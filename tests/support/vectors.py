"""Published test vectors, as `cryptography-vectors` carries them: read record by record, and keys in them as JWKs."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography_vectors import open_vector_file

from certworker.crypto.keys import CURVES, base64url

Record = Mapping[str, str]
_SECTION: Final = re.compile(r"\[(?P<name>[^=\]]+?)(?: *= *(?P<value>[^\]]*))?\]")
_FIELD: Final = re.compile(r"(?P<name>[A-Za-z][\w ]*?) *=(?P<value>.*)")
_TITLE: Final = re.compile(r"# *(?P<name>[A-Za-z][\w .#-]*?):? *$")


def records(filename: str, last: str) -> Iterator[Record]:
    """Read NIST's form: paragraphs of fields. Those without the field `last` are about what comes after them.

    A section in brackets is a field of what it begins; `[P-256,SHA-256]` has the name "section".
    """
    about: dict[str, str] = {}
    for paragraph in _paragraphs(filename):
        fields = dict(_fields(paragraph))
        if last in fields:
            yield about | fields
        else:
            about |= fields


def labelled(filename: str, last: str) -> Iterator[Record]:
    """Read RSA's form: hex under comments. A record ends with `last`, and has what stood there before as well."""
    fields: dict[str, str] = {}
    name = ""
    for line in (*_lines(filename), ""):
        title = _TITLE.match(line)
        if (title or not line) and name == last and fields[name]:
            yield dict(fields)
            name = ""
        if title:
            name = title["name"]
            fields[name] = ""
        elif name and re.fullmatch(r"[0-9a-fA-F ]+", line):
            fields[name] += line.replace(" ", "")


def private_keys(filename: str) -> Mapping[str, ec.EllipticCurvePrivateKey]:
    """Read the named private keys, in PEM, of OpenSSL's form; those on curves that a vault has."""
    names, found = {curve.name for curve in CURVES.values()}, {}
    text = "\n".join(_lines(filename))
    for match in re.finditer(r"PrivateKey *= *(\S+)\n(-----BEGIN[^-]*-----[^-]*-----END[^-]*-----)", text):
        with suppress(UnsupportedAlgorithm):
            key = load_pem_private_key(match[2].encode(), None)
            if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in names:
                found[match[1]] = key
    return found


def _paragraphs(filename: str) -> Iterator[list[str]]:
    paragraph: list[str] = []
    for line in _lines(filename):
        if line:
            paragraph.append(line)
        elif paragraph:
            yield paragraph
            paragraph = []
    if paragraph:
        yield paragraph


def _fields(paragraph: list[str]) -> Iterator[tuple[str, str]]:
    for line in paragraph:
        if section := _SECTION.fullmatch(line):
            yield (section["name"], section["value"]) if section["value"] is not None else ("section", section["name"])
        elif field := _FIELD.fullmatch(line):
            yield field["name"], field["value"].strip()
        elif not line.startswith(("#", "-----")):
            yield line, ""


def _lines(filename: str) -> Iterator[str]:
    with open_vector_file(filename, "r") as file:
        for line in file:
            yield line.strip()


@lru_cache
def rsa_jwk(p: int, q: int, e: int) -> Record:
    """Show an RSA key as a private JWK (RFC 7518 section 6.3), by its primes."""
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = {"n": p * q, "e": e, "d": d, "p": p, "q": q}
    numbers |= {"dp": rsa.rsa_crt_dmp1(d, p), "dq": rsa.rsa_crt_dmq1(d, q), "qi": rsa.rsa_crt_iqmp(p, q)}
    return {"kty": "RSA", **{name: _base64url(number) for name, number in numbers.items()}}


@lru_cache
def rsa_jwk_of(n: int, e: int, d: int) -> Record:
    """Show an RSA key as a private JWK, by its exponents."""
    return rsa_jwk(*rsa.rsa_recover_prime_factors(n, e, d), e)


def ec_jwk(curve: str, d: int) -> dict[str, str]:
    """Show an EC key as a private JWK (RFC 7518 section 6.2)."""
    return ec_jwk_of(ec.derive_private_key(d, CURVES[curve]))


def ec_jwk_of(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Show an EC key as a private JWK."""
    numbers, size = key.private_numbers(), (key.key_size + 7) // 8
    curve = next(name for name, curve in CURVES.items() if curve.name == key.curve.name)
    parts = {"x": numbers.public_numbers.x, "y": numbers.public_numbers.y, "d": numbers.private_value}
    return {"kty": "EC", "crv": curve, **{name: base64url(number.to_bytes(size, "big")) for name, number in parts.items()}}


def oct_jwk(octets: bytes) -> dict[str, str]:
    """Show an oct key as a JWK (RFC 7518 section 6.4)."""
    return {"kty": "oct", "k": base64url(octets)}


def _base64url(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
