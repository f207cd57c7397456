"""Passwords: hashed slowly, each with a salt of its own, and fit to be chosen."""

import pytest

from certworker.crypto.passphrases import ScryptCost
from certworker.crypto.passwords import check_password_strength, hash_password, new_password, password_matches
from certworker.errors import BadParameter
from tests.support.costs import PASSWORD_LOG_N


def test_a_password_matches_its_hash_alone() -> None:
    """However a keyboard composes its letters; an empty, a longer and a missing one do not."""
    hashed = hash_password("Grüße-an-9-alle")
    assert hashed != hash_password("Grüße-an-9-alle")
    assert "Gr" not in hashed
    assert password_matches("Gru\u0308ße-an-9-alle", hashed)
    for wrong in ("", "Grüße-an-9-all", "Grüße-an-9-allee", "Grüße-an-9-alle" + "x" * 300, "\ud800"):
        assert not password_matches(wrong, hashed)
    assert not password_matches("", None)


def test_a_guess_is_dear() -> None:
    """Of a password as of a passphrase; the tests alone make it cheap."""
    assert PASSWORD_LOG_N >= 15
    assert ScryptCost().log_n >= 17


@pytest.mark.parametrize("password", ["Ab1-efg", "a" * 257 + "B1", "abcdefgh", "ABCDEFG1", "Ada-Ada-99", "Abc1defg\ud800"])
def test_what_is_guessed_first_is_refused(password: str) -> None:
    """Too short, too long, of too few kinds, with the user's name, or no text; the words do not repeat it."""
    with pytest.raises(BadParameter) as refusal:
        check_password_strength(password, "ada@contoso.test")
    assert password not in str(refusal.value)


def test_a_made_password_is_fit_to_be_chosen() -> None:
    """And is another one each time."""
    made = {check_password_strength(new_password(), "ada@contoso.test") for _ in range(20)}
    assert len(made) == 20
