"""Applications: what they are, where they run, and what they show. Their owners may change them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter, Conflict
from certworker.vault.identities.credentials import (
    MOST_CREDENTIALS,
    certificate_for,
    credentials_of,
    first_secret,
    secret_for,
)
from certworker.vault.identities.records import EVERY_PLATFORM, Application, Credential, CredentialKind, FederatedCredential
from certworker.vault.identities.rights import missing, require_administrator, require_owner, require_reader
from certworker.vault.identities.rules import check_display_name, check_identifier_uris, check_redirect_uris
from certworker.vault.rights.caller import Caller
from certworker.vault.store import Reader, Store, Writer


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application with what it may show."""

    application: Application
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """A certificate that an application is to show, or, without its bytes, one that it shows already."""

    key_id: str | None = None
    certificate: bytes | None = None
    start: datetime | None = None
    end: datetime | None = None
    display_name: str | None = None


class Applications:
    """The applications of a tenant: the caller's. One is found by its object id or its client id."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def list(self, caller: Caller) -> tuple[ApplicationView, ...]:
        """List the applications. Raises Forbidden."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            shown = shown_by_all(reader, caller.tenant_id)
            return tuple(ApplicationView(one, shown.get(one.client_id, ())) for one in reader.applications(caller.tenant_id))

    def get(self, caller: Caller, which: str) -> ApplicationView:
        """Find an application. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            return _view(reader, find_application(reader, caller.tenant_id, which))

    def create(
        self, caller: Caller, properties: Mapping[str, Any], certificates: Sequence[NewCertificate] = ()
    ) -> ApplicationView:
        """Add an application, whoever makes it being its first owner; it acts once it has a service principal.

        Raises Forbidden, BadParameter, Conflict where another one has the identifier URI.
        """
        at = whole_second(self._clock())
        bare = Application(str(uuid4()), str(uuid4()), caller.tenant_id, properties["display_name"], at)
        application = _checked(replace(bare, **properties))
        with self._store.writing() as writer:
            require_administrator(writer, caller)
            _keep_uris_unique(writer, application)
            writer.add_application(application)
            if not caller.is_service:
                writer.add_owner(application.object_id, caller.object_id)
            self._set_certificates(writer, application, certificates)
            return _view(writer, application)

    def update(
        self,
        caller: Caller,
        which: str,
        changes: Mapping[str, Any],
        certificates: Sequence[NewCertificate] | None = None,
    ) -> ApplicationView:
        """Change some properties of an application, and, where they are given, all of its certificates.

        What the manifest has under other names stays, and so do the redirect URIs of other platforms.

        Raises Forbidden, DirectoryObjectNotFound, BadParameter, Conflict.
        """
        with self._store.writing() as writer:
            before = self._owned(writer, caller, which)
            merged = {name: {**getattr(before, name), **changes.get(name, {})} for name in ("manifest", "redirect_uris")}
            application = _checked(replace(before, **{**changes, **merged}))
            _keep_uris_unique(writer, application)
            writer.replace_application(application)
            principal = writer.principal_by_client(application.client_id)
            if principal and principal.display_name != application.display_name:
                writer.replace_principal(replace(principal, display_name=application.display_name))
            if certificates is not None:
                self._set_certificates(writer, application, certificates)
            return _view(writer, application)

    def delete(self, caller: Caller, which: str) -> None:
        """Delete an application with all that it shows, and its service principal. Raises as `update` does."""
        with self._store.writing() as writer:
            application = self._owned(writer, caller, which)
            principal = writer.principal_by_client(application.client_id)
            if principal and principal.object_id == caller.object_id:
                raise BadParameter("An application does not delete itself.")
            writer.delete_application(application.object_id)
            if principal:
                writer.delete_identity(principal.object_id)

    def add_secret(
        self, caller: Caller, which: str, start: datetime | None, end: datetime | None, display_name: str | None
    ) -> tuple[Credential, str]:
        """Give an application another client secret, which is shown this once. Raises as `update` does."""
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            application = self._owned(writer, caller, which)
            credential, secret = secret_for(application, at, start, end, display_name)
            if len(writer.credentials(application.client_id)) >= MOST_CREDENTIALS:
                raise BadParameter(f"An application has at most {MOST_CREDENTIALS} credentials: remove those that have ended.")
            writer.put_credential(credential)
        return credential, secret

    def remove_secret(self, caller: Caller, which: str, key_id: str) -> None:
        """Take a client secret away, at once. Raises as `update` does."""
        with self._store.writing() as writer:
            application = self._owned(writer, caller, which)
            principal = writer.principal_by_client(application.client_id)
            if principal and key_id in {one.key_id for one in first_secret(principal)}:
                writer.set_principal_secret(principal.object_id, "")
                return
            kinds = {one.key_id: one.kind for one in writer.credentials(application.client_id)}
            if kinds.get(key_id) is not CredentialKind.SECRET:
                raise missing(key_id)
            writer.delete_credential(application.client_id, key_id)

    def federated(self, caller: Caller, which: str) -> tuple[FederatedCredential, ...]:
        """List the foreign tokens that an application may show. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            return reader.federated_credentials(find_application(reader, caller.tenant_id, which).client_id)

    def find_federated(self, caller: Caller, which: str, id_or_name: str) -> FederatedCredential:
        """Find one of them by its id or its name. Raises Forbidden, DirectoryObjectNotFound."""
        return _one_of(self.federated(caller, which), id_or_name)

    def add_federated(self, caller: Caller, which: str, properties: Mapping[str, Any]) -> FederatedCredential:
        """Let an application show another one. Raises as `update` does, Conflict where its name is taken."""
        with self._store.writing() as writer:
            application = self._owned(writer, caller, which)
            credential = _checked_federated(FederatedCredential(str(uuid4()), application.client_id, **properties))
            writer.add_federated_credential(credential)
        return credential

    def update_federated(self, caller: Caller, which: str, id_or_name: str, changes: Mapping[str, Any]) -> FederatedCredential:
        """Change one of them, but for its name. Raises as `update` does."""
        with self._store.writing() as writer:
            application = self._owned(writer, caller, which)
            before = _one_of(writer.federated_credentials(application.client_id), id_or_name)
            credential = _checked_federated(replace(before, **changes))
            writer.replace_federated_credential(credential)
        return credential

    def remove_federated(self, caller: Caller, which: str, id_or_name: str) -> None:
        """Take one of them away. Raises as `update` does."""
        with self._store.writing() as writer:
            application = self._owned(writer, caller, which)
            found = _one_of(writer.federated_credentials(application.client_id), id_or_name)
            writer.delete_federated_credential(application.client_id, found.id)

    def _owned(self, writer: Writer, caller: Caller, which: str) -> Application:
        """Find an application that the caller may change. Whoever has its credential is it: administrators' are guarded."""
        require_reader(writer, caller)
        application = find_application(writer, caller.tenant_id, which)
        principal = writer.principal_by_client(application.client_id)
        if principal and principal.administrator:
            require_administrator(writer, caller)
        else:
            require_owner(writer, caller, application.object_id, *([principal.object_id] if principal else []))
        return application

    def _set_certificates(self, writer: Writer, application: Application, wanted: Sequence[NewCertificate]) -> None:
        """Replace all certificates: those that are named without their bytes stay."""
        known = {one.key_id for one in writer.credentials(application.client_id) if one.kind is CredentialKind.CERTIFICATE}
        kept = {one.key_id for one in wanted if one.key_id in known}
        for key_id in known - kept:
            writer.delete_credential(application.client_id, str(key_id))
        for one in wanted:
            if one.key_id not in kept:
                self._put_certificate(writer, application, one)

    def _put_certificate(self, writer: Writer, application: Application, new: NewCertificate) -> None:
        if new.certificate is None:
            raise BadParameter("A key credential has its certificate in `key`.", "key")
        if len(writer.credentials(application.client_id)) >= MOST_CREDENTIALS:
            raise BadParameter(f"An application has at most {MOST_CREDENTIALS} credentials: remove those that have ended.")
        at, key_id, name = whole_second(self._clock()), new.key_id, new.display_name
        writer.put_credential(certificate_for(application, new.certificate, at, new.start, new.end, name, key_id))


