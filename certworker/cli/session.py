"""`certworker login` and `certworker logout`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from certworker.cli.options import AsJson
from certworker.cli.output import tell_done
from certworker.errors import SetupError


def login(
    *,
    vault_url: Annotated[str, typer.Option("--vault-url", envvar="CERTWORKER_VAULT_URL", help="https://NAME.vault.DOMAIN")],
    client_id: Annotated[str, typer.Option("--client-id", envvar="CERTWORKER_CLIENT_ID", help="The application's client id.")],
    tenant: Annotated[
        str, typer.Option("--tenant", envvar="CERTWORKER_TENANT_ID", help="The tenant's id; else the vault's own.")
    ] = "",
    authority: Annotated[
        str, typer.Option("--authority", envvar="CERTWORKER_AUTHORITY", help="Who gives tokens; else https://login.DOMAIN.")
    ] = "",
    ca_bundle: Annotated[
        Path | None,
        typer.Option(
            "--ca-bundle", envvar="CERTWORKER_CA_BUNDLE", help="File of the authorities that the server's TLS is checked by."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Log in to a vault. The client secret is asked for, or read from standard input; it is never an argument.

    It is checked by asking for a token, and stored in ~/.config/certworker/login.json (mode 0600).
    """
    from certworker.cli.client import connect  # noqa: PLC0415  # the other commands start without it
    from certworker.cli.logins import Login, check_url, login_file, store_login  # noqa: PLC0415

    wanted = Login(
        vault_url=check_url(vault_url),
        tenant_id=tenant,
        client_id=client_id,
        client_secret=_read_secret(),
        authority=authority and check_url(authority),
        ca_bundle=str(ca_bundle.absolute()) if ca_bundle else "",
    )
    with connect(wanted) as vault:
        found = vault.log_in()
    path = login_file()
    store_login(path, found)
    done = {"vault_url": found.vault_url, "client_id": found.client_id, "tenant_id": found.tenant_id, "file": str(path)}
    tell_done(f"Logged in to {found.vault_url} as {found.client_id}; {path} keeps it.", done, as_json=as_json)


def logout(*, as_json: AsJson = False) -> None:
    """Forget the login."""
    from certworker.cli.logins import login_file  # noqa: PLC0415

    path = login_file()
    try:
        path.unlink()
    except FileNotFoundError:
        tell_done("Not logged in.", {"file": str(path), "removed": False}, as_json=as_json)
        return
    except OSError as error:
        raise SetupError(f"The login {path} cannot be removed: {error.strerror}.") from error
    tell_done(f"Logged out: {path} is gone.", {"file": str(path), "removed": True}, as_json=as_json)


def _read_secret() -> str:
    if sys.stdin.isatty():
        secret: str = typer.prompt("Client secret", hide_input=True, err=True)
    else:
        secret = sys.stdin.readline()
    secret = secret.strip()
    if not secret:
        raise typer.BadParameter("the client secret is empty: type it, or send it on standard input")
    return secret
