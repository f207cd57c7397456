"""`certworker identity app` and `identity managed-identity`."""

from types import MappingProxyType
from typing import Annotated, Final

import typer

from certworker.cli import identity_credentials
from certworker.cli.identity_options import Config, directory, show_many, show_one
from certworker.cli.objects import Yes, confirm
from certworker.cli.options import AsJson, VaultUrl, Wire
from certworker.cli.output import tell_done

app = typer.Typer(help="Applications, where they run, and what they show.", no_args_is_help=True)
app.add_typer(identity_credentials.app, name="credential")
managed = typer.Typer(help="Managed identities: their machine vouches for them.", no_args_is_help=True)

AppName = Annotated[str, typer.Argument(help="Display name of the application, client id, or object id.")]
IdentifierUris = Annotated[
    list[str] | None, typer.Option("--identifier-uri", help="URI that tokens for it are asked by. Can be repeated.")
]
WebUris = Annotated[list[str] | None, typer.Option("--web-redirect-uri", help="Of a server. Can be repeated.")]
SpaUris = Annotated[list[str] | None, typer.Option("--spa-redirect-uri", help="Of a page in the browser. Can be repeated.")]
PublicUris = Annotated[
    list[str] | None, typer.Option("--public-redirect-uri", help="Of a program of the user's. Can be repeated.")
]
Public = Annotated[
    bool | None, typer.Option("--public-client/--no-public-client", help="Let it ask for tokens without a credential.")
]
_FIELDS: Final = MappingProxyType({"name": "displayName", "client id": "appId", "enabled": "accountEnabled", "id": "id"})
_WHOLE: Final = MappingProxyType(
    {
        "name": "displayName",
        "client id": "appId",
        "object id": "servicePrincipalId",
        "identifier uris": "identifierUris",
        "web": "webUris",
        "spa": "spaUris",
        "public client": "publicUris",
        "without a credential": "isFallbackPublicClient",
        "secrets": "secrets",
        "certificates": "certificates",
    }
)
_IDENTITY: Final = MappingProxyType({"name": "displayName", "client id": "appId", "object id": "id", "resource": "resource"})


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Display name.")],
    *,
    identifier_uri: IdentifierUris = None,
    web_redirect_uri: WebUris = None,
    spa_redirect_uri: SpaUris = None,
    public_redirect_uri: PublicUris = None,
    public_client: Public = None,
    config: Config = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add an application with its service principal. `credential` gives it what it shows."""
    body = _body(identifier_uri, web_redirect_uri, spa_redirect_uri, public_redirect_uri, public_client)
    with directory(config, vault_url) as people:
        made = people.call("POST", "/applications", {"displayName": name, **body})
        principal = people.call("POST", "/servicePrincipals", {"appId": made["appId"]})
    found = {**made, "servicePrincipalId": principal["id"]}
    show_one(found, {"name": "displayName", "client id": "appId", "object id": "servicePrincipalId"}, as_json=as_json)


@app.command("list")
def list_(*, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List the service principals, managed identities among them; `id` is what roles are assigned to."""
    with directory(config, vault_url) as people:
        show_many(people.all("/servicePrincipals"), _FIELDS, as_json=as_json)


@app.command()
def show(name: AppName, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Show an application; `object id` is its service principal's, which roles are assigned to."""
    with directory(config, vault_url) as people:
        found = people.application(name)
        principals = people.call("GET", "/servicePrincipals", **{"$filter": f"appId eq '{found['appId']}'"})["value"]
    found = {**found, "servicePrincipalId": principals[0]["id"] if principals else None}
    uris = {f"{short}Uris": found[platform]["redirectUris"] for short, platform in _PLATFORMS.items()}
    counts = {"secrets": len(found["passwordCredentials"]), "certificates": len(found["keyCredentials"])}
    show_one(found if as_json else {**found, **uris, **counts}, _WHOLE, as_json=as_json)


@app.command()
def update(
    name: AppName,
    *,
    identifier_uri: IdentifierUris = None,
    web_redirect_uri: WebUris = None,
    spa_redirect_uri: SpaUris = None,
    public_redirect_uri: PublicUris = None,
    public_client: Public = None,
    config: Config = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Change an application: each option that is given takes the place of all that was there of it."""
    body = _body(identifier_uri, web_redirect_uri, spa_redirect_uri, public_redirect_uri, public_client)
    if not body:
        raise typer.BadParameter("nothing is to change: name a URI, or --public-client")
    with directory(config, vault_url) as people:
        people.call("PATCH", f"/applications/{people.application(name)['id']}", body)
    tell_done(f"The application {name} is changed.", {"application": name, **body}, as_json=as_json)


@app.command()
def delete(
    name: AppName, *, yes: Yes = False, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False
) -> None:
    """Delete an application, its service principal and all that it shows."""
    confirm(f"Delete the application {name}?", yes=yes)
    with directory(config, vault_url) as people:
        people.call("DELETE", f"/applications/{people.application(name)['id']}")
    tell_done(f"The application {name} is deleted.", {"application": name, "deleted": True}, as_json=as_json)


@app.command()
def disable(name: AppName, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Let an application do nothing, nor anybody through it, from now on."""
    with directory(config, vault_url) as people:
        people.call("PATCH", f"/servicePrincipals/{people.principal(name)['id']}", {"accountEnabled": False})
    tell_done(f"The application {name} is disabled.", {"application": name, "enabled": False}, as_json=as_json)


@app.command()
def enable(name: AppName, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Let an application act again."""
    with directory(config, vault_url) as people:
        people.call("PATCH", f"/servicePrincipals/{people.principal(name)['id']}", {"accountEnabled": True})
    tell_done(f"The application {name} is enabled.", {"application": name, "enabled": True}, as_json=as_json)


@managed.command("create")
def create_identity(
    name: Annotated[str, typer.Argument(help="Display name.")],
    *,
    resource_id: Annotated[str, typer.Option("--resource-id", help="What it belongs to, as a resource id of its own.")],
    config: Config = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add a managed identity: a service principal without a credential. `identity.managed` in the settings gives its tokens."""
    body = {"displayName": name, "servicePrincipalType": "ManagedIdentity", "alternativeNames": [resource_id]}
    with directory(config, vault_url) as people:
        made = people.call("POST", "/servicePrincipals", body)
    show_one(made if as_json else _with_resource(made), _IDENTITY, as_json=as_json)


@managed.command("list")
def list_identities(*, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List the managed identities."""
    with directory(config, vault_url) as people:
        found = [one for one in people.all("/servicePrincipals") if one["servicePrincipalType"] == "ManagedIdentity"]
    show_many(found if as_json else [_with_resource(one) for one in found], _IDENTITY, as_json=as_json)


def _with_resource(identity: Wire) -> Wire:
    return {**identity, "resource": identity["alternativeNames"][-1]}  # before it stands what kind of identity it is


_PLATFORMS: Final = MappingProxyType({"web": "web", "spa": "spa", "public": "publicClient"})


def _body(
    identifiers: list[str] | None,
    web: list[str] | None,
    spa: list[str] | None,
    public: list[str] | None,
    public_client: bool | None,  # noqa: FBT001
) -> Wire:
    given = {"web": web, "spa": spa, "publicClient": public}
    body: Wire = {name: {"redirectUris": uris} for name, uris in given.items() if uris}
    if identifiers:
        body["identifierUris"] = identifiers
    if public_client is not None:
        body["isFallbackPublicClient"] = public_client
    return body
