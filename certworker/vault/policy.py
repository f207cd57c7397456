"""The certificate policy: what a certificate is to be, and what happens in its lifetime.

Names of fields in errors are those of the wire (`key_props`, `x509_props`, ...).
"""

import ipaddress
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from certworker.crypto.extensions import KEY_USAGES, SubjectNames, is_email, is_oid
from certworker.crypto.keys import CURVES, RSA_SIZES, KeyKind
from certworker.crypto.subjects import check_subject, common_names
from certworker.errors import BadParameter
from certworker.vault.hsm import IN_HSM
from certworker.vault.policy_size import (
    LONGEST_SUBJECT,
    LONGEST_TYPE,
    MOST_ACTIONS,
    MOST_USAGES,
    check_count,
    check_length,
    check_names_size,
)

SELF = "Self"
UNKNOWN = "Unknown"
PKCS12 = "application/x-pkcs12"
PEM = "application/x-pem-file"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
DEFAULT_PERCENTAGE = 80
MAX_VALIDITY_MONTHS = 1200
DAYS_PER_MONTH = 27
"""Key Vault lets `days_before_expiry` go up to this many days for each month of validity."""

_DNS_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}$)(\*\.)?{_DNS_LABEL}(\.{_DNS_LABEL})*")


class ActionType(StrEnum):
    """What a lifetime action does."""

    AUTO_RENEW = "AutoRenew"
    EMAIL_CONTACTS = "EmailContacts"


@dataclass(frozen=True, slots=True)
class KeyProperties:
    """The key to be made. `size` in bits for RSA; `curve` for EC. `kty` ends in -HSM for one in a hardware token."""

    kty: str = "RSA"
    size: int | None = 2048
    curve: str | None = None
    exportable: bool = True
    reuse_key: bool = False

    @property
    def in_hsm(self) -> bool:
        """Whether the key lies in a hardware token."""
        return self.kty.endswith(IN_HSM)

    @property
    def kind(self) -> KeyKind:
        """What the key is, wherever it lies."""
        return KeyKind(self.kty.removesuffix(IN_HSM), self.size, self.curve)


@dataclass(frozen=True, slots=True)
class X509Properties:
    """The certificate to be asked for. `ekus` are dotted OIDs; validity is in calendar months."""

    subject: str = ""
    names: SubjectNames = field(default_factory=SubjectNames)
    ekus: tuple[str, ...] = (SERVER_AUTH, CLIENT_AUTH)
    key_usage: tuple[str, ...] = ("digitalSignature", "keyEncipherment")
    validity_months: int = 12


@dataclass(frozen=True, slots=True)
class LifetimeAction:
    """An action and its trigger: a percentage of the lifetime, or days before expiry, never both."""

    action: ActionType
    lifetime_percentage: int | None = None
    days_before_expiry: int | None = None


@dataclass(frozen=True, slots=True)
class IssuerParameters:
    """Who issues. `cty` is the certificate type in the issuer's own words (an ACME profile, say)."""

    name: str = UNKNOWN
    cty: str | None = None
    cert_transparency: bool | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy. `lifetime_actions_set` tells an owner's choice from Key Vault's default of 80 percent."""

    key: KeyProperties = field(default_factory=KeyProperties)
    x509: X509Properties = field(default_factory=X509Properties)
    content_type: str = PKCS12
    lifetime_actions: tuple[LifetimeAction, ...] = ()
    lifetime_actions_set: bool = False
    issuer: IssuerParameters = field(default_factory=IssuerParameters)
    enabled: bool = True

    @property
    def is_self_signed(self) -> bool:
        """Whether the certificate signs itself."""
        return self.issuer.name.casefold() == SELF.casefold()

    @property
    def is_manual(self) -> bool:
        """Whether a person carries the CSR to a CA and merges what comes back."""
        return self.issuer.name.casefold() == UNKNOWN.casefold()

    @property
    def is_integrated(self) -> bool:
        """Whether a CA is asked by the worker."""
        return not (self.is_self_signed or self.is_manual)


def names_to_validate(policy: Policy) -> tuple[str, ...]:
    """Name what a CA has to validate: the DNS names and addresses, or the common name where it stands alone and is a host."""
    names = policy.x509.names
    hosts = (name for name in common_names(policy.x509.subject) if "." in name and _DNS_NAME.fullmatch(name))
    return names.dns_names + names.ip_addresses or tuple(hosts)


def complete(policy: Policy) -> Policy:
    """Fill in what Key Vault fills in (the lifetime action), and check the whole.

    Raises BadParameter with the name of the field that cannot work.
    """
    if not policy.lifetime_actions:
        policy = replace(policy, lifetime_actions=(_default_action(policy),), lifetime_actions_set=False)
    check(policy)
    return policy


def _default_action(policy: Policy) -> LifetimeAction:
    action = ActionType.EMAIL_CONTACTS if policy.is_manual else ActionType.AUTO_RENEW
    return LifetimeAction(action, lifetime_percentage=DEFAULT_PERCENTAGE)


def check(policy: Policy) -> None:
    """Refuse a policy that cannot work. Raises BadParameter with the field's name."""
    _check_size(policy)
    _check_key(policy.key)
    _check_x509(policy.x509)
    if policy.content_type not in (PKCS12, PEM):
        raise _wrong("secret_props.contentType", policy.content_type, f"it is {PKCS12} or {PEM}")
    for action in policy.lifetime_actions:
        _check_action(action, policy)


