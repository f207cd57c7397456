"""What holds for every name, every tag and every policy that may be sent, and for those that may not."""

import ipaddress
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from certworker.crypto.keys import CURVES
from certworker.crypto.x509 import read_certificate
from certworker.vault.lifetime import self_signed_validity
from certworker.vault.policy import MAX_VALIDITY_MONTHS, PEM, PKCS12
from tests.api.world import SELF_SIGNED, Caller, open_world
from tests.support.clock import START, FakeClock

LEGAL: Final = re.compile(r"[0-9a-zA-Z-]{1,127}")
WORDS: Final = ("issuers", "contacts", "restore")
"""Of these names the paths are others."""
TEXT: Final = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NAMES: Final = st.from_regex(LEGAL, fullmatch=True).filter(lambda name: name.lower() not in WORDS)
TAGS: Final = st.dictionaries(st.text(TEXT, min_size=1, max_size=512), st.text(TEXT, max_size=512), max_size=15)
quick: Final = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
"""Few, and the same each time: a failure is somebody's change, never a draw."""


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Call one deployment for all examples, as the administrator."""
    with open_world(tmp_path_factory.mktemp("properties"), FakeClock()) as world:
        yield Caller(world)


def create(call: Caller, name: str, **body: Any) -> httpx.Response:  # noqa: ANN401 - any JSON
    """Ask for a certificate."""
    return call("POST", f"/certificates/{quote(name, safe='')}/create", {"policy": SELF_SIGNED, **body})


def forget(call: Caller, name: str) -> None:
    """Leave nothing of a certificate behind, so that the next example finds the vault empty."""
    assert call("DELETE", f"/certificates/{name}").status_code == 200
    assert call("DELETE", f"/deletedcertificates/{name}").status_code == 204


def assert_refused(answer: httpx.Response) -> None:
    """Fail unless the answer says which parameter is wrong."""
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter"), answer.text


@given(name=NAMES)
@example("pending")
@example("versions")
@example("-")
@example("0" * 127)
@quick
def test_every_legal_name_comes_back(call: Caller, name: str) -> None:
    """In its own case, found in any case, for the certificate, its key and its secret."""
    assert create(call, name).status_code == 202
    try:
        url = call.world.vault_url
        bundle = call("GET", f"/certificates/{name.swapcase()}").json()
        for field, collection in (("id", "certificates"), ("kid", "keys"), ("sid", "secrets")):
            assert bundle[field].rpartition("/")[0] == f"{url}/{collection}/{name}"
        listed = [item["id"] for item in call("GET", "/certificates").json()["value"]]
        assert listed == [f"{url}/certificates/{name}"]
    finally:
        forget(call, name)


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=140))
@example("a" * 128)
@example("a_b")
@example("a b")
@example("a\n")
@example("é")
@example("a/b")
@example("a%2Fb")
@quick
def test_every_other_name_is_refused(call: Caller, name: str) -> None:
    """Whatever it is made of, and however long it is."""
    assume(not LEGAL.fullmatch(name) and name not in {".", ".."})  # a client takes the last two out of the path itself
    assert_refused(create(call, name))
    assert_refused(call("GET", f"/certificates/{quote(name, safe='')}"))


@given(tags=TAGS)
@quick
def test_every_legal_tag_comes_back(call: Caller, tags: dict[str, str]) -> None:
    """With the certificate, in the list, and with its key and secret; no tags are no field."""
    assert create(call, "tagged", tags=tags).status_code == 202
    try:
        for path in ("certificates/tagged", "keys/tagged", "secrets/tagged"):
            assert call("GET", f"/{path}").json().get("tags", {}) == tags
        item = call("GET", "/certificates").json()["value"][0]
        assert ("tags" in item, item.get("tags", {})) == (bool(tags), tags)
    finally:
        forget(call, "tagged")


@given(tags=TAGS, key=st.text(TEXT, max_size=20), wrong=st.sampled_from(["many", "empty", "name", "value", "nul", "number"]))
@quick
def test_every_other_tag_is_refused(call: Caller, tags: dict[str, str], key: str, wrong: str) -> None:
    """Too many, without a name, too long, with a NUL, or no text; nothing of it is kept."""
    mistakes: dict[str, dict[str, Any]] = {
        "many": {f"{key}{number}": "" for number in range(16)},
        "empty": {"": key},
        "name": {key.ljust(513, "n"): ""},
        "value": {key or "v": "v" * 513},
        "nul": {f"{key}\0": ""},
        "number": {key or "n": 1},
    }
    kept = dict(list(tags.items())[:14])
    assert_refused(create(call, "wrong", tags=kept | mistakes[wrong]))
    assert call("GET", "/certificates/wrong").status_code == 404


def label() -> st.SearchStrategy[str]:
    """Draw a label of a DNS name."""
    return st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


def dns_name() -> st.SearchStrategy[str]:
    """Draw a DNS name, or a wildcard."""
    labels = st.lists(label(), min_size=1, max_size=3).map(lambda found: ".".join([*found, "test"]))
    return st.builds("{}{}".format, st.sampled_from(["", "*."]), labels)


def subject() -> st.SearchStrategy[str]:
    """Draw a distinguished name, with what is special in it escaped."""
    value = st.text(st.characters(categories=["L", "Nd", "P", "Sc"]), min_size=1, max_size=30)
    value = value.filter(lambda text: len(text.encode()) <= 64)
    kinds = st.sampled_from([NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.LOCALITY_NAME])
    attributes = st.lists(st.builds(x509.NameAttribute, kinds, value), min_size=1, max_size=4)
    return attributes.map(lambda found: x509.Name(found).rfc4514_string())


def unique(of: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    """Draw a few that are not the same."""
    return st.lists(of, min_size=1, max_size=most, unique=True)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a whole policy of a self-signed certificate, in the order and the form in which the service shows it."""
    curve = draw(st.sampled_from([*sorted(CURVES), "RSA"]))
    key: dict[str, Any] = {"kty": "RSA", "key_size": 2048}
    if curve != "RSA":
        key = {"kty": "EC", "key_size": CURVES[curve].key_size, "crv": curve}
    months = draw(st.integers(1, MAX_VALIDITY_MONTHS))
    kinds = {
        "dns_names": unique(dns_name()),
        "emails": unique(st.from_regex(r"[a-z][a-z0-9]{0,9}@[a-z]{1,9}\.test", fullmatch=True)),
        "upns": unique(st.text(TEXT, min_size=1, max_size=200)),
        "uris": unique(st.from_regex(r"[a-z]{1,5}:[!-~]{1,40}", fullmatch=True)),
        "ipAddresses": unique(st.ip_addresses().map(str)),
    }
    sans = draw(st.fixed_dictionaries({}, optional=kinds))
    named = {"subject": draw(subject()) if not sans else draw(subject() | st.just(""))} | ({"sans": sans} if sans else {})
    usages = ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "decipherOnly"]
    triggers = [{"lifetime_percentage": draw(st.integers(1, 99))}, {"days_before_expiry": draw(st.integers(1, 27 * months))}]
    action = draw(st.sampled_from(["AutoRenew", "EmailContacts"]))
    oids = st.from_regex(r"1\.3\.6\.1\.(0|[1-9][0-9]{0,8})", fullmatch=True)
    return {
        "key_props": {"exportable": draw(st.booleans()), "reuse_key": draw(st.booleans()), **key},
        "secret_props": {"contentType": draw(st.sampled_from([PKCS12, PEM]))},
        "x509_props": {
            **named,
            "ekus": draw(st.lists(oids, max_size=3, unique=True)),
            "key_usage": draw(st.lists(st.sampled_from(usages), max_size=4, unique=True)),
            "validity_months": months,
            "basic_constraints": {"ca": False},
        },
        "lifetime_actions": [{"trigger": draw(st.sampled_from(triggers)), "action": {"action_type": action}}],
        "issuer": {"name": "Self"},
    }


