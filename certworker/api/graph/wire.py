"""The directory's objects as they are shown, and the forms that more than one kind of request has."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from binascii import unhexlify
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from certworker.api.bodies import Body, Text
from certworker.errors import BadParameter
from certworker.vault.identities.applications import ApplicationView, NewCertificate
from certworker.vault.identities.records import (
    Application,
    Credential,
    CredentialKind,
    FederatedCredential,
    Group,
    Identity,
    User,
)
from certworker.vault.identities.service_principals import PrincipalView
from certworker.vault.rights.roles import PrincipalType

Shown = dict[str, Any]
_TYPES: Final[Mapping[PrincipalType, str]] = MappingProxyType(
    {
        PrincipalType.USER: "#microsoft.graph.user",
        PrincipalType.GROUP: "#microsoft.graph.group",
        PrincipalType.SERVICE_PRINCIPAL: "#microsoft.graph.servicePrincipal",
    }
)
_PUBLIC, _WEB = "publicClient", "web"


class GraphBody(Body):
    """A JSON object of Graph: its names are in camel case."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=False)

    def given(self, *names: str) -> dict[str, Any]:
        """Give those of some fields that were sent, null ones as well."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}


class Reference(GraphBody):
    """What `$ref` takes: the URL of an object, or its id."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", alias_generator=lambda name: f"@odata.{name[6:]}")
    odata_id: Text

    @property
    def object_id(self) -> str:
        """Read the object's id, the last segment of the URL."""
        return id_of(self.odata_id)


class KeyCredential(GraphBody):
    """A certificate that an application is to show; without `key`, one that it shows already."""

    key_id: Text | None = None
    key: Text | None = None
    display_name: Text | None = None
    start_date_time: Text | None = None
    end_date_time: Text | None = None

    def read(self) -> NewCertificate:
        """Give it as the service takes it. Raises BadParameter."""
        return NewCertificate(
            self.key_id,
            None if self.key is None else _certificate(self.key),
            time_of(self.start_date_time, "startDateTime"),
            time_of(self.end_date_time, "endDateTime"),
            self.display_name,
        )


class PasswordCredential(GraphBody):
    """A client secret that is to be made."""

    display_name: Text | None = None
    start_date_time: Text | None = None
    end_date_time: Text | None = None


class AddPassword(GraphBody):
    """What `addPassword` takes."""

    password_credential: PasswordCredential = PasswordCredential()


class RemovePassword(GraphBody):
    """What `removePassword` takes."""

    key_id: Text


def id_of(url: str) -> str:
    """Read the id of an object out of its URL, or of itself."""
    found = url.rstrip("/").rpartition("/")[2]
    return found.partition("'")[2].partition("'")[0] if found.endswith("')") else found


def time_of(text: str | None, field: str) -> datetime | None:
    """Read a time (RFC 3339); one without a zone is UTC. Raises BadParameter."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadParameter(f"{field} is a time, as 2030-01-31T00:00:00Z.", field) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


def _certificate(key: str) -> bytes:
    try:
        return b64decode("".join(key.split()), validate=True)  # az leaves the line breaks of a PEM file in it
    except (Base64Error, ValueError):
        raise BadParameter("key is a certificate in DER form, in Base64.", "key") from None


def show_time(at: datetime | None) -> str | None:
    """Write a time."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def show_identity(identity: Identity) -> Shown:
    """Show what one of several kinds may be: only what a list of members needs."""
    shown: Shown = {"@odata.type": _TYPES[identity.kind], "id": identity.object_id, "displayName": identity.display_name}
    match identity.kind:
        case PrincipalType.USER:
            return {**shown, "userPrincipalName": identity.user_name, "accountEnabled": identity.enabled}
        case PrincipalType.SERVICE_PRINCIPAL:
            return {**shown, "appId": identity.client_id, "accountEnabled": identity.enabled}
    return {**shown, "securityEnabled": True}


def show_user(user: User) -> Shown:
    """Show a user."""
    return {
        "id": user.object_id,
        "userPrincipalName": user.user_name,
        "displayName": user.display_name,
        "accountEnabled": user.enabled,
        "mail": user.mail,
        "mailNickname": user.mail_nickname,
        "givenName": user.given_name,
        "surname": user.surname,
        "userType": "Member",
        "createdDateTime": show_time(user.created),
        "businessPhones": [],
    }


