"""Keys as numbers, and numbers as keys again."""

import pytest

from certworker.crypto.key_numbers import (
    EcNumbers,
    RsaNumbers,
    curve_parameters,
    ec_public_der,
    private_numbers,
    rsa_public_der,
)
from certworker.crypto.keys import CURVES, KeyKind, generate_material, load_private, public_der


def test_an_rsa_keys_numbers_belong_together() -> None:
    """Each number is what RFC 8017 section 3.2 says, and the public ones make the same public key."""
    der = generate_material(KeyKind("RSA", 2048))
    numbers = private_numbers(der)
    assert isinstance(numbers, RsaNumbers)
    n, e, d, p, q, dp, dq, qi = (int.from_bytes(getattr(numbers, name), "big") for name in RsaNumbers.__slots__)
    assert n == p * q
    assert (dp, dq, qi * q % p) == (d % (p - 1), d % (q - 1), 1)
    assert pow(pow(2, e, n), d, n) == 2
    assert rsa_public_der(numbers.modulus, numbers.public_exponent) == public_der(der)
    assert str(d) not in repr(numbers)


@pytest.mark.parametrize("curve", CURVES)
def test_an_ec_keys_numbers_have_the_curves_size(curve: str) -> None:
    """The secret number is as long as the curve wants it; the parameters name the curve, and no number is shown."""
    der = generate_material(KeyKind("EC", None, curve))
    numbers = private_numbers(der)
    assert isinstance(numbers, EcNumbers)
    assert len(numbers.private) == (CURVES[curve].key_size + 7) // 8
    assert numbers.parameters == curve_parameters(curve)
    assert numbers.parameters in public_der(der)
    assert "private=" not in repr(numbers)


@pytest.mark.parametrize("curve", CURVES)
def test_a_point_is_taken_bare_and_wrapped(curve: str) -> None:
    """Tokens give the point as a DER OCTET STRING, as the standard says, or bare; what is no point of the curve is refused."""
    der = generate_material(KeyKind("EC", None, curve))
    size = (CURVES[curve].key_size + 7) // 8
    point = public_der(der)[-(1 + 2 * size) :]
    length = bytes([len(point)]) if len(point) < 128 else bytes([0x81, len(point)])
    assert ec_public_der(curve, point) == ec_public_der(curve, b"\x04" + length + point) == public_der(der)
    assert load_private(der).key_size == CURVES[curve].key_size
    with pytest.raises(ValueError, match=r"."):
        ec_public_der(curve, point[:-1] + bytes([point[-1] ^ 1]))
