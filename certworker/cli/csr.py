"""`certworker csr`: certificate signing requests, which a person carries to a CA, and what comes back."""

from base64 import b64decode, b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from certworker.cli.files import read_filled, write_bytes
from certworker.cli.options import AsJson, Name, Output, VaultUrl, Wire, name_of, open_vault, path_of
from certworker.cli.output import show_json, show_table, tell, time_of
from certworker.cli.policies import (
    Addresses,
    Curve,
    DnsNames,
    Emails,
    KeySize,
    KeyTypeOption,
    NotExportable,
    Subject,
    policy_of,
    request_of,
)
from certworker.cli.waiting import IN_PROGRESS, history_path
from certworker.errors import BadParameter, Conflict, NotFound

if TYPE_CHECKING:
    from certworker.cli.client import VaultClient

UNKNOWN = "Unknown"
_LINE = 64

app = typer.Typer(help="Certificate signing requests: made here, signed by a CA of your choice, merged.", no_args_is_help=True)


@app.command()
def create(
    name: Name,
    *,
    subject: Subject = "",
    dns: DnsNames = None,
    ip: Addresses = None,
    email: Emails = None,
    key_type: KeyTypeOption = None,
    key_size: KeySize = None,
    curve: Curve = None,
    not_exportable: NotExportable = False,
    output: Output = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a key in the vault and a certificate signing request for it, and print the request as PEM.

    For a certificate that was made this way before, NAME alone asks for its next version by the policy that it has.
    """
    names = {"dns": dns, "ip": ip, "email": email}
    request = request_of(subject, names, key_type, key_size, curve, not_exportable=not_exportable)
    with open_vault(vault_url) as vault:
        body = {} if request.is_empty and _has_manual_policy(vault, name) else {"policy": policy_of(request, UNKNOWN)}
        try:
            operation = vault.call("POST", path_of(name, "create"), body)
        except Conflict as conflict:
            raise _explained(vault, name, conflict) from None
    if as_json:
        show_json(operation)
    if not as_json or output:
        write_bytes(output, csr_pem(operation["csr"]))
    tell(f"The key of {name} is in the vault. Have the request signed, then: certworker csr merge {name} FILE")


@app.command("list")
def list_(*, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List the certificate signing requests that wait for their certificate."""
    with open_vault(vault_url) as vault:
        items = vault.pages("/certificates", includePending="true")["value"]
        found = [operation for item in items if (operation := _waiting(vault, name_of(item["id"])))]
    if as_json:
        show_json({"value": found, "nextLink": None})
        return
    rows = [(_certificate_of(operation), operation["status"], operation["request_id"]) for operation in found]
    show_table(("NAME", "STATUS", "REQUEST ID"), rows)


@app.command()
def show(name: Name, *, output: Output = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Print a certificate signing request as PEM."""
    with open_vault(vault_url) as vault:
        operation = vault.call("GET", path_of(name, "pending"))
    if as_json:
        show_json(operation)
    if not as_json or output:
        write_bytes(output, csr_pem(operation["csr"]))
    if operation["status"] != IN_PROGRESS:
        tell(f"Nothing waits for this request any more: it is {operation['status']}.")


@app.command()
def merge(
    name: Name,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="What the CA sent: PEM, DER or PKCS#7; - for stdin.")],
    *,
    chain: Annotated[list[str] | None, typer.Option("--chain", help="A file with the CA's own certificates.")] = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Merge what the CA made of a request: the certificate, and its chain in any order."""
    certificates = _read_certificates([*files, *(chain or ())])
    with open_vault(vault_url) as vault:
        bundle = vault.call("POST", path_of(name, "pending", "merge"), {"x5c": certificates})
        warnings: list[str] = []
        with suppress(NotFound):
            warnings = vault.call("GET", history_path(name))["warnings"]
    if as_json:
        show_json(bundle)
    else:
        typer.echo(f"{name} is version {name_of(bundle['id'])}, valid until {time_of(bundle['attributes'].get('exp'))}.")
    for warning in warnings:
        tell(f"Warning: {warning}")


@app.command()
def cancel(name: Name, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Cancel a certificate signing request. Its key is gone with it: a certificate that a CA still makes of it is of no use."""
    with open_vault(vault_url) as vault:
        operation = vault.call("GET", path_of(name, "pending"))
        if operation["status"] != IN_PROGRESS:
            raise Conflict(f"The request of {name} is {operation['status']}: there is nothing to cancel.")
        cancelled = vault.call("DELETE", path_of(name, "pending"), request_id=operation["request_id"])
    if as_json:
        show_json(cancelled)
    else:
        typer.echo(f"The request of {name} is cancelled.")


def csr_pem(csr: str) -> bytes:
    """Show the wire's base64 of a CSR as PEM (RFC 7468 section 7)."""
    text = b64encode(b64decode(csr)).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\n".join(("-----BEGIN CERTIFICATE REQUEST-----", *lines, "-----END CERTIFICATE REQUEST-----", "")).encode()


def _has_manual_policy(vault: "VaultClient", name: str) -> bool:
    """Whether there is a policy to go by. Raises Conflict where it leaves the signing to somebody else."""
    try:
        policy = vault.call("GET", path_of(name, "policy"))
    except NotFound:
        return False
    issuer = policy["issuer"].get("name", UNKNOWN)
    if issuer.casefold() != UNKNOWN.casefold():
        raise Conflict(f"{name} is issued by {issuer}: say with --subject or --dns what is to be asked for instead.")
    return True


def _explained(vault: "VaultClient", name: str, conflict: Conflict) -> Conflict:
    """Say what can be done about a request that is pending already."""
    if not _waiting(vault, name):
        return conflict
    return Conflict(
        f"A request of {name} is pending already: `certworker csr show {name}` prints it, `certworker csr cancel {name}` "
        f"cancels it. {conflict}"
    )


def _waiting(vault: "VaultClient", name: str) -> Wire | None:
    try:
        operation: Wire = vault.call("GET", path_of(name, "pending"))
    except NotFound:
        return None
    manual = operation["issuer"].get("name", UNKNOWN).casefold() == UNKNOWN.casefold()
    return operation if manual and operation["status"] == IN_PROGRESS else None


def _certificate_of(operation: Wire) -> str:
    return name_of(operation["id"].removesuffix("/pending"))


def _read_certificates(files: list[str]) -> list[str]:
    from certworker.crypto.received import read_certificates  # noqa: PLC0415  # `--help` and `dev` start without it

    found: list[bytes] = []
    for file in files:
        try:
            found += read_certificates(read_filled(file))
        except BadParameter as error:
            raise BadParameter(f"{file}: {error}") from None
    return [b64encode(certificate).decode() for certificate in found]
