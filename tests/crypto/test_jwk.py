"""Private keys as JWK: what is sound is read as it is, what is not is refused by the member's name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from time import thread_time
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from certworker.crypto.jwk import read_private_jwk
from certworker.crypto.keys import CURVES, KeyKind, base64url, generate_material, key_kind, public_der
from certworker.errors import BadParameter

Members = dict[str, str]
Change = Callable[[Members], Mapping[str, str]]
RSA_2048: Final = KeyKind("RSA", 2048)


def shown(number: int) -> str:
    """Show a number as a member of a JWK."""
    return base64url(number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big"))


@cache
def rsa_numbers() -> rsa.RSAPrivateNumbers:
    """Make one RSA key for all tests."""
    key = load_der_private_key(generate_material(RSA_2048), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.private_numbers()


def rsa_members() -> Members:
    """Show it as a JWK."""
    numbers = rsa_numbers()
    public = numbers.public_numbers
    parts = {"n": public.n, "e": public.e, "d": numbers.d, "p": numbers.p, "q": numbers.q}
    crt = {"dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
    return {name: shown(number) for name, number in (parts | crt).items()}


def ec_members(curve: str = "P-256", secret: int = 0x1234567) -> Members:
    """Show an EC key as a JWK."""
    key = ec.derive_private_key(secret, CURVES[curve])
    point, size = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
    numbers = {"x": point.x, "y": point.y, "d": secret}
    return {"crv": curve} | {name: base64url(number.to_bytes(size, "big")) for name, number in numbers.items()}


def number_of(name: str) -> int:
    """Give the number of a member."""
    return {"n": rsa_numbers().public_numbers.n, "d": rsa_numbers().d, "p": rsa_numbers().p}[name]


def test_an_rsa_key_is_read() -> None:
    """With all its parts it is the key that it was."""
    found = read_private_jwk("RSA", rsa_members())
    assert found.kind == RSA_2048
    key = load_der_private_key(found.private_key, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.private_numbers() == rsa_numbers()
    assert key_kind(public_der(found.private_key)) == RSA_2048


@pytest.mark.parametrize("missing", [("dp",), ("dq", "qi"), ("dp", "dq", "qi"), ("p", "q", "dp", "dq", "qi")])
def test_missing_crt_parts_are_computed(missing: tuple[str, ...]) -> None:
    """n, e and d are the whole key; the rest only makes it quick."""
    members = {name: value for name, value in rsa_members().items() if name not in missing}
    key = load_der_private_key(read_private_jwk("RSA", members).private_key, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    assert {numbers.p, numbers.q} == {rsa_numbers().p, rsa_numbers().q}
    assert numbers.d == rsa_numbers().d


def with_(**numbers: int) -> Change:
    """Replace members."""
    return lambda members: members | {name: shown(number) for name, number in numbers.items()}


def without(*names: str) -> Change:
    """Leave members out."""
    return lambda members: {name: value for name, value in members.items() if name not in names}


def shift(name: str, by: int) -> Change:
    """Change a member by a little."""
    return lambda members: members | {name: shown(number_of(name) + by)}


def with_a_square(members: Members) -> Mapping[str, str]:
    """Have p = q, and everything else as it would follow."""
    p = rsa_numbers().p
    order = p - 1
    d = pow(65537, -1, order)
    parts = {"n": p * p, "p": p, "q": p, "d": d + (p * p // order - 2) * order}
    return without("dp", "dq", "qi")(members | {name: shown(number) for name, number in parts.items()})


def with_a_composite(members: Members) -> Mapping[str, str]:
    """Have a p that is no prime, and everything else as it would follow if it were."""
    q = rsa_numbers().q
    p = next(number for number in range((3 << 1022) + 3, 1 << 1024, 6) if _fits(number, q))
    n, order = p * q, (p - 1) * (q - 1)
    parts = {"n": n, "p": p, "q": q, "d": pow(65537, -1, order)}
    return without("dp", "dq", "qi")(members | {name: shown(number) for name, number in parts.items()})


def _fits(p: int, q: int) -> bool:
    order = (p - 1) * (q - 1)
    return p.bit_length() == 1024 and (p * q).bit_length() == 2048 and order % 65537 != 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (without("n"), "key.n"),
        (without("e"), "key.e"),
        (without("d"), "key.d"),
        (without("p"), "key.p"),
        (without("q"), "key.p"),
        (with_(e=3), "key.e"),
        (with_(e=65536), "key.e"),
        (with_(e=65538), "key.e"),
        (with_(e=2**32 + 1), "key.e"),
        (with_(e=65539), "key.d"),
        (with_(n=(1 << 1023) + 1), "key.n"),
        (with_(n=(1 << 2046) + 1), "key.n"),
        (with_(n=(1 << 8191) + 1), "key.n"),
        (with_(n=0), "key.n"),
        (shift("n", 1), "key.n"),
        (shift("n", 2), "key.n"),
        (shift("d", 2), "key.d"),
        (with_(d=1), "key.d"),
        (with_(d=1 << 2049), "key.d"),
        (lambda members: {**members, "d": members["n"]}, "key.d"),
        (shift("p", 2), "key.n"),
        (lambda members: {**members, "p": members["q"]}, "key.n"),
        (with_(p=1), "key.p"),
        (lambda members: {**members, "p": members["n"], "q": shown(1)}, "key.p"),
        (with_(dp=5), "key.dp"),
        (with_(dq=5), "key.dq"),
        (with_(qi=5), "key.qi"),
        (with_a_square, "key.p"),
        (with_a_composite, "key.p"),
        (lambda members: {**without("p", "q", "dp", "dq", "qi")(members), "d": shown(rsa_numbers().d + 2)}, "key.d"),
        (lambda members: {**members, "n": members["n"] + "!"}, "key.n"),
        (lambda members: {**members, "n": "A"}, "key.n"),
        (lambda members: {**members, "d": "A" * 3000}, "key.d"),
    ],
)
def test_an_unsound_rsa_key_is_refused(change: Change, field: str) -> None:
    """The error names the member that is wrong, and shows nothing of the key."""
    members = change(rsa_members())
    with pytest.raises(BadParameter) as caught:
        read_private_jwk("RSA", members)
    assert caught.value.field == field
    assert str(caught.value).startswith(field)
    assert not any(value[:12] in str(caught.value) for value in members.values() if len(value) > 12)


PRIME_2048: Final = 2**2048 - 1942289


@pytest.mark.parametrize("is_square", [False, True])
def test_a_prime_or_its_square_for_a_modulus_is_refused_soon(*, is_square: bool) -> None:
    """Where e and d undo each other and there are no two primes to be found, the search ends: it holds every thread up."""
    prime = rsa_numbers().p if is_square else PRIME_2048
    n, order = (prime * prime, prime * (prime - 1)) if is_square else (prime, prime - 1)
    members = {"n": shown(n), "e": shown(65537), "d": shown(pow(65537, -1, order))}
    begin = thread_time()
    pow(3, order, n)
    one = thread_time() - begin
    begin = thread_time()
    with pytest.raises(BadParameter, match=r"key\.d does not belong to the modulus"):
        read_private_jwk("RSA", members)
    assert thread_time() - begin < 8 * one


@pytest.mark.parametrize("curve", CURVES)
def test_an_ec_key_is_read(curve: str) -> None:
    """On every curve that a vault has."""
    found = read_private_jwk("EC", ec_members(curve))
    assert found.kind == KeyKind("EC", curve=curve)
    key = load_der_private_key(found.private_key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.private_numbers().private_value == 0x1234567


ORDER_OF_P256: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (without("crv"), "key.crv"),
        (lambda members: {**members, "crv": "P-192"}, "key.crv"),
        (without("x"), "key.x"),
        (without("y"), "key.y"),
        (without("d"), "key.d"),
        (with_(x=1, y=1), "key.x"),
        (with_(x=0, y=0), "key.x"),
        (lambda members: {**members, "crv": "P-256K"}, "key.x"),
        (lambda members: {**members, "x": shown(1 << 300)}, "key.x"),
        (with_(d=0), "key.d"),
        (with_(d=5), "key.d"),
        (with_(d=ORDER_OF_P256), "key.d"),
        (with_(d=ORDER_OF_P256 + 0x1234567), "key.d"),
        (lambda members: {**members, "y": members["y"][:-1] + "!"}, "key.y"),
    ],
)
def test_an_unsound_ec_key_is_refused(change: Change, field: str) -> None:
    """A point that is off the curve, or not the private key's own, among others."""
    with pytest.raises(BadParameter) as caught:
        read_private_jwk("EC", change(ec_members()))
    assert caught.value.field == field


