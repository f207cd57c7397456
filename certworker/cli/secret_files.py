"""`certworker secret backup` and `restore`: secrets as sealed files."""

from typing import Annotated
from urllib.parse import quote

import typer

from certworker.cli.files import read_text, write_bytes
from certworker.cli.options import AsJson, VaultUrl, complete_secrets, name_of, open_vault
from certworker.cli.output import show_json

app = typer.Typer()

SecretName = Annotated[str, typer.Argument(help="Name of the secret.", autocompletion=complete_secrets)]


def secret_path(name: str, version: str | None = None) -> str:
    """Name a secret, or a version of it, by its path."""
    return "/".join(("/secrets", quote(name, safe=""), *((quote(version, safe=""),) if version else ())))


@app.command()
def backup(
    name: SecretName,
    *,
    output: Annotated[str, typer.Option("-o", "--output", help="File to write; - for standard output.")],
    vault_url: VaultUrl = None,
) -> None:
    """Write a sealed backup of all versions, which only this deployment can restore, into a file for its owner only."""
    with open_vault(vault_url) as vault:
        value = vault.call("POST", f"{secret_path(name)}/backup")["value"]
    write_bytes(output, value.encode() + b"\n", private=True)


@app.command()
def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A backup; - for stdin.")],
    *,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Bring a secret back from its backup, with all its versions."""
    value = read_text(file).strip()
    with open_vault(vault_url) as vault:
        bundle = vault.call("POST", "/secrets/restore", {"value": value})
    if as_json:
        show_json(bundle)
    else:
        name = name_of(bundle["id"].rpartition("/")[0])
        typer.echo(f"{name} is back, at version {name_of(bundle['id'])}.")
