"""`certworker access`: who may do what in a vault, and why."""

from typing import Annotated

import typer

from certworker.cli import role_assignments
from certworker.cli.options import AsJson, VaultUrl, Wire, open_vault
from certworker.cli.output import plain, show_json, show_table

app = typer.Typer(help="Who may do what in a vault, and why.", no_args_is_help=True)


@app.callback()
def access() -> None:
    """Who may do what in a vault, and why."""


app.command()(role_assignments.assign)
app.command()(role_assignments.unassign)


@app.command()
def check(
    *,
    object_id: Annotated[
        str | None, typer.Option("--object-id", help="Object id of a user, group or service principal; oneself without it.")
    ] = None,
    application_id: Annotated[
        str | None, typer.Option("--application-id", help="Client id of the application that the user acts through.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of a key, secret or certificate: roles for it alone count as well.")
    ] = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Tell what somebody may do, and by which role assignment or access policy. What is not listed is refused.

    Others' rights are shown to those who may read role assignments at the vault.
    """
    fields = {"objectId": object_id, "applicationId": application_id, "name": name}
    query = {field: value for field, value in fields.items() if value}
    with open_vault(vault_url) as vault:
        found = vault.call("GET", "/certworker/v1/access", **query)
    if as_json:
        show_json(found)
        return
    rows = [
        [right["noun"], right["permission"], _ground(ground, found["objectId"])]
        for right in found["value"]
        for ground in right["by"]
    ]
    show_table(("KIND", "PERMISSION", "BY"), rows)
    if not rows:
        typer.echo(f"{plain(found['objectId'])} may do nothing in {plain(found['vault'])}, which goes by {found['model']}.")


@app.command(name="list")
def list_(
    *,
    name: Annotated[
        str | None, typer.Option("--name", help="Only what counts for the key, secret and certificate of this name.")
    ] = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """List every role assignment or access policy that lets somebody do something in the vault, and what.

    For those who may read role assignments at the vault.
    """
    with open_vault(vault_url) as vault:
        found = vault.call("GET", "/certworker/v1/access/holdings", **({"name": name} if name else {}))
    if as_json:
        show_json(found)
        return
    rows = [
        [plain(holding["principalId"]), noun, " ".join(words), _ground(holding, holding["principalId"])]
        for holding in found["value"]
        for noun, words in holding["permissions"].items()
        if words
    ]
    show_table(("PRINCIPAL", "KIND", "PERMISSIONS", "BY"), rows)


def _ground(ground: Wire, object_id: str) -> str:
    whose = "" if ground["principalId"] == object_id else f" of the group {ground['principalId']}"
    through = f" through {ground['applicationId']}" if "applicationId" in ground else ""
    what = f"{ground['role']} at {ground['scope']}" if "role" in ground else f"{ground['kind']}{through}"
    return plain(f"{what}{whose}")
