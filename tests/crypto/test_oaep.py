"""OAEP taken off by hand, against the library's own."""

import hashlib
from random import Random

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from certworker.crypto.oaep import _mask, _xor, remove_oaep
from certworker.errors import BadParameter

HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """Make a key."""
    return rsa.generate_private_key(65537, 2048)


def raw(key: rsa.RSAPrivateKey, ciphertext: bytes) -> bytes:
    """Decrypt without a look at the padding, as a token does."""
    numbers = key.private_numbers()
    number = pow(int.from_bytes(ciphertext, "big"), numbers.d, numbers.public_numbers.n)
    return number.to_bytes(256, "big")


@pytest.mark.parametrize("name", HASHES)
@pytest.mark.parametrize("text", [b"", b"\0", b"\1", b"\0\0\1\1\0", b"a key of 32 bytes, or about that", bytes(190)])
def test_what_the_library_padded_comes_back(key: rsa.RSAPrivateKey, name: str, text: bytes) -> None:
    """Texts of all lengths, with bytes that look like the padding's own, come back as they were."""
    scheme = padding.OAEP(padding.MGF1(HASHES[name]()), HASHES[name](), None)
    assert remove_oaep(raw(key, key.public_key().encrypt(text, scheme)), name, "no") == text


@pytest.mark.parametrize("name", HASHES)
def test_what_the_library_refuses_is_refused(key: rsa.RSAPrivateKey, name: str) -> None:
    """Any altered byte, another hash and another label are refused, in the text that was given."""
    scheme = padding.OAEP(padding.MGF1(HASHES[name]()), HASHES[name](), None)
    block = raw(key, key.public_key().encrypt(b"text", scheme))
    random = Random(1)
    for place in random.sample(range(256), 64):
        altered = bytearray(block)
        altered[place] ^= random.randrange(1, 256)
        with pytest.raises(BadParameter, match=r"^all the same$"):
            remove_oaep(bytes(altered), name, "all the same")
    other = next(one for one in HASHES if one != name)
    labelled = padding.OAEP(padding.MGF1(HASHES[name]()), HASHES[name](), b"label")
    for bad, hash_name in (
        (block, other),
        (raw(key, key.public_key().encrypt(b"text", labelled)), name),
        (bytes(256), name),
        (block[:40], name),
        (b"", name),
    ):
        with pytest.raises(BadParameter, match=r"^all the same$"):
            remove_oaep(bad, hash_name, "all the same")


def test_padding_without_an_end_is_refused() -> None:
    """A block whose hash is right, but in which no 01 ends the zeros, or another byte stands before it, is refused."""
    for rest, is_right in ((bytes(40), False), (b"\0\2\1" + bytes(37), False), (b"\0\1" + b"x" * 38, True)):
        data, seed = hashlib.sha256().digest() + rest, b"s" * 32
        masked = _xor(data, _mask(seed, len(data), "sha256"))
        block = b"\0" + _xor(seed, _mask(masked, 32, "sha256")) + masked
        if is_right:
            assert remove_oaep(block, "sha256", "no") == b"x" * 38
        else:
            with pytest.raises(BadParameter):
                remove_oaep(block, "sha256", "no")
