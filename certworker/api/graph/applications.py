"""Applications, and what they show."""

from typing import Any

from starlette.responses import Response

from certworker.api.bodies import Text
from certworker.api.graph.call import GraphCall, answer, no_content
from certworker.api.graph.owners import owner_routes
from certworker.api.graph.routing import route
from certworker.api.graph.wire import (
    AddPassword,
    GraphBody,
    KeyCredential,
    RemovePassword,
    show_application,
    show_federated,
    show_secret,
    time_of,
)
from certworker.errors import BadParameter

_MANIFEST = {
    "api": "api",
    "app_roles": "appRoles",
    "optional_claims": "optionalClaims",
    "required_resource_access": "requiredResourceAccess",
    "group_membership_claims": "groupMembershipClaims",
    "service_management_reference": "serviceManagementReference",
    "notes": "notes",
    "tags": "tags",
}
"""What an application says of itself that nothing here is decided by, but what others decide by it."""
_MOST_MANIFEST = 256 * 1024
_OWN_TENANT = frozenset({"AzureADMyOrg"})


class Platform(GraphBody):
    """Where an application runs."""

    redirect_uris: list[Text] | None = None
    home_page_url: Text | None = None
    logout_url: Text | None = None
    implicit_grant_settings: dict[str, Any] | None = None


class ApplicationBody(GraphBody):
    """An application, or what is to be changed of one."""

    display_name: Text | None = None
    identifier_uris: list[Text] | None = None
    is_fallback_public_client: bool | None = None
    sign_in_audience: Text | None = None
    web: Platform | None = None
    spa: Platform | None = None
    public_client: Platform | None = None
    key_credentials: list[KeyCredential] | None = None
    password_credentials: list[dict[str, Any]] | None = None
    api: dict[str, Any] | None = None
    app_roles: list[dict[str, Any]] | None = None
    optional_claims: dict[str, Any] | None = None
    required_resource_access: list[dict[str, Any]] | None = None
    group_membership_claims: Text | None = None
    service_management_reference: Text | None = None
    notes: Text | None = None
    tags: list[Text] | None = None

    def changes(self) -> dict[str, Any]:
        """Give what was sent, by the names of the record. Raises BadParameter."""
        if self.sign_in_audience and self.sign_in_audience not in _OWN_TENANT:
            raise BadParameter("signInAudience is AzureADMyOrg: applications here are for one tenant.", "signInAudience")
        found: dict[str, Any] = {}
        if self.display_name is not None:
            found["display_name"] = self.display_name
        if self.identifier_uris is not None:
            found["identifier_uris"] = tuple(self.identifier_uris)
        if self.is_fallback_public_client is not None:
            found["public_client"] = self.is_fallback_public_client
        manifest = {_MANIFEST[name]: value for name, value in self.given(*_MANIFEST).items()}
        if self.web:
            kept = self.web.model_dump(by_alias=True, exclude={"redirect_uris"}, exclude_unset=True)
            manifest |= {"web": kept} if kept else {}
        return {**found, "manifest": manifest} if manifest else found

    def redirect_uris(self) -> dict[str, tuple[str, ...]]:
        """Give those platforms' redirect URIs that were sent."""
        platforms = {"web": self.web, "spa": self.spa, "publicClient": self.public_client}
        return {name: tuple(one.redirect_uris) for name, one in platforms.items() if one and one.redirect_uris is not None}


class FederatedBody(GraphBody):
    """A foreign token that an application may show."""

    name: Text | None = None
    issuer: Text | None = None
    subject: Text | None = None
    audiences: list[Text] | None = None
    description: Text | None = None

    def changes(self) -> dict[str, Any]:
        """Give what was sent, by the names of the record."""
        sent = self.given("issuer", "subject", "audiences", "description")
        if sent.get("audiences") is not None:
            sent["audiences"] = tuple(sent["audiences"])
        return {name: value for name, value in sent.items() if value is not None or name == "description"}


async def list_applications(call: GraphCall) -> Response:
    """List the applications."""
    return call.many(map(show_application, await call.run(call.house.identities.applications.list)), "applications")


async def create_application(call: GraphCall) -> Response:
    """Add an application. Secrets are made by `addPassword`."""
    body = await call.body(ApplicationBody)
    _check(call, body)
    if body.display_name is None:
        raise BadParameter("An application has a displayName.", "displayName")
    properties = {**body.changes(), "redirect_uris": body.redirect_uris()}
    certificates = [one.read() for one in body.key_credentials or ()]
    view = await call.run(call.house.identities.applications.create, properties, certificates)
    return call.one(show_application(view), "applications", 201)


