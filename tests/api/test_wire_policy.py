"""The certificate policy on the wire, both ways."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certworker.api.wire_policy import PolicyBody, apply_policy, properties_wire
from certworker.crypto.extensions import KEY_USAGES, SubjectNames
from certworker.crypto.keys import CURVES, RSA_SIZES
from certworker.errors import BadParameter
from certworker.vault.policy import (
    PEM,
    PKCS12,
    ActionType,
    IssuerParameters,
    KeyProperties,
    LifetimeAction,
    Policy,
    X509Properties,
    complete,
)

DEFAULT = LifetimeAction(ActionType.AUTO_RENEW, lifetime_percentage=80)


def sent(**fields: object) -> PolicyBody:
    """Read a policy as a client sends it."""
    return PolicyBody.model_validate_json(json.dumps(fields))


def test_what_is_not_sent_is_as_key_vault_has_it() -> None:
    """RSA 2048, exportable, not reused, PKCS#12, both usages, twelve months, Unknown."""
    policy = apply_policy(sent(x509_props={"subject": "CN=a"}), Policy())
    assert policy == Policy(x509=X509Properties(subject="CN=a"))
    assert properties_wire(complete(policy)) == {
        "key_props": {"exportable": True, "kty": "RSA", "key_size": 2048, "reuse_key": False},
        "secret_props": {"contentType": "application/x-pkcs12"},
        "x509_props": {
            "subject": "CN=a",
            "ekus": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
            "key_usage": ["digitalSignature", "keyEncipherment"],
            "validity_months": 12,
            "basic_constraints": {"ca": False},
        },
        "lifetime_actions": [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "EmailContacts"}}],
        "issuer": {"name": "Unknown"},
    }


@pytest.mark.parametrize(
    ("key_props", "curve", "size"),
    [
        ({"kty": "EC"}, "P-256", None),
        ({"kty": "ec", "crv": "P-384"}, "P-384", None),
        ({"kty": "EC", "crv": "P-521", "key_size": 521}, "P-521", None),
        ({"kty": "EC", "key_size": 384}, "P-384", None),
        ({"kty": "EC", "crv": "P-256", "key_size": 2048}, "P-256", 2048),
        ({"kty": "RSA"}, None, 2048),
        ({"kty": "RSA", "key_size": 4096}, None, 4096),
    ],
)
def test_a_key_is_completed_by_its_kind(key_props: dict[str, Any], curve: str | None, size: int | None) -> None:
    """An EC key has a curve, of its size where only that is sent; a size that contradicts is kept, to be refused."""
    key = apply_policy(sent(key_props=key_props), Policy()).key
    assert (key.curve, key.size) == (curve, size)


def test_an_empty_list_of_usages_is_a_choice() -> None:
    """Defaults are for what is absent or null, not for what is empty."""
    policy = apply_policy(sent(x509_props={"ekus": [], "key_usage": None}), Policy())
    assert policy.x509.ekus == ()
    assert policy.x509.key_usage == ("digitalSignature", "keyEncipherment")


def test_an_update_goes_over_what_there_is() -> None:
    """A field that is not sent stays, in every section."""
    names = SubjectNames(dns_names=("a.example",), uris=("urn:a",))
    x509 = X509Properties(subject="CN=a", names=names, validity_months=3)
    base = Policy(key=KeyProperties("EC", None, "P-384", reuse_key=True), x509=x509, issuer=IssuerParameters("ca", "fast"))
    changed = apply_policy(sent(x509_props={"validity_months": 6}, secret_props={"contentType": PEM}), base)
    assert changed == replace(base, x509=replace(x509, validity_months=6), content_type=PEM)


def test_an_older_client_cannot_take_away_what_it_does_not_know() -> None:
    """Before 2025-07-01 there are no URIs and addresses: they stay where a client sends the other names."""
    base = Policy(x509=X509Properties(names=SubjectNames(dns_names=("a",), uris=("urn:a",), ip_addresses=("10.0.0.1",))))
    body = sent(x509_props={"sans": {"dns_names": ["b"]}})
    older = apply_policy(body, base, knows_uris_and_addresses=False).x509.names
    assert older == SubjectNames(dns_names=("b",), uris=("urn:a",), ip_addresses=("10.0.0.1",))
    assert apply_policy(body, base).x509.names == SubjectNames(dns_names=("b",))
    assert "uris" not in properties_wire(base, knows_uris_and_addresses=False)["x509_props"]["sans"]


