"""What goes over the wire of ACME: the payloads of requests and the documents of answers (RFC 8555 section 7)."""

from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from ca_sim.acme import urls
from ca_sim.acme.objects import Account, Authorization, Challenge, Order
from ca_sim.acme.renewal_info import Window
from ca_sim.acme.urls import Urls
from ca_sim.problems import MalformedError
from ca_sim.settings import Settings

MAX_IDENTIFIERS = 100
MAX_CONTACTS = 10
Document = dict[str, Any]


class Payload(BaseModel):
    """A payload; unknown members are ignored, as section 6.2 wants."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True)


class NewAccount(Payload):
    """Section 7.3."""

    contact: list[str] = Field(default=[], max_length=MAX_CONTACTS)
    terms_of_service_agreed: bool = False
    only_return_existing: bool = False
    external_account_binding: Document | None = None


class AccountUpdate(Payload):
    """Sections 7.3.2 and 7.3.6."""

    contact: list[str] | None = Field(default=None, max_length=MAX_CONTACTS)
    status: str | None = None


class AskedIdentifier(Payload):
    """An identifier as the client wrote it."""

    type: str
    value: str = Field(max_length=1024)


class NewOrder(Payload):
    """Section 7.4, the profile of draft-ietf-acme-profiles, and what it replaces (RFC 9773 section 5)."""

    identifiers: list[AskedIdentifier] = Field(max_length=MAX_IDENTIFIERS)
    profile: str | None = None
    not_before: str | None = None
    not_after: str | None = None
    replaces: str | None = Field(default=None, max_length=200)


class NewAuthorization(Payload):
    """Section 7.4.1."""

    identifier: AskedIdentifier


class Finalize(Payload):
    """Section 7.4; the CSR is DER in base64url."""

    csr: str


class StatusChange(Payload):
    """Section 7.5.2; no status is a POST with an empty object."""

    status: str | None = None


class Revocation(Payload):
    """Section 7.6; the certificate is DER in base64url."""

    certificate: str
    reason: int = 0


class KeyChange(Payload):
    """Section 7.3.5, the payload of the inner JWS."""

    account: str
    old_key: Document


Shape = TypeVar("Shape", bound=Payload)


def read(shape: type[Shape], payload: bytes) -> Shape:
    """Read a payload. Raises MalformedError that names the member at fault."""
    try:
        return shape.model_validate_json(payload)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the payload"
        raise MalformedError(f"{where}: {fault['msg']}") from error


def time(at: datetime) -> str:
    """Write a time as RFC 3339 has it, in UTC."""
    return at.isoformat().replace("+00:00", "Z")


def directory_document(to: Urls, settings: Settings) -> Document:
    """Write the directory (section 7.1.1)."""
    meta: Document = {
        "externalAccountRequired": settings.acme.external_account_required,
        "profiles": {name: profile.description for name, profile in settings.profiles.items()},
    }
    if settings.terms_of_service:
        meta["termsOfService"] = settings.terms_of_service
    if settings.website:
        meta["website"] = settings.website
    if settings.caa_identities:
        meta["caaIdentities"] = list(settings.caa_identities)
    document: Document = {
        "newNonce": to.of(urls.NEW_NONCE),
        "newAccount": to.of(urls.NEW_ACCOUNT),
        "newOrder": to.of(urls.NEW_ORDER),
        "revokeCert": to.of(urls.REVOKE),
        "keyChange": to.of(urls.KEY_CHANGE),
        "meta": meta,
    }
    if settings.acme.renewal_info:
        document["renewalInfo"] = to.of(urls.RENEWAL_INFO)
    if settings.acme.pre_authorization:
        document["newAuthz"] = to.of(urls.NEW_AUTHORIZATION)
    return document


def account_document(to: Urls, account: Account) -> Document:
    """Write an account (section 7.1.2)."""
    document: Document = {
        "status": account.status,
        "contact": list(account.contacts),
        "termsOfServiceAgreed": True,
        "orders": to.of(urls.ACCOUNT_ORDERS, id=account.id),
    }
    if account.external_account_binding is not None:
        document["externalAccountBinding"] = account.external_account_binding
    return document


def order_document(to: Urls, order: Order) -> Document:
    """Write an order (section 7.1.3)."""
    document: Document = {
        "status": order.status,
        "expires": time(order.expires_at),
        "identifiers": [identifier.document() for identifier in order.identifiers],
        "profile": order.profile,
        "authorizations": [to.of(urls.AUTHORIZATION, id=part) for part in order.authorization_ids],
        "finalize": to.of(urls.FINALIZE, id=order.id),
    }
    if order.not_before is not None:
        document["notBefore"] = time(order.not_before)
    if order.not_after is not None:
        document["notAfter"] = time(order.not_after)
    if order.replaces is not None:
        document["replaces"] = order.replaces
    if order.serial is not None:
        document["certificate"] = to.of(urls.CERTIFICATE, id=order.serial)
    if order.error is not None:
        document["error"] = order.error
    return document


def authorization_document(to: Urls, authorization: Authorization) -> Document:
    """Write an authorization with its challenges (section 7.1.4)."""
    document: Document = {
        "identifier": authorization.identifier.document(),
        "status": authorization.status,
        "expires": time(authorization.expires_at),
        "challenges": [challenge_document(to, authorization, challenge) for challenge in authorization.challenges],
    }
    if authorization.wildcard:
        document["wildcard"] = True
    return document


def renewal_document(window: Window) -> Document:
    """Write renewal information (RFC 9773 section 4.2)."""
    document: Document = {"suggestedWindow": {"start": time(window.start), "end": time(window.end)}}
    if window.explanation_url:
        document["explanationURL"] = window.explanation_url
    return document


def challenge_document(to: Urls, authorization: Authorization, challenge: Challenge) -> Document:
    """Write a challenge (section 7.1.5)."""
    document: Document = {
        "type": challenge.type,
        "url": to.of(urls.CHALLENGE, id=authorization.id, kind=challenge.type),
        "status": challenge.status,
        "token": challenge.token,
    }
    if challenge.validated_at is not None:
        document["validated"] = time(challenge.validated_at)
    if challenge.error is not None:
        document["error"] = challenge.error
    return document