def show_group(group: Group) -> Shown:
    """Show a group."""
    return {
        "id": group.object_id,
        "displayName": group.display_name,
        "description": group.description,
        "mailNickname": group.mail_nickname,
        "mailEnabled": group.mail_enabled,
        "securityEnabled": group.security_enabled,
        "groupTypes": [],
        "createdDateTime": show_time(group.created),
    }


def show_application(view: ApplicationView) -> Shown:
    """Show an application. A secret is not kept, so that only its hint is here."""
    application = view.application
    manifest, uris = application.manifest, application.redirect_uris
    return {
        "id": application.object_id,
        "appId": application.client_id,
        "displayName": application.display_name,
        "createdDateTime": show_time(application.created),
        "identifierUris": list(application.identifier_uris),
        "signInAudience": "AzureADMyOrg",
        "isFallbackPublicClient": application.public_client,
        **_show_manifest(manifest),
        _WEB: {**manifest.get(_WEB, {}), "redirectUris": list(uris.get(_WEB, ()))},
        "spa": {"redirectUris": list(uris.get("spa", ()))},
        _PUBLIC: {"redirectUris": list(uris.get(_PUBLIC, ()))},
        **_show_credentials(view.credentials),
    }


def _show_manifest(manifest: Mapping[str, Any]) -> Shown:
    empty: Shown = {"api": {"oauth2PermissionScopes": []}, "appRoles": [], "requiredResourceAccess": [], "tags": []}
    return {**empty, **{name: value for name, value in manifest.items() if name != _WEB}}


def show_principal(view: PrincipalView) -> Shown:
    """Show a service principal."""
    principal, application = view.principal, view.application or _no_application(view)
    managed = bool(principal.resource_id)
    return {
        "id": principal.object_id,
        "appId": principal.client_id,
        "displayName": principal.display_name,
        "appDisplayName": None if managed else application.display_name,
        "appOwnerOrganizationId": None if managed else principal.tenant_id,
        "accountEnabled": principal.enabled,
        "createdDateTime": show_time(principal.created),
        "servicePrincipalType": "ManagedIdentity" if managed else "Application",
        "servicePrincipalNames": [principal.client_id, *application.identifier_uris],
        "alternativeNames": ["isExplicit=True", principal.resource_id] if managed else [],
        "signInAudience": None if managed else "AzureADMyOrg",
        "replyUrls": [uri for uris in application.redirect_uris.values() for uri in uris],
        "appRoles": application.manifest.get("appRoles", []),
        "oauth2PermissionScopes": application.manifest.get("api", {}).get("oauth2PermissionScopes", []),
        "tags": application.manifest.get("tags", []),
        **_show_credentials(view.credentials),
    }


def _no_application(view: PrincipalView) -> Application:
    one = view.principal
    return Application("", one.client_id, one.tenant_id, one.display_name, one.created)


def _show_credentials(credentials: tuple[Credential, ...]) -> Shown:
    secrets = [one for one in credentials if one.kind is CredentialKind.SECRET]
    certificates = [one for one in credentials if one.kind is CredentialKind.CERTIFICATE]
    return {
        "passwordCredentials": [show_secret(one) for one in secrets],
        "keyCredentials": [_show_certificate(one) for one in certificates],
    }


def show_secret(credential: Credential, secret: str | None = None) -> Shown:
    """Show a client secret; its text only where it was made just now."""
    return {**_show_credential(credential), "hint": credential.hint or None, "secretText": secret}


def _show_certificate(credential: Credential) -> Shown:
    return {
        **_show_credential(credential),
        "customKeyIdentifier": b64encode(unhexlify(credential.thumbprint)).decode(),
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "key": None,
    }


def _show_credential(credential: Credential) -> Shown:
    return {
        "keyId": credential.key_id,
        "displayName": credential.display_name,
        "startDateTime": show_time(credential.start),
        "endDateTime": show_time(credential.end),
    }


def show_federated(credential: FederatedCredential) -> Shown:
    """Show a foreign token that an application may show."""
    return {
        "id": credential.id,
        "name": credential.name,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "audiences": list(credential.audiences),
        "description": credential.description,
    }