def test_another_issuer_takes_nothing_over() -> None:
    """The certificate type is in the words of one issuer; the default action is that of the new one."""
    base = complete(Policy(x509=X509Properties(subject="CN=a"), issuer=IssuerParameters("ca", "fast")))
    changed = complete(apply_policy(sent(issuer={"name": "Unknown"}), base))
    assert changed.issuer == IssuerParameters("Unknown")
    assert changed.lifetime_actions[0].action is ActionType.EMAIL_CONTACTS


def test_a_default_that_is_sent_back_is_no_choice() -> None:
    """Read, change something else, send the whole: the lifetime action is still Key Vault's; another one is the owner's."""
    base = complete(Policy(x509=X509Properties(subject="CN=a"), issuer=IssuerParameters("Self")))
    assert base.lifetime_actions == (DEFAULT,)
    assert apply_policy(sent(**properties_wire(base)), base).lifetime_actions_set is False
    chosen = [{"trigger": {"days_before_expiry": 9}, "action": {"action_type": "autorenew"}}]
    changed = apply_policy(sent(lifetime_actions=chosen), base)
    assert changed.lifetime_actions_set is True
    assert changed.lifetime_actions == (LifetimeAction(ActionType.AUTO_RENEW, days_before_expiry=9),)
    assert apply_policy(sent(), changed).lifetime_actions_set is True
    assert apply_policy(sent(lifetime_actions=[]), changed).lifetime_actions_set is False


def test_what_cannot_be_done_is_refused() -> None:
    """A platform's certificate and an unknown action are refused by name."""
    with pytest.raises(BadParameter, match="platformManaged"):
        apply_policy(sent(platformManaged={"certificateUsage": "x"}), Policy())
    actions = [{"trigger": {}, "action": {"action_type": "Explode"}}]
    with pytest.raises(BadParameter, match="it is AutoRenew or EmailContacts"):
        apply_policy(sent(lifetime_actions=actions), Policy())


texts = st.text(max_size=8)
some = st.lists(texts, max_size=3).map(tuple)
keys = st.one_of(
    st.builds(KeyProperties, st.just("RSA"), st.sampled_from(RSA_SIZES), st.none(), st.booleans(), st.booleans()),
    st.builds(KeyProperties, st.just("EC"), st.none(), st.sampled_from(sorted(CURVES)), st.booleans(), st.booleans()),
)
actions = st.builds(LifetimeAction, st.sampled_from(ActionType), st.none() | st.integers(1, 99), st.none() | st.integers(1, 99))
policies = st.builds(
    Policy,
    key=keys,
    x509=st.builds(
        X509Properties,
        subject=texts,
        names=st.builds(SubjectNames, some, some, some, some, some),
        ekus=some,
        key_usage=st.lists(st.sampled_from(sorted(KEY_USAGES)), max_size=3).map(tuple),
        validity_months=st.integers(1, 1200),
    ),
    content_type=st.sampled_from([PKCS12, PEM]),
    lifetime_actions=st.lists(actions, min_size=1, max_size=2).map(tuple),
    lifetime_actions_set=st.just(True),  # noqa: FBT003
    issuer=st.builds(IssuerParameters, texts, st.none() | texts, st.none() | st.booleans()),
)


@given(policies)
def test_every_policy_comes_back_as_it_was_shown(policy: Policy) -> None:
    """What is shown can be sent, to make or to update, and means the same."""
    text = json.dumps(properties_wire(policy)).replace("\\u0000", "?")
    shown = PolicyBody.model_validate_json(text)
    again = apply_policy(shown, Policy())
    assert properties_wire(again) == json.loads(text)
    assert apply_policy(shown, again) == again