async def get_application(call: GraphCall) -> Response:
    """Show an application."""
    return call.one(show_application(await call.run(call.house.identities.applications.get, call["id"])), "applications")


async def update_application(call: GraphCall) -> Response:
    """Change an application; `keyCredentials` are all of its certificates."""
    body, applications = await call.body(ApplicationBody), call.house.identities.applications
    _check(call, body)
    changes = {**body.changes(), "redirect_uris": body.redirect_uris()}
    certificates = None if body.key_credentials is None else [one.read() for one in body.key_credentials]
    await call.run(applications.update, call["id"], changes, certificates)
    return no_content()


async def delete_application(call: GraphCall) -> Response:
    """Delete an application, and its service principal."""
    await call.run(call.house.identities.applications.delete, call["id"])
    return no_content()


async def add_password(call: GraphCall) -> Response:
    """Make a client secret, which is shown this once. By the id of a service principal as well."""
    wanted = (await call.body(AddPassword)).password_credential
    start, end = time_of(wanted.start_date_time, "startDateTime"), time_of(wanted.end_date_time, "endDateTime")
    applications = call.house.identities.applications
    credential, secret = await call.run(applications.add_secret, call["id"], start, end, wanted.display_name)
    context = {"@odata.context": f"{call.base}/$metadata#microsoft.graph.passwordCredential"}
    return answer({**context, **show_secret(credential, secret)}, headers={"Cache-Control": "no-store"})


async def remove_password(call: GraphCall) -> Response:
    """Take a client secret away."""
    body = await call.body(RemovePassword)
    await call.run(call.house.identities.applications.remove_secret, call["id"], body.key_id)
    return no_content()


async def list_federated(call: GraphCall) -> Response:
    """List the foreign tokens that an application may show."""
    found = await call.run(call.house.identities.applications.federated, call["id"])
    return call.many(map(show_federated, found), "federatedIdentityCredentials")


async def create_federated(call: GraphCall) -> Response:
    """Let an application show another one."""
    body = await call.body(FederatedBody)
    properties = {"name": body.name, **body.changes()}
    if any(not properties.get(name) for name in ("name", "issuer", "subject", "audiences")):
        raise BadParameter("A federated credential has name, issuer, subject and audiences.")
    found = await call.run(call.house.identities.applications.add_federated, call["id"], properties)
    return call.one(show_federated(found), "federatedIdentityCredentials", 201)


async def get_federated(call: GraphCall) -> Response:
    """Show one of them, by its id or its name."""
    found = await call.run(call.house.identities.applications.find_federated, call["id"], call["which"])
    return call.one(show_federated(found), "federatedIdentityCredentials")


async def update_federated(call: GraphCall) -> Response:
    """Change one of them."""
    changes = (await call.body(FederatedBody)).changes()
    await call.run(call.house.identities.applications.update_federated, call["id"], call["which"], changes)
    return no_content()


async def delete_federated(call: GraphCall) -> Response:
    """Take one of them away."""
    await call.run(call.house.identities.applications.remove_federated, call["id"], call["which"])
    return no_content()


async def application_id(call: GraphCall) -> str:
    """Give the object id of the application that a path names."""
    return (await call.run(call.house.identities.applications.get, call["id"])).application.object_id


def _check(call: GraphCall, body: ApplicationBody) -> None:
    if any(one.get("secretText") for one in body.password_credentials or ()):
        raise BadParameter("Secrets are not chosen: addPassword makes one.", "passwordCredentials")
    if int(call.request.headers.get("content-length", "0")) > _MOST_MANIFEST:
        raise BadParameter(f"An application is described in at most {_MOST_MANIFEST // 1024} KiB.")


_ONE = "/applications/{id}"
_FEDERATED = f"{_ONE}/federatedIdentityCredentials"
ROUTES = (
    route("GET", "/applications", list_applications),
    route("POST", "/applications", create_application),
    route("GET", _ONE, get_application),
    route("PATCH", _ONE, update_application),
    route("DELETE", _ONE, delete_application),
    route("POST", f"{_ONE}/addPassword", add_password),
    route("POST", f"{_ONE}/removePassword", remove_password),
    route("GET", _FEDERATED, list_federated),
    route("POST", _FEDERATED, create_federated),
    route("GET", f"{_FEDERATED}/{{which}}", get_federated),
    route("PATCH", f"{_FEDERATED}/{{which}}", update_federated),
    route("DELETE", f"{_FEDERATED}/{{which}}", delete_federated),
    *owner_routes(_ONE, application_id),
)
