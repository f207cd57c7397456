"""Access policies as the management plane sends them: what is taken, what is refused and why, how lists are put together."""

from typing import Any

import pytest

from certworker.errors import BadParameter
from certworker.vault.access import Caller
from certworker.vault.rights.policies import ALL, MOST_POLICIES, WORDS, AccessPolicy
from certworker.vault.rights.policy_lists import PolicyChange, change_policies, parse_policies

TENANT = "11111111-2222-3333-4444-5555555555aa"
ADA = "aaaaaaaa-2222-3333-4444-555555555555"
WEB = "bbbbbbbb-2222-3333-4444-555555555555"


def entry(object_id: Any = ADA, application: str | None = None, **permissions: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Make an entry as it is sent."""
    found = {"tenantId": TENANT, "objectId": object_id, "permissions": permissions}
    return found | ({"applicationId": application} if application else {})


def policy(object_id: str = ADA, application: str | None = None, **permissions: tuple[str, ...]) -> AccessPolicy:
    """Make a record."""
    return AccessPolicy(TENANT, object_id, permissions, application)


def test_words_keep_their_spelling_and_go_without_regard_to_case() -> None:
    """A word that is said twice counts once; ids that are GUIDs are folded; what is null is left out."""
    sent = entry(ADA.upper(), keys=["wrapKey", "Get", "GET"], secrets=[], certificates=None, storage=["all"])
    sent |= {"tenantId": TENANT.upper(), "applicationId": None}
    (found,) = parse_policies([sent], TENANT)
    assert found == policy(ADA, keys=("wrapKey", "Get"), secrets=(), storage=("all",))
    assert found.grants("keys", "wrapkey")
    assert found.grants("keys", "get")
    assert not found.grants("keys", "list")
    assert not found.grants("secrets", "get")
    assert parse_policies(None, TENANT) == parse_policies([], TENANT) == ()


@pytest.mark.parametrize("noun", WORDS)
def test_every_word_that_there_is_is_taken(noun: str) -> None:
    """All of the service's lists, and `all`, which grants every word but purge."""
    (found,) = parse_policies([entry() | {"permissions": {noun: sorted(WORDS[noun])}}], TENANT)
    assert all(found.grants(noun, word) for word in WORDS[noun])
    (every,) = parse_policies([entry() | {"permissions": {noun: ["All"]}}], TENANT)
    assert {word for word in WORDS[noun] if every.grants(noun, word)} == WORDS[noun] - {"purge"}


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("get", r"^accessPolicies is a list of access policies\.$"),
        ({}, r"^accessPolicies is a list"),
        ([entry(), "x"], r"^accessPolicies\[1\] is not an object with tenantId, objectId and permissions\.$"),
        ([entry() | {"tenantId": WEB}], rf"^accessPolicies\[0\]\.tenantId must be the vault's: '{TENANT}'\.$"),
        ([entry() | {"tenantId": None}], r"tenantId must be"),
        ([entry("")], r"^accessPolicies\[0\]\.objectId is no id"),
        ([entry(7)], r"objectId is no id"),
        ([entry("/subscriptions/s/resourceGroups/g")], r"objectId is no id"),
        ([entry(ADA, "a b")], r"^accessPolicies\[0\]\.applicationId is no id"),
        ([{"tenantId": TENANT, "objectId": ADA}], r"permissions is an object with lists of words for certificates, keys, secr"),
        ([entry(tables=["get"])], r"has 'tables', and only certificates, keys, secrets, storage have permissions"),
        ([entry(secrets="get")], r"permissions\.secrets is a list of words"),
        ([entry(secrets=[1])], r"permissions\.secrets is a list of words"),
        (
            [entry(secrets=["get", " list"])],
            r"secrets has ' list', which is no permission on secrets\. There are: all, backup,",
        ),
        ([entry(secrets=["sign"])], r"'sign', which is no permission on secrets"),
        ([entry(keys=["x" * 9000])], r"^.{1,500}$"),
    ],
)
def test_what_cannot_be_is_refused_and_said(sent: object, words: str) -> None:
    """The entry is named, with what is wrong and what would be right."""
    with pytest.raises(BadParameter, match=words):
        parse_policies(sent, TENANT)


