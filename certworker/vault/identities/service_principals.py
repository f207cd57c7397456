"""Service principals: applications as they act in the tenant, and managed identities."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from certworker.clock import Clock, whole_second
from certworker.errors import BadParameter, Conflict
from certworker.vault.identities.applications import shown_by_all
from certworker.vault.identities.credentials import credentials_of
from certworker.vault.identities.records import Application, Credential
from certworker.vault.identities.rights import (
    keep_an_administrator,
    missing,
    require_administrator,
    require_owner,
    require_reader,
)
from certworker.vault.identities.rules import check_display_name, check_text
from certworker.vault.rights.caller import Caller
from certworker.vault.store import Reader, Store, Writer
from certworker.vault.vaults import Principal


@dataclass(frozen=True, slots=True)
class PrincipalView:
    """A service principal with its application, if it has one, and what that may show."""

    principal: Principal
    application: Application | None
    credentials: tuple[Credential, ...]


class ServicePrincipals:
    """The service principals of a tenant: the caller's. One is found by its object id or its client id."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def list(self, caller: Caller) -> tuple[PrincipalView, ...]:
        """List the service principals. Raises Forbidden."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            shown = shown_by_all(reader, caller.tenant_id)
            applications = {one.client_id: one for one in reader.applications(caller.tenant_id)}
            found = (one for one in reader.principals() if one.tenant_id == caller.tenant_id)
            return tuple(PrincipalView(one, applications.get(one.client_id), shown.get(one.client_id, ())) for one in found)

    def get(self, caller: Caller, which: str) -> PrincipalView:
        """Find a service principal. Raises Forbidden, DirectoryObjectNotFound."""
        with self._store.reading() as reader:
            require_reader(reader, caller)
            return _view(reader, find_principal(reader, caller.tenant_id, which))

    def create(self, caller: Caller, client_id: str, *, enabled: bool = True) -> PrincipalView:
        """Let an application act in the tenant. Raises Forbidden, BadParameter where there is no such application, Conflict."""
        at = whole_second(self._clock())
        with self._store.writing() as writer:
            require_reader(writer, caller)
            application = writer.application(client_id.lower())
            if application is None or application.tenant_id != caller.tenant_id:
                raise BadParameter(
                    f"The appId '{client_id[:80]}' does not reference a valid application object: create one first.",
                    "appId",
                )
            require_owner(writer, caller, application.object_id)
            if writer.principal_by_client(application.client_id):
                raise Conflict(
                    f"The service principal cannot be created: the service principal name {application.client_id} is in use."
                )
            ids = str(uuid4()), application.client_id, caller.tenant_id
            principal = Principal(*ids, application.display_name, "", administrator=False, created=at, enabled=enabled)
            writer.add_principal(principal)
            return _view(writer, principal)

    def create_managed_identity(self, caller: Caller, display_name: str, resource_id: str) -> Principal:
        """Add an identity that needs no credential: the machine that it belongs to vouches.

        Raises Forbidden, BadParameter, Conflict.
        """
        check_display_name(display_name)
        check_text(resource_id, "resourceId", required=True)
        at = whole_second(self._clock())
        ids = str(uuid4()), str(uuid4()), caller.tenant_id
        principal = Principal(*ids, display_name, "", administrator=False, created=at, resource_id=resource_id)
        with self._store.writing() as writer:
            require_administrator(writer, caller)
            if any(one.resource_id.casefold() == resource_id.casefold() for one in writer.principals()):
                raise Conflict(f"There is a managed identity '{resource_id}' already.")
            writer.add_principal(principal)
        return principal

    def update(self, caller: Caller, which: str, changes: Mapping[str, Any]) -> PrincipalView:
        """Change some properties of a service principal. Raises Forbidden, DirectoryObjectNotFound, BadParameter."""
        with self._store.writing() as writer:
            before = _owned(writer, caller, which)
            if changes.get("administrator", before.administrator) != before.administrator:
                require_administrator(writer, caller)
            after = replace(before, **changes)
            check_display_name(after.display_name)
            writer.replace_principal(after)
            if before.administrator:
                keep_an_administrator(writer, caller.tenant_id)
            return _view(writer, after)

    def delete(self, caller: Caller, which: str) -> None:
        """Delete a service principal, with all memberships; its application stays. Raises as `update` does."""
        with self._store.writing() as writer:
            principal = _owned(writer, caller, which)
            writer.delete_identity(principal.object_id)
            if principal.administrator:
                keep_an_administrator(writer, caller.tenant_id)


def find_principal(reader: Reader, tenant_id: str, which: str) -> Principal:
    """Find a service principal of a tenant by its object id or its client id. Raises DirectoryObjectNotFound."""
    found = reader.principal(which.lower()) or reader.principal_by_client(which.lower())
    if found is None or found.tenant_id != tenant_id:
        raise missing(which)
    return found


def _owned(writer: Writer, caller: Caller, which: str) -> Principal:
    require_reader(writer, caller)
    principal = find_principal(writer, caller.tenant_id, which)
    application = writer.application(principal.client_id)
    if principal.administrator:
        require_administrator(writer, caller)
    else:
        require_owner(writer, caller, principal.object_id, *([application.object_id] if application else []))
    return principal


def _view(reader: Reader, principal: Principal) -> PrincipalView:
    return PrincipalView(principal, reader.application(principal.client_id), credentials_of(reader, principal.client_id))
