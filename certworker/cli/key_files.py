"""`certworker key import`, `public`, `backup` and `restore`: keys as files; and what all commands for keys have in common."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from certworker.cli.attributes import Expires, NotBefore, Tags, Version, attributes_of, tags_of
from certworker.cli.files import STANDARD, read_filled, read_password, write_bytes
from certworker.cli.objects import Backup, BackupFile, back_object_up, id_of, object_path, restore_object
from certworker.cli.options import AsJson, Output, PasswordFile, VaultUrl, Wire, complete_keys, name_of, open_vault
from certworker.cli.output import show_json, time_of
from certworker.cli.secret_input import read_secret
from certworker.errors import BadParameter

KEYS = "keys"
_MEMBERS = ("kty", "crv", "n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y", "k", "key_ops")

app = typer.Typer()

KeyName = Annotated[str, typer.Argument(help="Name of the key.", autocompletion=complete_keys)]
Operations = Annotated[
    list[str] | None,
    typer.Option("--ops", metavar="OPS", help="What it may do: sign,verify; can be repeated. Else all that its type can."),
]
Disabled = Annotated[bool, typer.Option("--disabled", help="Nobody may use it before it is enabled.")]


class PublicForm(StrEnum):
    """Forms of a public key."""

    PEM = "pem"
    JWK = "jwk"


def operations_of(given: list[str] | None) -> Wire:
    """Say in the wire's words what a key may do; nothing where nothing was said."""
    words = [word.strip() for words in given or () for word in words.split(",")]
    return {"key_ops": [word for word in words if word]} if given else {}


def tell_version(name: str, bundle: Wire, *, as_json: bool) -> None:
    """Tell which version was made."""
    if as_json:
        show_json(bundle)
        return
    expires = time_of(bundle["attributes"].get("exp"))
    typer.echo(f"{name} is version {name_of(id_of(bundle))}" + (f", valid until {expires}." if expires else "."))


@app.command("import")
def import_(
    name: KeyName,
    *,
    file: Annotated[str, typer.Option("--file", "-f", help="The private key: PEM, or a JWK; - for standard input.")],
    password_file: PasswordFile = None,
    hsm: Annotated[bool, typer.Option("--hsm", help="Keep it in the vault's hardware token.")] = False,
    ops: Operations = None,
    expires: Expires = None,
    not_before: NotBefore = None,
    disabled: Disabled = False,
    tag: Tags = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Import a private key, as a new version where NAME is there already.

    A password that opens the PEM is asked for without echo, or read from the next line of standard input; --password-file
    names a file with it. Neither key nor password is ever an argument: those can be read by every user of the machine.
    """
    if file == password_file == STANDARD:
        raise typer.BadParameter("only one of --file and --password-file can be standard input")
    jwk = _read_key(file, password_file)
    body = {
        "key": {**jwk, **operations_of(ops)},
        **({"Hsm": True} if hsm else {}),
        **attributes_of(expires, not_before, enabled=False if disabled else None),
        **tags_of(tag),
    }
    with open_vault(vault_url) as vault:
        bundle = vault.call("PUT", object_path(KEYS, name), body)
    tell_version(name, bundle, as_json=as_json)


@app.command()
def public(
    name: KeyName,
    *,
    output: Output = None,
    form: Annotated[PublicForm, typer.Option("--format", help="pem: PUBLIC KEY; jwk: JSON (RFC 7517).")] = PublicForm.PEM,
    version: Version = None,
    vault_url: VaultUrl = None,
) -> None:
    """Write a key's public half into a file, or to standard output. An oct key has none."""
    from certworker.crypto.key_files import public_pem, to_jose  # noqa: PLC0415  # `--help` and `dev` start without it

    with open_vault(vault_url) as vault:
        key = vault.call("GET", object_path(KEYS, name, version))["key"]
    write_bytes(output, public_pem(key) if form is PublicForm.PEM else json.dumps(to_jose(key), indent=2).encode() + b"\n")


@app.command()
def backup(name: KeyName, *, output: BackupFile, vault_url: VaultUrl = None) -> None:
    """Write a sealed backup of all versions, which only this deployment can restore, into a file for its owner only."""
    back_object_up(KEYS, name, output, vault_url)


@app.command()
def restore(file: Backup, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Bring a key back from its backup, with all its versions."""
    restore_object(KEYS, file, vault_url, as_json=as_json)


def _read_key(file: str, password_file: str | None) -> Wire:
    from certworker.crypto.key_files import is_private_pem, needs_password, read_private_pem  # noqa: PLC0415

    content = read_filled(file)
    if not is_private_pem(content):
        return _read_jwk(content)
    password = read_password(password_file)
    if password is None and needs_password(content):
        if file == STANDARD:
            raise typer.BadParameter("the key is protected by a password: name a file with it by --password-file")
        password = read_secret(f"Password of {file}")
    return dict(read_private_pem(content, password))


def _read_jwk(content: bytes) -> Wire:
    from certworker.crypto.key_files import from_jose  # noqa: PLC0415

    try:
        jwk: Any = json.loads(content)
    except (ValueError, RecursionError):
        jwk = None
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kty"), str):
        raise BadParameter("This is no private key: it is PEM (PKCS#8, PKCS#1 or SEC 1), or a JWK, which is JSON with a kty.")
    if "d" not in jwk and "k" not in jwk:
        raise BadParameter("This JWK is a public key: the private one has a member d, or k where its kty is oct.")
    return {member: value for member, value in from_jose(jwk).items() if member in _MEMBERS}
