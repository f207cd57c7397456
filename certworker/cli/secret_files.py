"""`certworker secret backup` and `restore`: secrets as sealed files."""

from typing import Annotated

import typer

from certworker.cli.objects import Backup, BackupFile, back_object_up, restore_object
from certworker.cli.options import AsJson, VaultUrl, complete_secrets

SECRETS = "secrets"

app = typer.Typer()

SecretName = Annotated[str, typer.Argument(help="Name of the secret.", autocompletion=complete_secrets)]


@app.command()
def backup(name: SecretName, *, output: BackupFile, vault_url: VaultUrl = None) -> None:
    """Write a sealed backup of all versions, which only this deployment can restore, into a file for its owner only."""
    back_object_up(SECRETS, name, output, vault_url)


@app.command()
def restore(file: Backup, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Bring a secret back from its backup, with all its versions."""
    restore_object(SECRETS, file, vault_url, as_json=as_json)
