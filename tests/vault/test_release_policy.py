"""Release policies: the grammar, what it refuses, and what it asks of claims."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.errors import BadParameter
from certworker.vault.objects import KeyReleasePolicy
from certworker.vault.release_policy import (
    DEFAULT_CONTENT_TYPE,
    MAX_POLICY,
    MOST_NESTED,
    check_release_policy,
    plain_authority,
    read_release_policy,
)

AUTHORITY = "https://attest.example"
CLAIM = {"claim": "tee", "equals": "sgx"}
CLAIMS: dict[str, Any] = {
    "tee": "sgx",
    "debuggable": False,
    "svn": 3,
    "ratio": 1.5,
    "one": 1,
    "nothing": None,
    "list": ["sgx"],
    "object": {"inner": {"claim": "deep"}, "tee": "sgx"},
}


def policy(*conditions: object, joint: str = "allOf", authority: str = AUTHORITY, **more: object) -> str:
    """Write a policy of one authority."""
    return json.dumps({"version": "1.0.0", "anyOf": [{"authority": authority, joint: list(conditions)}], **more})


def holds(*conditions: object, joint: str = "allOf") -> bool:
    """Whether the claims meet a policy of these conditions."""
    return read_release_policy(policy(*conditions, joint=joint)).allow(AUTHORITY, CLAIMS)


def nested(levels: int) -> object:
    """Nest a condition."""
    return CLAIM if levels == 0 else {"anyOf": [nested(levels - 1)]}


@pytest.mark.parametrize(
    ("claim", "equals", "met"),
    [
        ("tee", "sgx", True),
        ("tee", "SGX", False),
        ("object.inner.claim", "deep", True),
        ("object.tee", "sgx", True),
        ("object.inner", "deep", False),
        ("object.missing.claim", "deep", False),
        ("tee.inner", "sgx", False),
        ("missing", "sgx", False),
        ("nothing", "None", False),
        ("nothing", "", False),
        ("list", "sgx", False),
        ("svn", 3, True),
        ("svn", 3.0, True),
        ("svn", "3", False),
        ("svn", 4, False),
        ("ratio", 1.5, True),
        ("debuggable", False, True),
        ("debuggable", "false", True),
        ("debuggable", "False", False),
        ("debuggable", 0, False),
        ("debuggable", True, False),
        ("one", True, False),
        ("one", 1, True),
        ("tee", True, False),
    ],
)
def test_a_claim_is_compared_as_json_does(claim: str, equals: object, *, met: bool) -> None:
    """Types count, true is not 1, what is missing or no plain value meets nothing; truths may be written as texts."""
    assert holds({"claim": claim, "equals": equals}) is met


def test_conditions_are_joined() -> None:
    """AllOf is and, anyOf is or, and each may stand in the other."""
    wrong = {"claim": "tee", "equals": "other"}
    assert holds(CLAIM, wrong, joint="anyOf")
    assert not holds(CLAIM, wrong, joint="allOf")
    assert holds(CLAIM, {"anyOf": [wrong, {"allOf": [CLAIM, CLAIM]}]})
    assert not holds(CLAIM, {"anyOf": [wrong, {"allOf": [CLAIM, wrong]}]})


def test_each_authority_has_conditions_of_its_own() -> None:
    """What one attests does not count under the conditions of another; a slash at the end of a URL is none."""
    other = {"authority": "https://other.example/", "allOf": [{"claim": "tee", "equals": "snp"}]}
    rules = read_release_policy(json.dumps({"version": "1.0.0", "anyOf": [{"authority": AUTHORITY, "allOf": [CLAIM]}, other]}))
    assert rules.names(AUTHORITY)
    assert rules.names("https://other.example")
    assert not rules.names("https://third.example")
    assert rules.allow(AUTHORITY, {"tee": "sgx"})
    assert not rules.allow(AUTHORITY, {"tee": "snp"})
    assert rules.allow("https://other.example", {"tee": "snp"})
    assert not rules.allow("https://third.example", {"tee": "snp"})


@pytest.mark.parametrize(
    "data",
    [
        "",
        "[]",
        "null",
        "{",
        "[" * 50_000,
        '{"anyOf": [{"authority": "https://a", "allOf": [{"claim": "a", "equals": 1}]}]}',
        json.dumps({"version": "2.0.0", "anyOf": [{"authority": AUTHORITY, "allOf": [CLAIM]}]}),
        json.dumps({"version": "1.0.0"}),
        json.dumps({"version": "1.0.0", "anyOf": []}),
        json.dumps({"version": "1.0.0", "anyOf": {}}),
        json.dumps({"version": "1.0.0", "allOf": [{"authority": AUTHORITY, "allOf": [CLAIM]}]}),
        json.dumps({"version": "1.0.0", "anyOf": ["https://a"]}),
        json.dumps({"version": "1.0.0", "anyOf": [{"allOf": [CLAIM]}]}),
        json.dumps({"version": "1.0.0", "anyOf": [{"authority": AUTHORITY}]}),
        json.dumps({"version": "1.0.0", "anyOf": [{"authority": AUTHORITY, **CLAIM}]}),
        json.dumps({"version": "1.0.0", "anyOf": [{"authority": AUTHORITY, "allOf": [CLAIM], "anyOf": [CLAIM]}]}),
        policy(CLAIM, more=1),
        policy(),
        policy("tee"),
        policy({"claim": "tee"}),
        policy({"equals": "sgx"}),
        policy({"claim": "tee", "notEquals": "sgx"}),
        policy({"claim": "tee", "equals": "sgx", "more": 1}),
        policy({"claim": "", "equals": "sgx"}),
        policy({"claim": "a..b", "equals": "sgx"}),
        policy({"claim": 1, "equals": "sgx"}),
        policy({"claim": "tee", "equals": ["sgx"]}),
        policy({"claim": "tee", "equals": {"a": 1}}),
        policy({"claim": "tee", "equals": None}),
        policy({"claim": "tee", "equals": float("nan")}),
        policy({"anyOf": []}),
        policy({"anyOf": [CLAIM], "allOf": [CLAIM]}),
        policy(nested(MOST_NESTED)),
        policy(CLAIM, joint="oneOf"),
        policy(CLAIM, authority="http://attest.example"),
        policy(CLAIM, authority="attest.example"),
        policy(CLAIM, authority="https://"),
        policy(CLAIM, authority="https://me@attest.example"),
        policy(CLAIM, authority="https://attest.example?a=b"),
        '{"version": "2", "version": "1.0.0", "anyOf": [{"authority": "https://a", "allOf": [{"claim": "a", "equals": 1}]}]}',
        policy(CLAIM, authority="https://attest.example:99999"),
        '{"version": "1.0.0", "anyOf": [{"authority": "https://a", "allOf": [{"claim": "a", "claim": "b", "equals": 1}]}]}',
        policy(CLAIM) + " " * MAX_POLICY,
    ],
)
def test_what_is_no_policy_is_not_kept(data: str) -> None:
    """It is refused when the key is made or changed, and the field is named."""
    with pytest.raises(BadParameter) as refused:
        check_release_policy(KeyReleasePolicy(DEFAULT_CONTENT_TYPE, data))
    assert refused.value.field == "release_policy.data"
    assert len(str(refused.value)) < 500


def test_a_policy_is_kept_as_it_was_sent() -> None:
    """What reads well is given back, spaces and all, nested as deep as may be."""
    for data in (policy(CLAIM), json.dumps(json.loads(policy(nested(MOST_NESTED - 1))), indent=2)):
        kept = KeyReleasePolicy("application/json", data, immutable=True)
        assert check_release_policy(kept) is kept
    with pytest.raises(BadParameter, match="contentType"):
        check_release_policy(KeyReleasePolicy("text/plain", policy(CLAIM)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["anyOf", "allOf", "claim", "equals"]), inner),
    max_leaves=12,
)


@given(JSON)
def test_whatever_is_sent_is_read_or_refused(part: object) -> None:
    """Nothing else comes of any JSON; and without claims nothing is allowed."""
    data = json.dumps({"version": "1.0.0", "anyOf": [{"authority": AUTHORITY, "allOf": [part]}]})
    try:
        rules = read_release_policy(data)
    except BadParameter:
        return
    assert not rules.allow(AUTHORITY, {})


@pytest.mark.parametrize("url", ["https://a.example", "https://a.example/", "https://a.example:8443/tenant/"])
def test_an_authority_is_named_by_its_url(url: str) -> None:
    """Without the slash at its end."""
    assert plain_authority(url) == url.rstrip("/")
