"""A seal opens at its own place under its own key, and nowhere else."""

import hmac
import os

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from certworker.crypto.sealing import KEY_SIZE, SealingKey, key_id, new_key, open_sealed, seal, term_of
from certworker.errors import SealBroken

KEY = SealingKey(7, new_key())
PLACE = "vault/secret/WEB/1"


@given(st.binary(max_size=300), st.text(st.characters(exclude_categories=["Cs"]), max_size=30), st.integers(0, 2**32 - 1))
def test_what_was_sealed_opens(plaintext: bytes, place: str, term: int) -> None:
    """Any plaintext, at any place, under any term."""
    key = SealingKey(term, new_key())
    sealed = seal(key, plaintext, place)
    assert open_sealed(key, sealed, place) == plaintext
    assert term_of(sealed) == term


@pytest.mark.parametrize("plaintext", [b"", b"\0" * 5_000_000])
def test_nothing_and_much_can_be_sealed(plaintext: bytes) -> None:
    """An empty plaintext and one of megabytes come back."""
    assert open_sealed(KEY, seal(KEY, plaintext, PLACE), PLACE) == plaintext


def test_a_flipped_bit_anywhere_is_noticed() -> None:
    """Format, term, salt, ciphertext and tag are all under the seal."""
    sealed = seal(KEY, b"secret", PLACE)
    for bit in range(len(sealed) * 8):
        altered = bytearray(sealed)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            open_sealed(KEY, bytes(altered), PLACE)


@pytest.mark.parametrize("length", range(60))
def test_a_seal_that_was_cut_off_is_noticed(length: int) -> None:
    """However little is left of it."""
    with pytest.raises(SealBroken):
        open_sealed(KEY, seal(KEY, b"secret-value", PLACE)[:length], PLACE)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (KEY, "vault/secret/WEB/2"),
        (KEY, PLACE + " "),
        (KEY, ""),
        (SealingKey(KEY.term, new_key()), PLACE),
        (SealingKey(KEY.term + 1, KEY.key), PLACE),
    ],
    ids=["another version", "a longer place", "no place", "another key", "another term"],
)
def test_a_seal_opens_nowhere_else(key: SealingKey, place: str) -> None:
    """Moved, or looked at with another key or under another term, it stays shut; the error does not tell what is in it."""
    with pytest.raises(SealBroken) as refusal:
        open_sealed(key, seal(KEY, b"secret", PLACE), place)
    assert "secret\n" not in str(refusal.value)


def test_the_same_is_never_sealed_the_same_way() -> None:
    """Each seal has a salt of its own."""
    seals = [seal(KEY, b"secret", PLACE) for _ in range(1000)]
    assert len({sealed[5:37] for sealed in seals}) == len({sealed[37:] for sealed in seals}) == 1000


def test_what_a_key_remembers_opens_nothing_else() -> None:
    """A record that was opened before opens again, and is refused as before once it is altered, moved or of another key."""
    sealed, other = seal(KEY, b"secret", PLACE), SealingKey(KEY.term, new_key())
    for _ in range(2):
        assert open_sealed(KEY, sealed, PLACE) == b"secret"
        for key, altered, place in (
            (KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]), PLACE),
            (KEY, sealed, PLACE + "2"),
            (other, sealed, PLACE),
        ):
            with pytest.raises(SealBroken):
                open_sealed(key, altered, place)


def test_a_key_remembers_a_bounded_number_of_records() -> None:
    """However many are opened under it; and it tells nothing of them."""
    key = SealingKey(1, new_key())
    seals = [seal(key, b"secret", str(number)) for number in range(300)]
    assert [open_sealed(key, sealed, str(number)) for number, sealed in enumerate(seals)] == [b"secret"] * 300
    assert key.derived.cache_info().currsize == 256  # type: ignore[attr-defined]  # it is an lru_cache
    assert repr(key) == "SealingKey(term=1)"


def test_each_record_has_a_key_of_its_own_made_as_the_standard_says() -> None:
    """HKDF of RFC 5869, spelled out: with it alone the record opens, and with the vault key itself it does not."""
    sealed = seal(KEY, b"secret", PLACE)
    header, salt, ciphertext = sealed[:5], sealed[5:37], sealed[37:]
    extracted = hmac.digest(salt, KEY.key, "sha256")
    first = hmac.digest(extracted, b"certworker record\x01", "sha256")
    second = hmac.digest(extracted, first + b"certworker record\x02", "sha256")
    assert header == b"\x02" + (7).to_bytes(4, "big")
    assert AESGCM(first).decrypt(second[:12], ciphertext, header + PLACE.encode()) == b"secret"
    with pytest.raises(InvalidTag):
        AESGCM(KEY.key).decrypt(second[:12], ciphertext, header + PLACE.encode())


def test_what_was_sealed_in_the_first_format_still_opens() -> None:
    """There the vault key itself seals, under a random nonce; a bit of it that was flipped is noticed as well."""
    header, nonce = b"\x01" + (7).to_bytes(4, "big"), os.urandom(12)
    old = header + nonce + AESGCM(KEY.key).encrypt(nonce, b"secret", header + PLACE.encode())
    assert term_of(old) == 7
    assert open_sealed(KEY, old, PLACE) == b"secret"
    with pytest.raises(SealBroken):
        open_sealed(KEY, old[:-1] + bytes([old[-1] ^ 1]), PLACE)
    with pytest.raises(SealBroken):
        open_sealed(KEY, b"\x02" + old[1:], PLACE)


def test_a_key_is_named_without_being_shown() -> None:
    """Neither `repr` nor the key's id contains it."""
    shown = repr(KEY) + str(KEY) + f"{KEY}" + key_id(KEY.key)
    assert len(KEY.key) == KEY_SIZE
    assert KEY.key.hex() not in shown
    assert repr(KEY.key) not in shown
    assert key_id(KEY.key) != key_id(new_key())