@pytest.mark.parametrize("size", [128, 192, 256])
def test_an_oct_key_is_read(size: int) -> None:
    """Its octets are the key."""
    found = read_private_jwk("oct", {"k": base64url(b"\0" + b"k" * (size // 8 - 1))})
    assert (found.kind, found.private_key) == (KeyKind("oct", size), b"\0" + b"k" * (size // 8 - 1))
    assert "kkkk" not in repr(found)


@pytest.mark.parametrize("octets", [b"", b"k" * 15, b"k" * 17, b"k" * 64])
def test_an_oct_key_of_another_size_is_refused(octets: bytes) -> None:
    """Only what AES takes."""
    with pytest.raises(BadParameter, match=r"key\.k"):
        read_private_jwk("oct", {"k": base64url(octets)})


@pytest.mark.parametrize("kty", ["", "rsa", "RSA-HSM", "OKP"])
def test_another_type_is_refused(kty: str) -> None:
    """The error says which there are."""
    with pytest.raises(BadParameter, match=r"key\.kty"):
        read_private_jwk(kty, rsa_members())


def test_a_key_with_another_exponent_is_made_and_read() -> None:
    """An exponent that the library makes no keys with is put to its primes, and the key is sound."""
    kind = replace(RSA_2048, exponent=65539)
    made = generate_material(kind)
    assert key_kind(public_der(made)) == kind
    key = load_der_private_key(made, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    members = {"n": shown(numbers.public_numbers.n), "e": shown(65539), "d": shown(numbers.d)}
    assert read_private_jwk("RSA", members).kind == kind
