"""`certworker certificate import`, `download`, `backup` and `restore`: certificates as files."""

from base64 import b64decode, b64encode
from enum import StrEnum
from typing import Annotated

import typer

from certworker.cli.files import STANDARD, read_filled, read_password, write_bytes
from certworker.cli.objects import Backup, BackupFile, back_object_up, restore_object
from certworker.cli.options import AsJson, Name, Output, PasswordFile, VaultUrl, Wire, name_of, open_vault, path_of, segment_of
from certworker.cli.output import show_json, tell, time_of
from certworker.errors import NotFound

CERTIFICATES = "certificates"
PKCS12, PEM = "application/x-pkcs12", "application/x-pem-file"
_PEM_BEGIN = b"-----BEGIN "

app = typer.Typer()


class Format(StrEnum):
    """Forms of a certificate."""

    PEM = "pem"
    PFX = "pfx"
    CER = "cer"


@app.command("import")
def import_(
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="PKCS#12, or PEM with its private key; - for stdin.")],
    *,
    password_file: PasswordFile = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Import a certificate with its private key, as a new version where NAME is there already."""
    if file == password_file == STANDARD:
        raise typer.BadParameter("only one of FILE and --password-file can be standard input")
    content, password = read_filled(file), read_password(password_file)
    is_pem = _PEM_BEGIN in content
    body: dict[str, object] = {
        "value": content.decode("ascii", "replace") if is_pem else b64encode(content).decode(),
        "policy": {"secret_props": {"contentType": PEM if is_pem else PKCS12}},
    }
    if password is not None:
        body["pwd"] = password
    with open_vault(vault_url) as vault:
        bundle = vault.call("POST", path_of(name, "import"), body)
    if as_json:
        show_json(bundle)
    else:
        typer.echo(f"{name} is version {name_of(bundle['id'])}, valid until {time_of(bundle['attributes'].get('exp'))}.")


@app.command()
def download(
    name: Name,
    *,
    output: Output = None,
    form: Annotated[
        Format, typer.Option("--format", help="pem: key, certificate and chain; pfx: the same as PKCS#12; cer: no key, PEM.")
    ] = Format.PEM,
    version: Annotated[str | None, typer.Option("--version", help="A version; the current one without it.")] = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write a certificate with its private key into a file for its owner only, or to standard output.

    PKCS#12 has an empty password. A key that is not exportable stays in the vault: then there are certificates only.
    """
    parts = (segment_of(version),) if version else ()
    with open_vault(vault_url) as vault:
        if form is Format.CER:
            answer = vault.call("GET", path_of(name, *parts))
            content = _certificate_pem(name, answer)
        else:
            answer = vault.call("GET", "/".join(("/secrets", segment_of(name), *parts)))
            content = _converted(answer["value"], answer.get("contentType"), form)
    if as_json:
        show_json(answer)
    if not as_json or output:
        write_bytes(output, content, private=form is not Format.CER)
    if form is Format.PEM and b"PRIVATE KEY" not in content:
        tell(f"The key of {name} is not exportable: there are certificates only.")


@app.command()
def backup(name: Name, *, output: BackupFile, vault_url: VaultUrl = None) -> None:
    """Write a sealed backup of all versions, which only this deployment can restore."""
    back_object_up(CERTIFICATES, name, output, vault_url)


@app.command()
def restore(file: Backup, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Bring a certificate back from its backup, with all its versions."""
    restore_object(CERTIFICATES, file, vault_url, as_json=as_json)


def _certificate_pem(name: str, bundle: Wire) -> bytes:
    from certworker.crypto.x509 import to_pem  # noqa: PLC0415  # `--help` and `dev` start without it

    if not bundle.get("cer"):
        raise NotFound(f"{name} has no version yet: its first operation is in progress, or came to nothing.")
    return to_pem([b64decode(bundle["cer"])])


def _converted(value: str, content_type: str | None, form: Format) -> bytes:
    from certworker.crypto.conversions import pem_to_pkcs12, pkcs12_to_pem  # noqa: PLC0415

    if content_type == PEM:
        content = value.encode()
        return content if form is Format.PEM else pem_to_pkcs12(content)
    stored = b64decode(value)
    return stored if form is Format.PFX else pkcs12_to_pem(stored)
