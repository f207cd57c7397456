"""A policy that cannot work is refused, and the error names the field as the wire has it."""

import pytest

from certworker.crypto.extensions import SubjectNames
from certworker.errors import BadParameter
from certworker.vault.policy import (
    CLIENT_AUTH,
    PEM,
    PKCS12,
    SERVER_AUTH,
    ActionType,
    IssuerParameters,
    KeyProperties,
    LifetimeAction,
    Policy,
    X509Properties,
    check,
    complete,
    names_to_validate,
)

RENEW, MAIL = ActionType.AUTO_RENEW, ActionType.EMAIL_CONTACTS
SUBJECT = "CN=web.example.test"


def x509(**changes: object) -> Policy:
    """Make a policy that differs in what the certificate is to have."""
    return Policy(x509=X509Properties(**{"subject": SUBJECT, **changes}), issuer=IssuerParameters("Self"))  # type: ignore[arg-type]


def key(*values: object, **changes: object) -> Policy:
    """Make a policy that differs in its key."""
    return Policy(key=KeyProperties(*values, **changes), x509=X509Properties(SUBJECT))  # type: ignore[arg-type]


def action(*values: object, issuer: str = "Self", months: int = 12, **trigger: object) -> Policy:
    """Make a policy that differs in its lifetime action."""
    properties = X509Properties(SUBJECT, validity_months=months)
    made = LifetimeAction(*values, **trigger)  # type: ignore[arg-type]
    return Policy(x509=properties, lifetime_actions=(made,), issuer=IssuerParameters(issuer))


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (key("RSA", 1024), "key_props.key_size"),
        (key("RSA", 2049), "key_props.key_size"),
        (key("RSA", None), "key_props.key_size"),
        (key("RSA", 2048, "P-256"), "key_props.crv"),
        (key("RSA-HSM", 2048), "key_props.exportable"),
        (key("EC-HSM", None, "P-256"), "key_props.exportable"),
        (Policy(key=KeyProperties("RSA-HSM", 1024, exportable=False)), "key_props.key_size"),
        (key("oct", 256), "key_props.kty"),
        (key("EC", None, None), "key_props.crv"),
        (key("EC", None, "P-257"), "key_props.crv"),
        (key("EC", 384, "P-256"), "key_props.key_size"),
        (x509(subject="nonsense"), "x509_props.subject"),
        (x509(subject="CN=" + "a" * 1022), "x509_props.subject"),
        (x509(names=SubjectNames(dns_names=tuple(f"a{number}.test" for number in range(251)))), "x509_props.sans"),
        (x509(names=SubjectNames(uris=("https://a.test/" + "a" * 2034,))), "x509_props.sans"),
        (x509(ekus=tuple(f"1.3.{number}" for number in range(51))), "x509_props.ekus"),
        (Policy(x509=X509Properties("CN=a"), issuer=IssuerParameters("ca", "c" * 256)), "issuer.cty"),
        (x509(subject=""), "x509_props.subject"),
        (x509(names=SubjectNames(dns_names=("-a.test",))), "x509_props.sans.dns_names"),
        (x509(names=SubjectNames(dns_names=("a..test",))), "x509_props.sans.dns_names"),
        (x509(names=SubjectNames(dns_names=("a.*.test",))), "x509_props.sans.dns_names"),
        (x509(names=SubjectNames(dns_names=("größe.test",))), "x509_props.sans.dns_names"),
        (x509(names=SubjectNames(dns_names=("a" * 64 + ".test",))), "x509_props.sans.dns_names"),
        (x509(names=SubjectNames(dns_names=("a.test\n",))), "x509_props.sans.dns_names"),
        (x509(names=SubjectNames(dns_names=(".".join(["a" * 60] * 5),))), "x509_props.sans.dns_names"),
        (x509(names=SubjectNames(emails=("ada",))), "x509_props.sans.emails"),
        (x509(names=SubjectNames(emails=("größe@a.test",))), "x509_props.sans.emails"),
        (x509(names=SubjectNames(uris=("nowhere",))), "x509_props.sans.uris"),
        (x509(names=SubjectNames(ip_addresses=("192.0.2.300",))), "x509_props.sans.ipAddresses"),
        (x509(ekus=("serverAuth",)), "x509_props.ekus"),
        (x509(ekus=("1",)), "x509_props.ekus"),
        (x509(ekus=("1.40.1",)), "x509_props.ekus"),
        (x509(ekus=("1.3.\u0666",)), "x509_props.ekus"),
        (x509(ekus=("1.3.6.1." + "9" * 100,)), "x509_props.ekus"),
        (x509(key_usage=("sign",)), "x509_props.key_usage"),
        (x509(validity_months=0), "x509_props.validity_months"),
        (x509(validity_months=1201), "x509_props.validity_months"),
        (Policy(x509=X509Properties(SUBJECT), content_type="text/plain"), "secret_props.contentType"),
        (action(RENEW), "lifetime_actions.trigger"),
        (action(RENEW, 80, 10), "lifetime_actions.trigger"),
        (action(RENEW, 0), "lifetime_actions.trigger.lifetime_percentage"),
        (action(RENEW, 100), "lifetime_actions.trigger.lifetime_percentage"),
        (action(RENEW, days_before_expiry=0), "lifetime_actions.trigger.days_before_expiry"),
        (action(RENEW, days_before_expiry=28, months=1), "lifetime_actions.trigger.days_before_expiry"),
        (action(RENEW, 80, issuer="Unknown"), "lifetime_actions.action"),
        (action(RENEW, 80, issuer="unknown"), "lifetime_actions.action"),
    ],
)
def test_each_contradiction_names_its_field(policy: Policy, field: str) -> None:
    """Whatever cannot work is told before anything is made."""
    with pytest.raises(BadParameter) as refusal:
        complete(policy)
    assert str(refusal.value).startswith(field.partition(".")[0])
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "policy",
    [
        key("RSA", 3072),
        key("EC", None, "P-521"),
        key("EC", 256, "P-256K"),
        x509(subject="", names=SubjectNames(dns_names=("*.example.test", "_acme.example.test"))),
        x509(ekus=(), key_usage=()),
        x509(names=SubjectNames(dns_names=tuple(f"a{number}.test" for number in range(250)))),
        x509(names=SubjectNames(uris=("https://a.test/" + "a" * 2033,))),
        action(RENEW, 1),
        action(RENEW, 99),
        action(RENEW, days_before_expiry=27, months=1),
        action(MAIL, 80, issuer="Unknown"),
    ],
)
def test_what_can_work_is_let_through(policy: Policy) -> None:
    """The limits themselves are still allowed."""
    check(policy)