def test_a_vault_has_so_many_and_not_more() -> None:
    """1,024 are taken; one more is refused, in one list as well as by adding to those that are there."""
    many = [entry(f"object-{number}", keys=["get"]) for number in range(MOST_POLICIES)]
    present = parse_policies(many, TENANT)
    assert len(present) == MOST_POLICIES
    with pytest.raises(BadParameter, match="at most 1024 access policies, and these are 1025"):
        parse_policies([*many, entry()], TENANT)
    with pytest.raises(BadParameter, match="at most 1024 access policies, and these are 1025"):
        change_policies(present, (policy(keys=("get",)),), PolicyChange.ADD)
    assert len(change_policies(present, (policy("object-7", keys=("list",)),), PolicyChange.ADD)) == MOST_POLICIES


def test_entries_for_the_same_identity_become_one() -> None:
    """It grants what each of them does. The same user through an application is another identity."""
    sent = [
        entry(keys=["get"]),
        entry(application=WEB, keys=["sign"]),
        entry(ADA.upper(), keys=["GET", "list"], secrets=["set"]),
    ]
    assert parse_policies(sent, TENANT) == (
        policy(keys=("get", "list"), secrets=("set",)),
        policy(application=WEB, keys=("sign",)),
    )


@pytest.mark.parametrize(
    ("change", "sent", "expected"),
    [
        (
            PolicyChange.ADD,
            policy(keys=("List",)),
            (policy(keys=("get", "sign", "List"), secrets=("all",)), policy(WEB, keys=("get",))),
        ),
        (
            PolicyChange.ADD,
            policy("new"),
            (policy(keys=("get", "sign"), secrets=("all",)), policy(WEB, keys=("get",)), policy("new")),
        ),
        (PolicyChange.REPLACE, policy(keys=("list",)), (policy(keys=("list",)), policy(WEB, keys=("get",)))),
        (PolicyChange.REMOVE, policy(), (policy(WEB, keys=("get",)),)),
        (PolicyChange.REMOVE, policy("unknown"), (policy(keys=("get", "sign"), secrets=("all",)), policy(WEB, keys=("get",)))),
        (PolicyChange.REMOVE, policy(WEB, keys=("GET",)), (policy(keys=("get", "sign"), secrets=("all",)),)),
        (PolicyChange.REMOVE, policy(keys=(ALL,)), (policy(keys=(), secrets=("all",)), policy(WEB, keys=("get",)))),
        (
            PolicyChange.REMOVE,
            policy(application=WEB, keys=("get",)),
            (policy(keys=("get", "sign"), secrets=("all",)), policy(WEB, keys=("get",))),
        ),
    ],
)
def test_lists_are_put_together(change: PolicyChange, sent: AccessPolicy, expected: tuple[AccessPolicy, ...]) -> None:
    """Whoever is there is changed in their place, others are appended; who has nothing left is gone."""
    present = (policy(keys=("get", "sign"), secrets=("all",)), policy(WEB, keys=("get",)))
    assert change_policies(present, (sent,), change) == expected


def test_a_word_of_all_is_taken_away() -> None:
    """What is left is spelled out; purge, which was said by name, stays."""
    present = (policy(secrets=("all", "purge")),)
    (left,) = change_policies(present, (policy(secrets=("Set",)),), PolicyChange.REMOVE)
    assert {word for word in WORDS["secrets"] if left.grants("secrets", word)} == WORDS["secrets"] - {"set"}


@pytest.mark.parametrize(
    ("caller", "plain", "compound"),
    [
        (Caller(ADA, WEB, TENANT, user_name="ada@contoso.example"), True, True),
        (Caller(ADA, WEB, TENANT, scopes=frozenset({"user_impersonation"})), True, True),
        (Caller(ADA, "other", TENANT, user_name="ada@contoso.example"), True, False),
        (Caller(ADA, WEB, TENANT), True, False),  # an application by itself, with its own id beside its object id
        (Caller("grace", WEB, TENANT, user_name="grace@contoso.example"), False, False),
    ],
)
def test_the_compound_identity_is_a_user_through_an_application(caller: Caller, plain: bool, compound: bool) -> None:  # noqa: FBT001
    """Not that user through another one, nor another user, nor the application for itself."""
    principals = frozenset({caller.object_id})
    assert policy(keys=("get",)).holds_for(caller, principals) is plain
    assert policy(application=WEB, keys=("get",)).holds_for(caller, principals) is compound
