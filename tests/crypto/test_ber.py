"""BER is looked into without belief: rounds and keys are counted, and nothing that was sent breaks the reader."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    pkcs12,
)
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given, settings
from hypothesis import strategies as st

from certworker.crypto.ber import count_key_bags, read_elements, stretching_rounds
from certworker.crypto.imports import read_pem, read_pkcs12
from certworker.errors import BadParameter
from tests.support.parcels import a_parcel

PARCEL = a_parcel()


def tlv(tag: int, *parts: bytes) -> bytes:
    """Write an element in DER."""
    content = b"".join(parts)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def number(value: int) -> bytes:
    """Write an INTEGER."""
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


SALT = tlv(4, b"saltsalt")


@pytest.mark.parametrize(
    ("data", "rounds"),
    [
        (tlv(0x30, SALT, number(2048)), 2048),
        (tlv(0x30, SALT, number(2048), number(32)), 2048),
        (tlv(0x30, SALT, number(16384), number(8), number(2)), 16384 * 8 * 2),
        (tlv(0x30, tlv(0x30, SALT, number(5)), tlv(4, tlv(0x30, SALT, number(7)))), 12),
        (tlv(0x30, tlv(0x24, tlv(4, tlv(0x30, SALT, number(2048))[:5]), tlv(4, tlv(0x30, SALT, number(2048))[5:]))), 2048),
        (tlv(0x30, number(2048), SALT), 0),
        (tlv(0x30, tlv(4, b"\x30random, and no SEQUENCE")), 0),
        (b"\x30\x80" + SALT + number(300) + b"\0\0", 300),
        (b"\x30\x80\x24\x80" + tlv(4, tlv(0x30, SALT, number(300))) + b"\0\0\0\0", 300),
    ],
)
def test_rounds_are_counted(data: bytes, rounds: int) -> None:
    """PBKDF2's, scrypt's, in octets, in pieces of octets, and where no length is said."""
    assert stretching_rounds(read_elements(data)) == rounds


@pytest.mark.parametrize("rounds", [1, 2048, 20000])
def test_a_real_file_says_its_rounds(rounds: int) -> None:
    """Those of the MAC are among them; and it has one key."""
    key, leaf = load_der_private_key(PARCEL.key, None), load_der_x509_certificate(PARCEL.leaf)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds).build(b"pw")
    elements = read_elements(pkcs12.serialize_key_and_certificates(None, key, leaf, None, builder))
    assert 2 * rounds <= stretching_rounds(elements) <= 3 * rounds + 2048
    assert count_key_bags(elements) == 1


@given(st.binary(max_size=200))
def test_nothing_breaks_the_reader(data: bytes) -> None:
    """Any bytes are read, or refused as what they are not."""
    try:
        elements = read_elements(data)
    except ValueError:
        return
    assert stretching_rounds(elements) >= 0
    assert count_key_bags(elements) >= 0


@settings(deadline=None, max_examples=15)  # each is opened in a process of its own
@given(st.binary(max_size=60), st.floats(0, 1, exclude_max=True))
def test_nothing_breaks_the_reader_of_pkcs12(junk: bytes, place: float) -> None:
    """Nor does a file in which a part was written over."""
    data = bytearray(base64.b64decode(PARCEL.pfx()))
    begin = int(place * len(data))
    data[begin : begin + len(junk)] = junk
    try:
        read_pkcs12(bytes(data), None)
    except BadParameter as error:
        assert str(error)  # noqa: PT017 - what is said is not the matter here


@pytest.mark.parametrize(
    "data", [b"\x30" * 5000, b"\x30\x80" * 5000, b"\x1f\x81\x01\x00", b"\x30\x84\xff\xff\xff\xff", b"\x30"]
)
def test_what_is_too_deep_or_cut_off_is_refused(data: bytes) -> None:
    """Without a stack that overflows."""
    with pytest.raises(ValueError, match=r"BER|cut off"):
        read_elements(data)


@pytest.mark.parametrize("password", [None, "pw"])
def test_pkcs12_in_ber_is_read(password: str | None) -> None:
    """Old software writes files that do not say their length."""
    key, leaf = load_der_private_key(PARCEL.key, None), load_der_x509_certificate(PARCEL.leaf)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    der = pkcs12.serialize_key_and_certificates(None, key, leaf, None, encryption)
    assert der[1] == 0x82
    found = read_pkcs12(b"\x30\x80" + der[4:] + b"\0\0", password)
    assert (found.private_key, found.leaf) == (PARCEL.key, PARCEL.leaf)


def test_octets_in_octets_are_not_read_twice_at_every_level() -> None:
    """A small content does not ask for a long look: each level would double it."""
    content = tlv(0x30, *[b"\x05\x00"] * 20_000)
    for _ in range(6):
        content = tlv(0x30, tlv(0x24, tlv(4, content)))
    with pytest.raises(ValueError, match="too much"):
        read_elements(content)


@pytest.mark.long
def test_rounds_that_no_look_finds_are_cut_short() -> None:
    """They can lie behind what cannot be read, or inside of the file's own encryption: the time is limited as well."""
    scheme = tlv(0x30, tlv(6, bytes.fromhex("2a864886f70d010c0103")), tlv(0x30, SALT, number(2_000_000_000)))
    shrouded = tlv(0x30, tlv(6, bytes.fromhex("2a864886f70d010c0a0102")), tlv(0xA0, tlv(0x30, scheme, tlv(4, bytes(64)))))
    data = tlv(6, bytes.fromhex("2a864886f70d010701"))
    safe = tlv(0x30, tlv(0x30, data, tlv(0xA0, tlv(4, tlv(0x30, shrouded)))))
    hidden = tlv(0x30, number(3), tlv(0x30, data, tlv(0xA0, tlv(4, safe, b"\0"))))
    assert stretching_rounds(read_elements(hidden)) == 0
    with pytest.raises(BadParameter, match="too much work"):
        read_pkcs12(hidden, "pw")


def test_scrypt_with_too_much_memory_is_refused() -> None:
    """The rounds are few enough, and yet it cannot be done."""
    scrypt = tlv(0x30, tlv(6, bytes.fromhex("2b06010401da47040b")), tlv(0x30, SALT, number(2**20), number(1), number(1)))
    cipher = tlv(0x30, tlv(6, bytes.fromhex("60864801650304012a")), tlv(4, bytes(16)))
    scheme = tlv(0x30, tlv(6, bytes.fromhex("2a864886f70d01050d")), tlv(0x30, scrypt, cipher))
    key = base64.encodebytes(tlv(0x30, scheme, tlv(4, bytes(64))))
    pem = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n%b-----END ENCRYPTED PRIVATE KEY-----\n" % key
    with pytest.raises(BadParameter, match="not supported"):
        read_pem(pem, "pw")


def test_pem_that_only_begins_is_refused_at_once() -> None:
    """Each beginning would be followed to the end of the text."""
    with pytest.raises(BadParameter, match="20000 blocks"):
        read_pem(b"-----BEGIN X-----" * 20_000, None)
