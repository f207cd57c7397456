"""`certworker key sign` and `verify`. What is signed is hashed here; a key of the vault signs the digest."""

import hashlib
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, BinaryIO, Final

import typer

from certworker.cli.attributes import Version
from certworker.cli.exits import ExitCode
from certworker.cli.files import STANDARD, read_bytes
from certworker.cli.key_files import KEYS, KeyName
from certworker.cli.objects import object_path
from certworker.cli.octets import base64url_of, octets_of, read_octets, write_octets
from certworker.cli.options import AsJson, Output, VaultUrl, open_vault
from certworker.cli.output import show_json, tell
from certworker.crypto.usable import HMACS

_DIGESTS: Final = MappingProxyType(
    {f"{family}{size}": f"sha{size}" for family in ("RS", "PS", "ES") for size in (256, 384, 512)} | {"ES256K": "sha256"}
)
_AS_IT_IS: Final = HMACS | {"RSNULL"}
"""These take what is signed itself, and no digest of it."""
_CURVES: Final = MappingProxyType({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"})
ALGORITHMS: Final = (*_DIGESTS, *sorted(_AS_IT_IS))

app = typer.Typer()


def complete_signatures(incomplete: str) -> list[str]:
    """Complete a signature algorithm."""
    return [algorithm for algorithm in ALGORITHMS if algorithm.startswith(incomplete.upper())]


Algorithm = Annotated[
    str,
    typer.Option("--alg", help="RS256, PS256, ES256, HS256 and so on, as it fits the key.", autocompletion=complete_signatures),
]
Content = Annotated[str | None, typer.Option("--file", "-f", help="What is signed; - for standard input, and without it.")]
Digest = Annotated[str | None, typer.Option("--digest", metavar="HEX", help="The digest of what is signed, instead of a file.")]
Der = Annotated[bool, typer.Option("--der", help="An ECDSA signature in DER, as OpenSSL has it.")]


@app.command()
def sign(
    name: KeyName,
    *,
    alg: Algorithm,
    file: Content = None,
    digest: Digest = None,
    output: Output = None,
    der: Der = False,
    version: Version = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Sign a file. It is hashed here by the algorithm's digest, and only that is sent; HS256 to HS512 and RSNULL take it whole.

    The signature goes as it is into a file or a pipe, and as base64url to a terminal.
    """
    alg = _known(alg, der=der)
    body = {"alg": alg, "value": base64url_of(_signed(alg, file, digest))}
    with open_vault(vault_url) as vault:
        answer = vault.call("POST", object_path(KEYS, name, version, "sign"), body)
    if as_json:
        show_json(answer)
    if not as_json or output:
        write_octets(output, _to_der(octets_of(answer["value"])) if der else octets_of(answer["value"]))


@app.command()
def verify(
    name: KeyName,
    *,
    alg: Algorithm,
    signature: Annotated[str, typer.Option("--signature", "-s", help="The signature, as `sign` writes it; - for stdin.")],
    file: Content = None,
    digest: Digest = None,
    der: Der = False,
    version: Version = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Verify a signature of a file. Ends with exit code 0 where it is right, and with 7 where it is wrong."""
    alg = _known(alg, der=der)
    if signature == STANDARD and digest is None and file in {None, STANDARD}:
        raise typer.BadParameter("only one of --file and --signature can be standard input")
    value = read_octets(signature)
    body = {
        "alg": alg,
        "digest": base64url_of(_signed(alg, file, digest)),
        "value": base64url_of(_from_der(value, alg) if der else value),
    }
    with open_vault(vault_url) as vault:
        answer = vault.call("POST", object_path(KEYS, name, version, "verify"), body)
    if as_json:
        show_json(answer)
    if not answer["value"]:
        tell("The signature is wrong: it is not of this content, by this key and algorithm.")
        raise typer.Exit(ExitCode.WRONG_SIGNATURE)
    if not as_json:
        typer.echo("The signature is right.")


def _known(algorithm: str, *, der: bool) -> str:
    known = algorithm.upper()
    if known not in ALGORITHMS:
        raise typer.BadParameter(f"{algorithm} is no signature algorithm: {', '.join(ALGORITHMS)} are", param_hint="--alg")
    if der and known not in _CURVES:
        raise typer.BadParameter(f"--der is for ECDSA ({', '.join(_CURVES)}): other signatures have one form only")
    return known


def _signed(algorithm: str, file: str | None, digest: str | None) -> bytes:
    """Give what the service signs: a digest, or all of the content where the algorithm takes that."""
    if digest is None:
        content = STANDARD if file is None else file
        return read_bytes(content) if algorithm in _AS_IT_IS else _digest(content, _DIGESTS[algorithm])
    if file is not None:
        raise typer.BadParameter("only one of --file and --digest can be given")
    if algorithm in _AS_IT_IS:
        raise typer.BadParameter(f"{algorithm} takes no digest: give what is signed itself")
    size = hashlib.new(_DIGESTS[algorithm]).digest_size
    try:
        octets = bytes.fromhex(digest)
    except ValueError:
        octets = b""
    if len(octets) != size:
        raise typer.BadParameter(f"{algorithm} takes a digest of {size} bytes: {2 * size} digits of hex", param_hint="--digest")
    return octets


def _digest(file: str, kind: str) -> bytes:
    try:
        if file == STANDARD:
            return _hashed(sys.stdin.buffer, kind)
        with Path(file).open("rb") as content:
            return _hashed(content, kind)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None


def _hashed(content: BinaryIO, kind: str) -> bytes:
    digest = hashlib.new(kind)
    while block := content.read(1 << 20):
        digest.update(block)
    return digest.digest()


def _to_der(signature: bytes) -> bytes:
    from certworker.crypto.key_files import ecdsa_to_der  # noqa: PLC0415  # `--help` and `dev` start without it

    return ecdsa_to_der(signature)


def _from_der(signature: bytes, algorithm: str) -> bytes:
    from certworker.crypto.key_files import ecdsa_from_der  # noqa: PLC0415

    return ecdsa_from_der(signature, _CURVES[algorithm])
