"""`certworker access assign` and `unassign`: roles of somebody at a vault, at one object in it, or at any other scope."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from certworker.cli.options import AsJson, VaultUrl, Wire, open_vault
from certworker.cli.output import plain, show_json, tell

if TYPE_CHECKING:
    from certworker.cli.management_client import ManagementClient

API_VERSION: Final = "2022-04-01"
_PROVIDER: Final = "providers/Microsoft.Authorization"

Role = Annotated[str, typer.Argument(help="Name of the role, 'Key Vault Secrets User' say, or its GUID.")]
Principal = Annotated[str, typer.Argument(metavar="OBJECT_ID", help="Object id of a user, group or service principal.")]
Secret = Annotated[str | None, typer.Option("--secret", help="For the secret of this name alone.")]
Key = Annotated[str | None, typer.Option("--key", help="For the key of this name alone.")]
Certificate = Annotated[str | None, typer.Option("--certificate", help="For the certificate of this name alone.")]
Scope = Annotated[
    str | None,
    typer.Option("--scope", help="Any other resource id: a subscription's, a resource group's, a store's."),
]


def assign(
    role: Role,
    object_id: Principal,
    *,
    secret: Secret = None,
    key: Key = None,
    certificate: Certificate = None,
    scope: Scope = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Assign a role: for the whole vault, unless one object in it or another scope is named. It counts at the next request.

    For those who may assign roles there.
    """
    from uuid import uuid4  # noqa: PLC0415

    with _opened(vault_url, scope, {"secrets": secret, "keys": key, "certificates": certificate}) as (client, at):
        body = {"properties": {"roleDefinitionId": _role(client, at, role)["id"], "principalId": object_id}}
        made = client.do("PUT", f"{at}/{_PROVIDER}/roleAssignments/{uuid4()}", API_VERSION, body)
    if as_json:
        show_json(made)
        return
    tell(f"{plain(object_id)} has the role {plain(role)} at {plain(at)}.")


def unassign(
    role: Role,
    object_id: Principal,
    *,
    secret: Secret = None,
    key: Key = None,
    certificate: Certificate = None,
    scope: Scope = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Take a role back that was assigned at just this scope. What a group or a scope above gives stays."""
    from certworker.errors import NotFound  # noqa: PLC0415

    with _opened(vault_url, scope, {"secrets": secret, "keys": key, "certificates": certificate}) as (client, at):
        wanted = str(_role(client, at, role)["id"]).lower()
        query = {"$filter": f"principalId eq '{_quoted(object_id)}'"}
        assigned = client.get(f"{at}/{_PROVIDER}/roleAssignments", API_VERSION, **query)["value"]
        found = [one for one in assigned if _is(one["properties"], wanted, object_id, at)]
        if not found:
            raise NotFound(f"{object_id} does not have the role {role} at {at} itself; `access check` tells by what.")
        client.do("DELETE", f"{at}/{_PROVIDER}/roleAssignments/{found[0]['name']}", API_VERSION, None)
    if as_json:
        show_json(found[0])
        return
    tell(f"{plain(object_id)} no longer has the role {plain(role)} at {plain(at)}.")


@contextmanager
def _opened(
    vault_url: str | None, scope: str | None, objects: dict[str, str | None]
) -> Iterator[tuple["ManagementClient", str]]:
    """Open the management plane, and tell the scope that is meant."""
    from certworker.cli.management_client import open_management  # noqa: PLC0415

    named = [(noun, name) for noun, name in objects.items() if name is not None]
    if len(named) + (scope is not None) > 1:
        raise typer.BadParameter("name one of --secret, --key, --certificate and --scope")
    if scope is None:
        with open_vault(vault_url) as vault:
            scope = vault.call("GET", "/certworker/v1/access")["vaultId"]
        scope += "".join(f"/{noun}/{name}" for noun, name in named)
    with open_management(vault_url) as client:
        yield client, scope.rstrip("/")


def _role(client: "ManagementClient", at: str, role: str) -> Wire:
    """Find a role by its name, in any case, or its GUID. Raises NotFound, which lists what there is."""
    from certworker.errors import NotFound  # noqa: PLC0415

    roles = client.get(f"{at}/{_PROVIDER}/roleDefinitions", API_VERSION)["value"]
    for found in roles:
        if role.lower() in (str(found["name"]).lower(), str(found["properties"]["roleName"]).lower()):
            return dict(found)
    names = ", ".join(sorted(found["properties"]["roleName"] for found in roles))
    raise NotFound(f"There is no role {role} at {at}. There is: {names or 'none'}.")


def _is(properties: Wire, role_id: str, object_id: str, at: str) -> bool:
    same_role = str(properties["roleDefinitionId"]).lower().rpartition("/")[2] == role_id.rpartition("/")[2]
    same_scope = str(properties["scope"]).lower().rstrip("/") == at.lower()
    return same_role and same_scope and str(properties["principalId"]).lower() == object_id.lower()


def _quoted(text: str) -> str:
    return text.replace("'", "''")
