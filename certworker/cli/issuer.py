"""`certworker issuer`: which CAs the vault knows, and with what account."""

from typing import Annotated
from urllib.parse import quote

import typer

from certworker.cli.exits import ExitCode
from certworker.cli.files import read_password
from certworker.cli.options import CA_SECONDS, AsJson, IssuerName, PasswordFile, VaultUrl, Wire, name_of, open_vault
from certworker.cli.output import plain, show_fields, show_json, show_table, time_of

app = typer.Typer(help="Issuers: the CAs that a vault has an account with.", no_args_is_help=True)


@app.command("set")
def set_(
    name: IssuerName,
    *,
    provider: Annotated[
        str, typer.Option("--provider", help="The kind of CA: Acme, DigiCert, GlobalSign, or another that there is.")
    ],
    account_id: Annotated[
        str, typer.Option("--account-id", help="The account; for ACME the directory's URL, for GlobalSign the API key.")
    ] = "",
    password_file: PasswordFile = None,
    organization_id: Annotated[
        str | None, typer.Option("--organization-id", help="The CA's number of your organization, which DigiCert wants.")
    ] = None,
    enabled: Annotated[bool, typer.Option("--enabled/--disabled", help="Whether it may be asked.")] = True,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Set an issuer. A password and an organization that were set before stay where none is given.

    The password is the external account of ACME (kid:hmac), the API key of DigiCert, the API secret of GlobalSign.
    """
    credentials = {"account_id": account_id} if account_id else {}
    if (password := read_password(password_file)) is not None:
        credentials["pwd"] = password
    body: Wire = {"provider": provider, "credentials": credentials, "attributes": {"enabled": enabled}}
    if organization_id is not None:
        body["org_details"] = {"id": organization_id}
    with open_vault(vault_url) as vault:
        issuer = vault.call("PUT", _path(name), body)
    if as_json:
        show_json(issuer)
    else:
        typer.echo(f"The issuer {name} is set; `certworker issuer test {name}` looks whether it works.")


@app.command()
def show(name: IssuerName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Show an issuer; its password never."""
    with open_vault(vault_url) as vault:
        issuer = vault.call("GET", _path(name))
    if as_json:
        show_json(issuer)
        return
    attributes = issuer["attributes"]
    show_fields(
        {
            "id": issuer["id"],
            "provider": issuer["provider"],
            "account id": issuer.get("credentials", {}).get("account_id"),
            "organization id": issuer.get("org_details", {}).get("id"),
            "enabled": attributes["enabled"],
            "created": time_of(attributes.get("created")),
            "updated": time_of(attributes.get("updated")),
        }
    )


@app.command("list")
def list_(*, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List the issuers of the vault."""
    with open_vault(vault_url) as vault:
        page = vault.pages("/certificates/issuers")
    if as_json:
        show_json(page)
    else:
        show_table(("NAME", "PROVIDER"), [(name_of(item["id"]), item["provider"]) for item in page["value"]])


@app.command()
def delete(name: IssuerName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Delete an issuer. Certificates that it is to renew will fail."""
    with open_vault(vault_url) as vault:
        issuer = vault.call("DELETE", _path(name))
    if as_json:
        show_json(issuer)
    else:
        typer.echo(f"The issuer {name} is deleted.")


@app.command("test")
def examine(name: IssuerName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Look whether an issuer's CA can be reached and knows the account. Nothing is ordered; 0 only where it passed."""
    with open_vault(vault_url) as vault:
        found = vault.call("POST", f"/certworker/v1/issuers/{quote(name, safe='')}/test")
    if as_json:
        show_json(found)
    else:
        for finding in found["findings"]:
            typer.echo(plain(finding))
        typer.echo(f"{name}: {plain(found['result'])}")
    if found["result"] != "passed":
        raise typer.Exit(ExitCode.ERROR)


@app.command("roll-key")
def roll_key(name: IssuerName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Give the account at an issuer's CA a new key; the one that it had is worth nothing then."""
    with open_vault(vault_url, CA_SECONDS) as vault:
        rolled = vault.call("POST", f"/certworker/v1/issuers/{quote(name, safe='')}/roll-key")
    if as_json:
        show_json(rolled)
    else:
        typer.echo(f"The account of {name} has a new key.")


def _path(name: str) -> str:
    return f"/certificates/issuers/{quote(name, safe='')}"
