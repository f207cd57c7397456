"""Shares of a key: enough of any of them make it, and what is none is known before it does harm."""

from itertools import combinations

import pytest

from certworker.crypto.passphrases import ScryptCost, check_passphrase, derive_from_passphrase, new_salt
from certworker.crypto.sealing import new_key
from certworker.crypto.shares import combine_shares, split_key
from certworker.errors import BadParameter

CHEAP = ScryptCost(log_n=4)


@pytest.mark.parametrize(("shares", "threshold"), [(2, 2), (5, 3), (4, 4), (255, 2)])
def test_enough_shares_make_the_key(shares: int, threshold: int) -> None:
    """Any so many of them do, and one fewer makes another key."""
    key = new_key()
    found, texts = split_key(key, shares, threshold)
    assert len(set(texts)) == shares
    for chosen in list(combinations(texts, threshold))[:20]:
        assert combine_shares([found.read(text) for text in chosen]) == key
    if threshold > 2:
        assert combine_shares([found.read(text) for text in texts[: threshold - 1]]) != key


def test_x_coordinates_are_drawn_anew_and_never_zero() -> None:
    """At zero a share would be the key itself; and two splits of one key do not go together."""
    key = new_key()
    drawn = [tuple(found.read(text)[-1] for text in texts) for found, texts in (split_key(key, 5, 3) for _ in range(20))]
    assert all(0 not in points and len(set(points)) == 5 for points in drawn)
    assert len(set(drawn)) == 20
    (first, one), (_, other) = split_key(key, 3, 2), split_key(key, 3, 2)
    with pytest.raises(BadParameter, match="of the set"):
        first.read(other[0])
    assert first.read(f" {one[0].upper()}\n") == first.read(one[0])


def test_a_wrong_share_is_known_by_itself() -> None:
    """A slip of the pen, a share that was made up with its check right, and what is no share at all."""
    found, texts = split_key(new_key(), 3, 2)
    slip = texts[0][:20] + ("0" if texts[0][20] != "0" else "1") + texts[0][21:]
    for text in (slip, "", "cws1-", texts[0][:-1], "cws2" + texts[0][4:], "ü"):
        with pytest.raises(BadParameter, match="no share"):
            found.read(text)
    _, others = split_key(new_key(), 3, 2)
    forged = type(found)(others[0].split("-")[1], 2, found.hashes)
    with pytest.raises(BadParameter, match="none of those"):
        forged.read(others[0])


@pytest.mark.parametrize(("shares", "threshold"), [(1, 1), (3, 1), (2, 3), (256, 3), (0, 0)])
def test_numbers_that_do_not_fit_are_refused(shares: int, threshold: int) -> None:
    """One share alone would be the key."""
    with pytest.raises(BadParameter):
        split_key(new_key(), shares, threshold)


def test_a_passphrase_gives_one_key_for_each_salt() -> None:
    """The same letters do, however they are composed; another salt, letter or cost gives another key."""
    salt = new_salt()
    key = derive_from_passphrase("grüne Wiese am Fluss", salt, CHEAP)
    assert derive_from_passphrase("gru\u0308ne Wiese am Fluss", salt, CHEAP) == key
    assert len(key) == 32
    assert derive_from_passphrase("grüne Wiese am Fluss", new_salt(), CHEAP) != key
    assert derive_from_passphrase("grüne Wiese am Fluß", salt, CHEAP) != key
    assert derive_from_passphrase("grüne Wiese am Fluss", salt, ScryptCost(log_n=5)) != key


def test_a_short_passphrase_is_not_taken() -> None:
    """Twelve characters are the least."""
    assert check_passphrase("x" * 12)
    with pytest.raises(BadParameter, match="12"):
        check_passphrase("x" * 11)
