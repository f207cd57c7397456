"""`certworker key encrypt`, `decrypt`, `wrap` and `unwrap`, by a key of the vault; and `random`."""

import json
import os
from typing import Annotated, Any

import typer

from certworker.cli.attributes import Version
from certworker.cli.files import STANDARD, read_bytes, write_bytes
from certworker.cli.key_files import KEYS, KeyName
from certworker.cli.objects import object_path
from certworker.cli.octets import base64url_of, octets_of, received_octets, write_octets
from certworker.cli.options import AsJson, Output, VaultUrl, Wire, name_of, open_vault
from certworker.cli.output import show_json
from certworker.crypto.usable import AES_ENCRYPTION, KEY_WRAP, PADDED_KEY_WRAP, RSA_ENCRYPTION
from certworker.errors import BadParameter

_IV_SIZE = 16
_FIELDS = ("value", "iv", "tag", "aad")

app = typer.Typer()


def complete_ciphers(incomplete: str) -> list[str]:
    """Complete an algorithm that encrypts."""
    return _starting(sorted(RSA_ENCRYPTION | AES_ENCRYPTION), incomplete)


def complete_wraps(incomplete: str) -> list[str]:
    """Complete an algorithm that wraps keys."""
    return _starting(sorted(RSA_ENCRYPTION | KEY_WRAP | PADDED_KEY_WRAP), incomplete)


def _starting(algorithms: list[str], incomplete: str) -> list[str]:
    return [algorithm for algorithm in algorithms if algorithm.startswith(incomplete.upper())]


Cipher = Annotated[
    str, typer.Option("--alg", help="RSA-OAEP-256, A256GCM and so on, as it fits the key.", autocompletion=complete_ciphers)
]
CipherAgain = Annotated[
    str | None,
    typer.Option("--alg", help="As for `encrypt`; where its JSON names it, not needed.", autocompletion=complete_ciphers),
]
Wrapping = Annotated[
    str, typer.Option("--alg", help="RSA-OAEP-256, A256KW and so on, as it fits the key.", autocompletion=complete_wraps)
]
Source = Annotated[str, typer.Option("--file", "-f", help="File to read; - for standard input, and without it.")]
Aad = Annotated[
    str | None, typer.Option("--aad", metavar="TEXT", help="With A*GCM: what is not secret, and must be the same to decrypt.")
]


@app.command()
def encrypt(
    name: KeyName,
    *,
    alg: Cipher,
    file: Source = STANDARD,
    output: Output = None,
    aad: Aad = None,
    version: Version = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Encrypt a file, which is never an argument. What RSA makes goes raw into a file or a pipe, as base64url to a terminal.

    What AES makes is JSON with everything that `decrypt` needs: alg, version, iv, tag. Its iv is new each time.
    """
    alg = alg.upper()
    body = {"alg": alg, "value": base64url_of(read_bytes(file))}
    if alg in AES_ENCRYPTION and "CBC" in alg:
        body["iv"] = base64url_of(os.urandom(_IV_SIZE))
    if aad is not None:
        body["aad"] = base64url_of(aad.encode())
    _make(name, version, "encrypt", body, output, vault_url, as_json=as_json)


@app.command()
def decrypt(
    name: KeyName,
    *,
    alg: CipherAgain = None,
    file: Source = STANDARD,
    output: Output = None,
    aad: Aad = None,
    version: Version = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Decrypt what `encrypt` made, or other programs: raw, base64url, or JSON with value, iv, tag and aad in base64url.

    The version is the one that the JSON names, else the current one. A file that is written is for its owner only.
    """
    _open(name, version, "decrypt", alg, file, aad, output, vault_url, as_json=as_json)


@app.command()
def wrap(
    name: KeyName,
    *,
    alg: Wrapping,
    file: Source = STANDARD,
    output: Output = None,
    version: Version = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Wrap a symmetric key, read raw from a file. It comes raw into a file or a pipe, as base64url to a terminal."""
    body = {"alg": alg.upper(), "value": base64url_of(read_bytes(file))}
    _make(name, version, "wrapkey", body, output, vault_url, as_json=as_json)


@app.command()
def unwrap(
    name: KeyName,
    *,
    alg: Wrapping,
    file: Source = STANDARD,
    output: Output = None,
    version: Version = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Unwrap a symmetric key, raw or base64url. A file that is written is for its owner only."""
    _open(name, version, "unwrapkey", alg, file, None, output, vault_url, as_json=as_json)


@app.command()
def random(
    count: Annotated[int, typer.Argument(metavar="COUNT", help="How many bytes: 1 to 128.")],
    *,
    output: Output = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give random bytes: raw into a file or a pipe, as base64url to a terminal. The file is for its owner only."""
    with open_vault(vault_url) as vault:
        answer = vault.call("POST", "/rng", {"count": count})
    if as_json:
        show_json(answer)
    if not as_json or output:
        write_octets(output, octets_of(answer["value"]), private=True)


def _make(
    name: str, version: str | None, verb: str, body: Wire, output: str | None, vault_url: str | None, *, as_json: bool
) -> None:
    with open_vault(vault_url) as vault:
        answer = vault.call("POST", object_path(KEYS, name, version, verb), body)
    if as_json:
        show_json(answer)
    if as_json and not output:
        return
    if "iv" in answer:
        write_bytes(output, json.dumps({"alg": body["alg"], **answer}, indent=2).encode() + b"\n")
    else:
        write_octets(output, octets_of(answer["value"]))


def _open(
    name: str,
    version: str | None,
    verb: str,
    algorithm: str | None,
    file: str,
    aad: str | None,
    output: str | None,
    vault_url: str | None,
    *,
    as_json: bool,
) -> None:
    sealed = _read_sealed(file)
    algorithm = (algorithm or sealed.get("alg", "")).upper()
    if not algorithm:
        raise typer.BadParameter("say by which algorithm it was encrypted", param_hint="--alg")
    body = {field: sealed[field] for field in _FIELDS if field in sealed} | {"alg": algorithm}
    if aad is not None:
        body["aad"] = base64url_of(aad.encode())
    version = version or _version_in(sealed, name)
    with open_vault(vault_url) as vault:
        answer = vault.call("POST", object_path(KEYS, name, version, verb), body)
    if as_json:
        show_json(answer)
    if not as_json or output:
        write_bytes(output, octets_of(answer["value"]), private=True)


def _read_sealed(file: str) -> dict[str, str]:
    content = read_bytes(file)
    try:
        sealed: Any = json.loads(content) if content.lstrip().startswith(b"{") else None
    except (ValueError, RecursionError):
        sealed = None
    if not isinstance(sealed, dict):
        return {"value": base64url_of(received_octets(content))}
    known = {field: sealed[field] for field in (*_FIELDS, "alg", "kid") if sealed.get(field) is not None}
    if "value" not in known or not all(isinstance(text, str) for text in known.values()):
        raise BadParameter("This JSON is not what `encrypt` writes: value, iv, tag and aad are texts in base64url.")
    return known


def _version_in(sealed: dict[str, str], name: str) -> str | None:
    if "kid" not in sealed:
        return None
    key, _, version = sealed["kid"].rpartition("/")
    if name_of(key).casefold() != name.casefold():
        raise BadParameter(f"This was encrypted with the key {name_of(key)}, not with {name}.")
    return version
