"""Properties of patterns and scopes: what a pattern covers, and that no scope is taken for another that begins alike."""

import string
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.vault.rights.roles import Permission, RoleDefinition, matches
from certworker.vault.rights.scopes import ROOT, covers, fold_scope

SEGMENTS = st.text(string.ascii_letters + string.digits + "-._()", min_size=1, max_size=8)
SCOPES = st.lists(SEGMENTS, max_size=6).map(lambda segments: "/" + "/".join(segments))
ACTIONS = st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join)
PATTERNS = st.text(string.ascii_letters + "*/.+[]^$?\\", max_size=16)
STARRED = st.text("a*/", max_size=10)


def by_hand(pattern: str, action: str) -> bool:
    """Match as one would without expressions; a star between slashes may stand for nothing, one of the slashes with it."""
    places = [place for place in range(len(pattern)) if pattern.startswith("/*/", place)]
    return by_hand_alone(pattern, action) or any(by_hand(pattern[:place] + pattern[place + 2 :], action) for place in places)


def by_hand_alone(pattern: str, action: str) -> bool:
    """Match piece by piece, the first piece at the start and the last one at the end."""
    pattern, action = pattern.lower(), action.lower()
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == action
    last = rest.pop()
    if not action.startswith(first) or len(action) < len(first) + len(last) or not action.endswith(last):
        return False
    middle, at = action[len(first) : len(action) - len(last)], 0
    for piece in rest:
        at = middle.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


@given(PATTERNS, st.one_of(ACTIONS, st.text(string.ascii_letters + "*/.+[]^$?\\\n", max_size=24)))
def test_only_a_star_stands_for_anything_else(pattern: str, action: str) -> None:
    """Nothing else in a pattern means more than itself, and case means nothing."""
    assert matches(pattern, action) == by_hand(pattern, action)


@given(STARRED, st.text("ab/", max_size=12))
def test_many_stars_match_as_one_would(pattern: str, action: str) -> None:
    """Between slashes, beside each other, at either end."""
    assert matches(pattern, action) == by_hand(pattern, action)


@given(ACTIONS, st.integers(0, 40), st.integers(0, 40))
def test_a_star_stands_for_any_part_of_an_action(action: str, start: int, length: int) -> None:
    """Slashes among it, in any case."""
    pattern = action[:start] + "*" + action[start + length :]
    assert matches(pattern, action)
    assert matches(pattern.upper(), action.swapcase())
    assert matches(action, action)
    assert not matches(action, f"{action}x")
    assert not matches(action, f"x{action}")


@pytest.mark.parametrize(
    ("pattern", "action", "covered"),
    [
        ("*", "", True),
        ("*/read", "Microsoft.KeyVault/vaults/read", True),
        ("*/read", "Microsoft.KeyVault/vaults/reader", False),
        ("Microsoft.KeyVault/vaults/secrets/*", "Microsoft.KeyVault/vaults/secrets", False),
        ("Microsoft.KeyVault/vaults/key*/read", "Microsoft.KeyVault/vaults/keyrotationpolicies/read", True),
        ("Microsoft.KeyVault/vaults/*/read", "microsoft.keyvault/VAULTS/keys/READ", True),
        ("Microsoft.KeyVault/vaults/*/read", "MicrosoftXKeyVault/vaults/keys/read", False),
        ("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/read", True),
        ("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaultsread", False),
    ],
)
def test_patterns_of_roles(pattern: str, action: str, covered: bool) -> None:  # noqa: FBT001
    """As roles have them."""
    assert matches(pattern, action) is covered


@pytest.mark.parametrize("piece", ["*", "*a", "a*", "*/", "/*", "*s*/"])
def test_no_pattern_takes_long(piece: str) -> None:
    """Whoever may make roles cannot hold up everybody's decisions by one with many stars."""
    action = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    pattern, begun = f"M{piece * 400}#", process_time()
    assert not matches(pattern, action)
    assert not matches(pattern, action * 20)
    assert process_time() - begun < 1


@given(SCOPES, SCOPES)
def test_a_scope_covers_itself_and_what_is_below_it(above: str, below: str) -> None:
    """In any case, with or without a slash at its end; and never what only begins with the same letters."""
    folded, target = fold_scope(above), fold_scope(above + below)
    assert covers(folded, target)
    assert covers(fold_scope(above.upper() + "/"), target)
    assert covers(ROOT, target)
    if folded != ROOT:
        assert not covers(folded, folded + "x")
        assert not covers(folded, fold_scope(f"{above}x{below}"))
        assert not covers(folded, ROOT)


@given(SCOPES, SCOPES)
def test_scopes_cover_as_their_segments_do(one: str, other: str) -> None:
    """Segment by segment."""
    mine, theirs = ([part for part in fold_scope(scope).split("/") if part] for scope in (one, other))
    assert covers(fold_scope(one), fold_scope(other)) == (theirs[: len(mine)] == mine)


def test_what_a_permission_takes_out_another_one_can_grant() -> None:
    """Actions and data actions are apart; what is taken out is taken out of its own permission only."""
    keys, all_but_purge = "Microsoft.KeyVault/vaults/keys", Permission(data_actions=("*",), not_data_actions=("*/purge/*",))
    role = RoleDefinition("1", "Keeper", "", (all_but_purge,))
    assert role.permits(f"{keys}/read", data=True)
    assert not role.permits(f"{keys}/read")
    assert not role.permits(f"{keys}/purge/action", data=True)
    purging = RoleDefinition("2", "Purger", "", (all_but_purge, Permission(data_actions=(f"{keys}/purge/action",))))
    assert purging.permits(f"{keys}/purge/action", data=True)
    assert not purging.permits("Microsoft.KeyVault/vaults/secrets/purge/action", data=True)
