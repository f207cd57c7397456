"""Options that many commands have, and how a command gets at its vault. Light: nothing heavy is loaded before it is needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from certworker.cli.output import plain

if TYPE_CHECKING:
    from certworker.cli.client import VaultClient

Wire = dict[str, Any]
COMPLETION_SECONDS = 2.0
CA_SECONDS = 90.0
"""For commands that are answered only when a CA has answered."""

VaultUrl = Annotated[
    str | None,
    typer.Option(
        "--vault-url",
        envvar="CERTWORKER_VAULT_URL",
        help="The vault; else the one of `certworker login`, or of `certworker dev`.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the service's own JSON.")]
AlwaysJson = Annotated[bool, typer.Option("--json", help="Print JSON, as it does in any case.")]
Output = Annotated[str | None, typer.Option("-o", "--output", help="File to write; standard output without it.")]
PasswordFile = Annotated[
    str | None, typer.Option("--password-file", help="File whose first line is the password; - is standard input.")
]


@contextmanager
def open_vault(vault_url: str | None, wait_seconds: float = 30.0) -> Iterator["VaultClient"]:
    """Open the vault that is meant. Raises Unauthenticated where none is known."""
    from certworker.cli.client import connect  # noqa: PLC0415  # `--help` and `dev` start without it
    from certworker.cli.logins import find_login  # noqa: PLC0415

    with connect(find_login(vault_url), wait_seconds) as client:
        yield client


def complete_certificates(incomplete: str) -> list[str]:
    """Complete the name of a certificate, if the vault can be asked quickly."""
    return _complete("/certificates", incomplete)


def complete_issuers(incomplete: str) -> list[str]:
    """Complete the name of an issuer likewise."""
    return _complete("/certificates/issuers", incomplete)


def complete_secrets(incomplete: str) -> list[str]:
    """Complete the name of a secret likewise."""
    return _complete("/secrets", incomplete)


def complete_keys(incomplete: str) -> list[str]:
    """Complete the name of a key likewise."""
    return _complete("/keys", incomplete, "kid")


def _complete(path: str, incomplete: str, identifier: str = "id") -> list[str]:
    from certworker.errors import CertworkerError  # noqa: PLC0415

    try:
        with open_vault(None, COMPLETION_SECONDS) as vault:
            names = [name_of(item[identifier]) for item in vault.pages(path)["value"]]
    except CertworkerError:
        return []
    return [name for name in names if name.lower().startswith(incomplete.lower())]


Name = Annotated[str, typer.Argument(help="Name of the certificate.", autocompletion=complete_certificates)]
IssuerName = Annotated[str, typer.Argument(help="Name of the issuer.", autocompletion=complete_issuers)]


def path_of(name: str, *parts: str) -> str:
    """Name a certificate, or a part of it, by its path. Raises as `segment_of`."""
    return "/".join(("/certificates", segment_of(name), *parts))


def segment_of(text: str) -> str:
    """Show a name or a version as a part of a path. Raises typer's BadParameter for what would lead elsewhere, or nowhere."""
    if text in {".", ".."} or not text.isascii():
        raise typer.BadParameter("names and versions have letters of ASCII, digits and hyphens")
    return quote(text, safe="")


def name_of(identifier: str) -> str:
    """Tell a name from the id of an entry of a list."""
    return plain(identifier.rstrip("/").rpartition("/")[2])
