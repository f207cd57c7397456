"""`certworker contact`: whom a vault tells of its certificates."""

from typing import TYPE_CHECKING, Annotated

import typer

from certworker.cli.options import AsJson, VaultUrl, Wire, open_vault
from certworker.cli.output import show_json, show_table
from certworker.errors import NotFound

if TYPE_CHECKING:
    from certworker.cli.client import VaultClient

PATH = "/certificates/contacts"

app = typer.Typer(help="Contacts: whom a vault tells of its certificates.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="E-mail address.")]


@app.command()
def add(
    email: Email,
    *,
    name: Annotated[str | None, typer.Option("--name", help="Name of the person.")] = None,
    phone: Annotated[str | None, typer.Option("--phone", help="Telephone number.")] = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add a contact, or replace the one of the same address."""
    contact = {"email": email, **({"name": name} if name else {}), **({"phone": phone} if phone else {})}
    with open_vault(vault_url) as vault:
        others = [other for other in _read(vault).get("contacts", []) if not _is(other, email)]
        contacts = vault.call("PUT", PATH, {"contacts": [*others, contact]})
    if as_json:
        show_json(contacts)
    else:
        typer.echo(f"{email} is a contact.")


@app.command("list")
def list_(*, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List the contacts of the vault."""
    with open_vault(vault_url) as vault:
        contacts = _read(vault)
    if as_json:
        show_json(contacts)
        return
    rows = [(contact["email"], contact.get("name"), contact.get("phone")) for contact in contacts.get("contacts", [])]
    show_table(("EMAIL", "NAME", "PHONE"), rows)


@app.command()
def remove(email: Email, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Remove a contact."""
    with open_vault(vault_url) as vault:
        known = _read(vault).get("contacts", [])
        others = [contact for contact in known if not _is(contact, email)]
        if len(others) == len(known):
            raise NotFound(f"{email} is not a contact of this vault.")
        contacts = vault.call("PUT", PATH, {"contacts": others}) if others else vault.call("DELETE", PATH)
    if as_json:
        show_json(contacts)
    else:
        typer.echo(f"{email} is no contact any more.")


def _read(vault: "VaultClient") -> Wire:
    try:
        contacts: Wire = vault.call("GET", PATH)
    except NotFound:
        return {"contacts": []}
    return contacts


def _is(contact: Wire, email: str) -> bool:
    return str(contact["email"]).casefold() == email.casefold()
