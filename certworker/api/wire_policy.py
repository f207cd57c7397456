"""The certificate policy on the wire, both ways."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pydantic import Field

from certworker.api.bodies import Body, Text
from certworker.api.wire import View, unix
from certworker.crypto.extensions import SubjectNames
from certworker.crypto.keys import CURVES
from certworker.errors import BadParameter
from certworker.vault.hsm import IN_HSM
from certworker.vault.operations import Certificate
from certworker.vault.policy import (
    ActionType,
    IssuerParameters,
    KeyProperties,
    LifetimeAction,
    Policy,
    X509Properties,
)

_DEFAULT_CURVE = "P-256"
_CURVE_BY_SIZE = MappingProxyType({256: "P-256", 384: "P-384", 521: "P-521"})
_ACTIONS = MappingProxyType({action.value.lower(): action for action in ActionType})


class KeyBody(Body):
    """`key_props`."""

    exportable: bool | None = None
    kty: Text | None = None
    key_size: int | None = None
    reuse_key: bool | None = None
    crv: Text | None = None


class SecretBody(Body):
    """`secret_props`."""

    content_type: Text | None = Field(None, alias="contentType")


class NamesBody(Body):
    """`x509_props.sans`."""

    emails: tuple[Text, ...] | None = None
    dns_names: tuple[Text, ...] | None = None
    upns: tuple[Text, ...] | None = None
    uris: tuple[Text, ...] | None = None
    ip_addresses: tuple[Text, ...] | None = Field(None, alias="ipAddresses")


class X509Body(Body):
    """`x509_props`."""

    subject: Text | None = None
    sans: NamesBody | None = None
    ekus: tuple[Text, ...] | None = None
    key_usage: tuple[Text, ...] | None = None
    validity_months: int | None = None


class TriggerBody(Body):
    """`lifetime_actions.trigger`."""

    lifetime_percentage: int | None = None
    days_before_expiry: int | None = None


class ActionBody(Body):
    """`lifetime_actions.action`."""

    action_type: Text


class LifetimeActionBody(Body):
    """One of `lifetime_actions`."""

    trigger: TriggerBody
    action: ActionBody


class IssuerBody(Body):
    """`issuer`."""

    name: Text | None = None
    cty: Text | None = None
    cert_transparency: bool | None = None


class PolicyAttributesBody(Body):
    """`attributes` of a policy."""

    enabled: bool | None = None


class PolicyBody(Body):
    """A certificate policy, whole or in part."""

    key_props: KeyBody | None = None
    secret_props: SecretBody | None = None
    x509_props: X509Body | None = None
    lifetime_actions: tuple[LifetimeActionBody, ...] | None = None
    issuer: IssuerBody | None = None
    attributes: PolicyAttributesBody | None = None
    platform_managed: dict[str, Any] | None = Field(None, alias="platformManaged")


def apply_policy(sent: PolicyBody, base: Policy, *, knows_uris_and_addresses: bool = True) -> Policy:
    """Put what was sent over `base`: Key Vault's defaults for a new policy, the policy there is for an update.

    A client whose api-version knows no URIs and addresses cannot mean to take them away. Raises BadParameter.
    """
    if sent.platform_managed is not None:
        message = "platformManaged: this release does not serve certificates that a platform manages."
        raise BadParameter(message, "platformManaged")
    policy = replace(
        base,
        key=_key(sent.key_props or KeyBody(), base.key),
        x509=_x509(sent.x509_props or X509Body(), base.x509, knows_uris_and_addresses=knows_uris_and_addresses),
        issuer=_issuer(sent.issuer or IssuerBody(), base.issuer),
        **_given(
            content_type=sent.secret_props.content_type if sent.secret_props else None,
            enabled=sent.attributes.enabled if sent.attributes else None,
        ),
    )
    return _with_actions(policy, sent.lifetime_actions, base)


def _given(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _key(sent: KeyBody, base: KeyProperties) -> KeyProperties:
    kty = sent.kty.upper() if sent.kty else base.kty
    if kty.removesuffix(IN_HSM) == base.kind.kty:
        base = replace(base, kty=kty)  # wherever the key lies
    elif kty != base.kty:
        base = KeyProperties(kty, exportable=base.exportable, reuse_key=base.reuse_key)
    key = replace(base, **_given(exportable=sent.exportable, reuse_key=sent.reuse_key, size=sent.key_size, curve=sent.crv))
    if key.in_hsm and sent.exportable is None:
        key = replace(key, exportable=False)
    return _elliptic(key, sent) if kty.startswith("EC") else key


def _elliptic(key: KeyProperties, sent: KeyBody) -> KeyProperties:
    """Choose the curve where none was sent; the size that goes with a curve is not kept beside it."""
    curve = sent.crv or (_CURVE_BY_SIZE.get(sent.key_size) if sent.key_size else key.curve) or _DEFAULT_CURVE
    size = None if curve in CURVES and sent.key_size in (None, CURVES[curve].key_size) else sent.key_size
    return replace(key, curve=curve, size=size)


def _x509(sent: X509Body, base: X509Properties, *, knows_uris_and_addresses: bool) -> X509Properties:
    fields = _given(subject=sent.subject, ekus=sent.ekus, key_usage=sent.key_usage, validity_months=sent.validity_months)
    if sent.sans is not None:
        fields["names"] = _names(sent.sans, base.names, knows_uris_and_addresses=knows_uris_and_addresses)
    return replace(base, **fields)


def _names(sent: NamesBody, base: SubjectNames, *, knows_uris_and_addresses: bool) -> SubjectNames:
    names = SubjectNames(sent.dns_names or (), sent.emails or (), sent.upns or (), sent.uris or (), sent.ip_addresses or ())
    if not knows_uris_and_addresses:
        return replace(names, uris=base.uris, ip_addresses=base.ip_addresses)
    return names


def _issuer(sent: IssuerBody, base: IssuerParameters) -> IssuerParameters:
    if sent.name is not None and sent.name.casefold() != base.name.casefold():
        base = IssuerParameters(sent.name)  # the words of one issuer mean nothing to another
    return replace(base, **_given(name=sent.name, cty=sent.cty, cert_transparency=sent.cert_transparency))


def _with_actions(policy: Policy, sent: tuple[LifetimeActionBody, ...] | None, base: Policy) -> Policy:
    if sent is None and base.lifetime_actions_set:
        return policy
    actions = tuple(_action(action) for action in sent or ())
    # a client that sends the default back as it read it has not chosen it; without a choice it is made anew
    chosen = bool(actions) and (base.lifetime_actions_set or actions != base.lifetime_actions)
    return replace(policy, lifetime_actions=actions, lifetime_actions_set=chosen)


def _action(sent: LifetimeActionBody) -> LifetimeAction:
    action = _ACTIONS.get(sent.action.action_type.lower())
    if action is None:
        known = " or ".join(known.value for known in ActionType)
        message = f"lifetime_actions.action has the value {sent.action.action_type[:40]!r}: it is {known}."
        raise BadParameter(message, "lifetime_actions.action")
    return LifetimeAction(action, sent.trigger.lifetime_percentage, sent.trigger.days_before_expiry)


def policy_wire(view: View, certificate: Certificate) -> dict[str, Any]:
    """Show a certificate's policy."""
    policy = certificate.policy
    return {
        "id": view.id("certificates", certificate.name, "policy"),
        **properties_wire(policy, knows_uris_and_addresses=view.api_version.knows_uris_and_addresses),
        "attributes": {
            "enabled": policy.enabled,
            "created": unix(certificate.policy_created),
            "updated": unix(certificate.policy_updated),
        },
    }