def test_the_defaults_are_key_vaults() -> None:
    """An exportable RSA key of 2048 bits, PKCS#12, twelve months, a server's and a client's usage, issuer Unknown."""
    policy = Policy()
    assert policy.key == KeyProperties("RSA", 2048, None, exportable=True, reuse_key=False)
    assert policy.x509.ekus == (SERVER_AUTH, CLIENT_AUTH)
    assert policy.x509.key_usage == ("digitalSignature", "keyEncipherment")
    assert (policy.x509.validity_months, policy.content_type, policy.is_manual) == (12, PKCS12, True)
    assert PEM == "application/x-pem-file"


@pytest.mark.parametrize(("issuer", "expected"), [("Self", RENEW), ("Unknown", MAIL), ("test-ca", RENEW)])
def test_a_lifetime_action_is_filled_in(issuer: str, expected: ActionType) -> None:
    """At 80 percent: renewal where somebody can sign, a mail where nobody can. It does not count as the owner's choice."""
    completed = complete(Policy(x509=X509Properties(SUBJECT), issuer=IssuerParameters(issuer), lifetime_actions_set=True))
    assert completed.lifetime_actions == (LifetimeAction(expected, lifetime_percentage=80),)
    assert not completed.lifetime_actions_set


@pytest.mark.parametrize(
    ("name", "roads"), [("self", (True, False, False)), ("UNKNOWN", (False, True, False)), ("selfish", (False, False, True))]
)
def test_reserved_issuers_are_known_in_any_case(name: str, roads: tuple[bool, bool, bool]) -> None:
    """Self signs itself, Unknown waits for a person, everything else is a CA."""
    policy = Policy(issuer=IssuerParameters(name))
    assert (policy.is_self_signed, policy.is_manual, policy.is_integrated) == roads


@pytest.mark.parametrize(
    ("subject", "names", "expected"),
    [
        ("CN=WWW.example.test, O=Contoso", SubjectNames(), ("www.example.test",)),
        ("CN=www.example.test", SubjectNames(dns_names=("a.test",), ip_addresses=("192.0.2.1",)), ("a.test", "192.0.2.1")),
        ("CN=Ada Lovelace", SubjectNames(emails=("ada@a.test",)), ()),
        ("O=Contoso", SubjectNames(), ()),
    ],
)
def test_what_a_ca_has_to_validate(subject: str, names: SubjectNames, expected: tuple[str, ...]) -> None:
    """The alternative names; where there are none, a host name that stands in the subject alone."""
    assert names_to_validate(Policy(x509=X509Properties(subject, names))) == expected