def _check_size(policy: Policy) -> None:
    check_length("x509_props.subject", policy.x509.subject, LONGEST_SUBJECT)
    check_names_size(policy.x509.names)
    check_count("x509_props.ekus", policy.x509.ekus, MOST_USAGES)
    check_count("x509_props.key_usage", policy.x509.key_usage, MOST_USAGES)
    check_count("lifetime_actions", policy.lifetime_actions, MOST_ACTIONS)
    check_length("issuer.cty", policy.issuer.cty or "", LONGEST_TYPE)


def _check_key(key: KeyProperties) -> None:
    if key.in_hsm and key.exportable:
        raise _wrong("key_props.exportable", "true", f"a key of the type {key.kty} never leaves its token, so it is false")
    if key.kind.kty == "RSA":
        if key.curve is not None:
            raise _wrong("key_props.crv", key.curve, "an RSA key has a key_size and no crv")
        if key.size not in RSA_SIZES:
            raise _wrong("key_props.key_size", key.size, f"an RSA key has {_either(RSA_SIZES)} bits")
    elif key.kind.kty == "EC":
        if key.curve is None or key.curve not in CURVES:
            raise _wrong("key_props.crv", key.curve, f"an EC key has the curve {_either(CURVES)}")
        if key.size is not None and key.size != CURVES[key.curve].key_size:
            raise _wrong("key_props.key_size", key.size, f"{key.curve} has {CURVES[key.curve].key_size} bits")
    else:
        raise _wrong("key_props.kty", key.kty, "it is RSA or EC; for a key in a hardware token RSA-HSM or EC-HSM")


def _check_x509(x509: X509Properties) -> None:
    check_subject(x509.subject)
    if not x509.subject and not x509.names.any():
        raise BadParameter(
            "x509_props.subject is empty and x509_props.sans names nothing: give one of them.", "x509_props.subject"
        )
    _check_names(x509.names)
    for oid in x509.ekus:
        if not is_oid(oid):
            raise _wrong("x509_props.ekus", oid, "an extended key usage is a dotted object identifier")
    for usage in x509.key_usage:
        if usage not in KEY_USAGES:
            raise _wrong("x509_props.key_usage", usage, f"it is {_either(KEY_USAGES)}")
    if not 1 <= x509.validity_months <= MAX_VALIDITY_MONTHS:
        raise _wrong("x509_props.validity_months", x509.validity_months, f"it is 1 to {MAX_VALIDITY_MONTHS}")


def _check_names(names: SubjectNames) -> None:
    for name in names.dns_names:
        if not _DNS_NAME.fullmatch(name):
            raise _wrong(
                "x509_props.sans.dns_names",
                name,
                "a DNS name has labels of letters, digits and '-', and may begin with '*.'",
            )
    for address in names.emails:
        if not is_email(address):
            raise _wrong("x509_props.sans.emails", address, "an e-mail address reads local@domain, in ASCII")
    for uri in names.uris:
        if ":" not in uri or not uri.isascii() or not uri.isprintable() or " " in uri:
            raise _wrong("x509_props.sans.uris", uri, "a URI has a scheme, and is in ASCII without blanks")
    for ip in names.ip_addresses:
        try:
            ipaddress.ip_address(ip)
        except ValueError:
            raise _wrong("x509_props.sans.ipAddresses", ip, "it is an IPv4 or IPv6 address") from None


def _check_action(action: LifetimeAction, policy: Policy) -> None:
    percentage, days = action.lifetime_percentage, action.days_before_expiry
    if (percentage is None) == (days is None):
        message = "lifetime_actions.trigger has exactly one of lifetime_percentage and days_before_expiry."
        raise BadParameter(message, "lifetime_actions.trigger")
    if percentage is not None and not 1 <= percentage <= 99:  # noqa: PLR2004
        raise _wrong("lifetime_actions.trigger.lifetime_percentage", percentage, "it is 1 to 99")
    most_days = policy.x509.validity_months * DAYS_PER_MONTH
    if days is not None and not 1 <= days <= most_days:
        hint = f"it is 1 to {most_days} (27 days for each month of validity)"
        raise _wrong("lifetime_actions.trigger.days_before_expiry", days, hint)
    if action.action is ActionType.AUTO_RENEW and policy.is_manual:
        message = (
            "lifetime_actions: AutoRenew cannot go with the issuer Unknown, which nobody could ask to sign; use EmailContacts."
        )
        raise BadParameter(message, "lifetime_actions.action")


def _either(words: object) -> str:
    items = [str(word) for word in words]  # type: ignore[attr-defined]
    return ", ".join(items[:-1]) + " or " + items[-1]


def _wrong(name: str, value: object, hint: str) -> BadParameter:
    return BadParameter(f"{name} has the value {str(value)[:80]!r}: {hint}.", name)