def properties_wire(policy: Policy, *, knows_uris_and_addresses: bool = True) -> dict[str, Any]:
    """Show what a policy says, without what the vault knows of it."""
    x509 = policy.x509
    return {
        "key_props": _key_wire(policy.key),
        "secret_props": {"contentType": policy.content_type},
        "x509_props": {
            "subject": x509.subject,
            **_names_wire(x509.names, knows_uris_and_addresses=knows_uris_and_addresses),
            "ekus": list(x509.ekus),
            "key_usage": list(x509.key_usage),
            "validity_months": x509.validity_months,
            "basic_constraints": {"ca": False},
        },
        "lifetime_actions": [_action_wire(action) for action in policy.lifetime_actions],
        "issuer": issuer_parameters_wire(policy.issuer),
    }


def _key_wire(key: KeyProperties) -> dict[str, Any]:
    size = CURVES[key.curve].key_size if key.curve and key.curve in CURVES else key.size
    wire = {"exportable": key.exportable, "kty": key.kty, "key_size": size, "reuse_key": key.reuse_key}
    return {**wire, "crv": key.curve} if key.curve else wire


def _names_wire(names: SubjectNames, *, knows_uris_and_addresses: bool) -> dict[str, Any]:
    kinds = {"dns_names": names.dns_names, "emails": names.emails, "upns": names.upns}
    if knows_uris_and_addresses:
        kinds |= {"uris": names.uris, "ipAddresses": names.ip_addresses}
    wire = {kind: list(values) for kind, values in kinds.items() if values}
    return {"sans": wire} if wire else {}


def _action_wire(action: LifetimeAction) -> dict[str, Any]:
    trigger = _given(lifetime_percentage=action.lifetime_percentage, days_before_expiry=action.days_before_expiry)
    return {"trigger": trigger, "action": {"action_type": action.action.value}}


def issuer_parameters_wire(issuer: IssuerParameters) -> dict[str, Any]:
    """Show who issues."""
    return _given(name=issuer.name, cty=issuer.cty, cert_transparency=issuer.cert_transparency)