def find_application(reader: Reader, tenant_id: str, which: str) -> Application:
    """Find an application of a tenant by its object id or its client id. Raises DirectoryObjectNotFound."""
    found = reader.application_by_object(which.lower()) or reader.application(which.lower())
    if found is None or found.tenant_id != tenant_id:
        raise missing(which)
    return found


def shown_by_all(reader: Reader, tenant_id: str) -> dict[str, tuple[Credential, ...]]:
    """List what the applications of a tenant may show, by client id."""
    found: dict[str, list[Credential]] = {}
    firsts = (first_secret(one) for one in reader.principals() if one.tenant_id == tenant_id)
    for credential in (*(one for first in firsts for one in first), *reader.all_credentials(tenant_id)):
        found.setdefault(credential.client_id, []).append(credential)
    return {client_id: tuple(shown) for client_id, shown in found.items()}


def _view(reader: Reader, application: Application) -> ApplicationView:
    return ApplicationView(application, credentials_of(reader, application.client_id))


def _checked(application: Application) -> Application:
    check_display_name(application.display_name)
    uris = {name: check_redirect_uris(application.redirect_uris.get(name, ()), name) for name in EVERY_PLATFORM}
    identifiers = check_identifier_uris(application.identifier_uris)
    return replace(
        application, identifier_uris=identifiers, redirect_uris={name: found for name, found in uris.items() if found}
    )


def _keep_uris_unique(reader: Reader, application: Application) -> None:
    """Refuse an identifier URI of another application: tokens for it would be for both. Raises Conflict."""
    if not application.identifier_uris:
        return
    wanted = {uri.casefold().rstrip("/") for uri in application.identifier_uris}
    for other in reader.applications(application.tenant_id):
        taken = wanted & {uri.casefold().rstrip("/") for uri in other.identifier_uris}
        if taken and other.object_id != application.object_id:
            raise Conflict("Another object with the same value for property identifierUris already exists.")


def _one_of(found: Sequence[FederatedCredential], id_or_name: str) -> FederatedCredential:
    for one in found:
        if id_or_name in (one.id, one.name):
            return one
    raise missing(id_or_name)


def _checked_federated(credential: FederatedCredential) -> FederatedCredential:
    texts = {"name": credential.name, "issuer": credential.issuer, "subject": credential.subject}
    for name, text in texts.items():
        if not text or len(text) > 600 or not text.isprintable():  # noqa: PLR2004 - as the service's own
            raise BadParameter(f"{name} is a text of one line, of 1 to 600 characters.", name)
    if not credential.issuer.startswith("https://"):
        raise BadParameter("issuer is an https URL: that of an OpenID provider.", "issuer")
    if not credential.audiences or len(credential.audiences) > 1 or not all(credential.audiences):
        raise BadParameter("audiences has one audience, the one that foreign tokens are made for.", "audiences")
    return credential