@given(policy=policies())
@quick
def test_every_policy_comes_back_and_is_what_the_certificate_says(call: Caller, policy: dict[str, Any]) -> None:
    """What was sent is read back word for word, and names, uses and validity are the certificate's own."""
    answer = create(call, "drawn", policy=policy)
    assert answer.status_code == 202, answer.text
    try:
        bundle = call("GET", "/certificates/drawn").json()
        shown = call("GET", "/certificates/drawn/policy").json()
        assert bundle["policy"] == shown
        assert {field: shown[field] for field in policy} == policy
        assert set(shown) - set(policy) == {"id", "attributes"}
        facts, sent = read_certificate(b64decode(bundle["cer"])), policy["x509_props"]
        sans = sent.get("sans", {})
        assert list(facts.names.dns_names) == sans.get("dns_names", [])
        assert list(facts.names.emails) == sans.get("emails", [])
        assert list(facts.names.upns) == sans.get("upns", [])
        assert list(facts.names.uris) == sans.get("uris", [])
        assert list(facts.names.ip_addresses) == [str(ipaddress.ip_address(one)) for one in sans.get("ipAddresses", [])]
        assert list(facts.ekus) == sent["ekus"]
        assert set(facts.key_usage) <= set(sent["key_usage"])
        assert (facts.not_before, facts.not_after) == self_signed_validity(START, sent["validity_months"])
        assert not facts.is_authority
    finally:
        forget(call, "drawn")


MEMBERS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(TEXT, max_size=30),
    st.from_regex(r"[A-Za-z0-9_-]{0,400}", fullmatch=True),
    st.lists(st.sampled_from(["sign", "verify", "encrypt", "fly"]), max_size=3),
    st.fixed_dictionaries({}, optional={"exp": st.integers(), "enabled": st.booleans(), "exportable": st.booleans()}),
)
KEY_FIELDS: Final = ("key_size", "crv", "public_exponent", "key_ops", "attributes", "tags", "release_policy")
JWK_MEMBERS: Final = ("n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y", "k", "crv", "key_hsm", "key_ops")
TYPES: Final = st.sampled_from(["RSA", "EC", "oct", "EC-HSM", "oct-HSM", "", "OKP"]) | MEMBERS


def some_of(fields: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a body with anything in some fields."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(fields, MEMBERS) | {"kty": TYPES})


@given(body=some_of(KEY_FIELDS), jwk=some_of(JWK_MEMBERS))
@quick
def test_whatever_is_sent_of_a_key_is_answered(call: Caller, body: dict[str, Any], jwk: dict[str, Any]) -> None:
    """It is made or taken in, or refused as a bad parameter; and what was sent of a private key is not repeated."""
    answers = {
        "made": call("POST", "/keys/drawn/create", body),
        "taken": call("PUT", "/keys/drawn", {"key": jwk, "attributes": body.get("attributes")}),
        "changed": call("PATCH", "/keys/drawn", body),
        "planned": call("PUT", "/keys/drawn/rotationpolicy", {"lifetimeActions": body.get("tags"), "attributes": jwk}),
    }
    for answer in answers.values():
        assert answer.status_code in {200, 400, 404}, answer.text
        if answer.status_code == 400:
            assert_refused(answer)
    secret = [jwk[name] for name in ("d", "p", "q", "k") if isinstance(jwk.get(name), str) and len(jwk[name]) > 8]
    assert not any(value in answers["taken"].text for value in secret)
