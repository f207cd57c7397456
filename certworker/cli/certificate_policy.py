"""`certworker certificate policy`: the policy of a certificate, as JSON."""

from typing import Annotated

import typer

from certworker.cli.options import AsJson, Name, VaultUrl, open_vault, path_of
from certworker.cli.output import show_json
from certworker.cli.policies import read_policy

app = typer.Typer(help="The policy of a certificate, as JSON.", no_args_is_help=True)


@app.command()
def show(name: Name, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:  # noqa: ARG001  # it is JSON anyway
    """Print a certificate's policy."""
    with open_vault(vault_url) as vault:
        policy = vault.call("GET", path_of(name, "policy"))
    show_json(policy)


@app.command("set")
def set_(
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON with what is to change; - for stdin.")] = "-",
    *,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Change a certificate's policy: what FILE names is replaced, all else stays. The next version goes by it."""
    change = read_policy(file)
    with open_vault(vault_url) as vault:
        policy = vault.call("PATCH", path_of(name, "policy"), change)
    if as_json:
        show_json(policy)
    else:
        typer.echo(f"The policy of {name} is changed.")
