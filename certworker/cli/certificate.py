"""`certworker certificate`: made, listed, shown, renewed, deleted."""

from contextlib import suppress
from typing import Annotated
from urllib.parse import quote

import typer

from certworker.cli import certificate_files, certificate_policy, plan
from certworker.cli.certificate_files import CERTIFICATES
from certworker.cli.objects import Deleted, Yes, confirm, delete_object, purge_object, recover_object, tags_in
from certworker.cli.options import (
    CA_SECONDS,
    AsJson,
    Name,
    VaultUrl,
    Wire,
    complete_issuers,
    name_of,
    open_vault,
    path_of,
    segment_of,
)
from certworker.cli.output import hex_of, plain, show_fields, show_json, show_table, text_of, time_of
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
from certworker.cli.revocation import summary_of
from certworker.cli.waiting import history_path, wait_for
from certworker.errors import NotFound

WAIT_SECONDS = 600.0
_MANUAL = "unknown"

app = typer.Typer(help="Certificates: made, shown, renewed, taken out and put back.", no_args_is_help=True)
app.add_typer(certificate_files.app)
app.add_typer(certificate_policy.app, name="policy")
app.add_typer(plan.app)

Issuer = Annotated[
    str, typer.Option("--issuer", help="Self, or the name of an issuer of the vault.", autocompletion=complete_issuers)
]
Profile = Annotated[str | None, typer.Option("--profile", help="The certificate type in the CA's words; for ACME the profile.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is issued, or come back at once.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0, help="How many seconds to wait at the most.")]


@app.command()
def create(
    name: Name,
    *,
    issuer: Issuer = "Self",
    subject: Subject = "",
    dns: DnsNames = None,
    ip: Addresses = None,
    email: Emails = None,
    key_type: KeyTypeOption = None,
    key_size: KeySize = None,
    curve: Curve = None,
    not_exportable: NotExportable = False,
    profile: Profile = None,
    wait: Wait = True,
    timeout: Timeout = WAIT_SECONDS,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a certificate, or the next version of one with a new policy."""
    names = {"dns": dns, "ip": ip, "email": email}
    request = request_of(subject, names, key_type, key_size, curve, not_exportable=not_exportable)
    policy = policy_of(request, issuer, profile)
    if wait and issuer.casefold() == _MANUAL:
        raise typer.BadParameter(f"with the issuer Unknown somebody has to sign: use `certworker csr create {name}`")
    with open_vault(vault_url) as vault:
        operation = vault.call("POST", path_of(name, "create"), {"policy": policy})
        if wait:
            wait_for(vault, name, operation["request_id"], timeout)
            bundle = vault.call("GET", path_of(name))
    if wait:
        _tell_issued(name, bundle, as_json=as_json)
    elif as_json:
        show_json(operation)
    else:
        typer.echo(f"{name} is being issued by {issuer}; `certworker certificate show {name}` tells how it stands.")


@app.command()
def renew(
    name: Name, *, wait: Wait = True, timeout: Timeout = WAIT_SECONDS, vault_url: VaultUrl = None, as_json: AsJson = False
) -> None:
    """Renew a certificate now, whenever it would have fallen due."""
    with open_vault(vault_url) as vault:
        operation = vault.call("POST", f"/certworker/v1/certificates/{quote(name, safe='')}/renew")
        if wait:
            wait_for(vault, name, operation["request_id"], timeout)
            bundle = vault.call("GET", path_of(name))
    if wait:
        _tell_issued(name, bundle, as_json=as_json)
    elif as_json:
        show_json(operation)
    else:
        typer.echo(f"The renewal of {name} has begun: {text_of(operation['request_id'])}.")


@app.command("list")
def list_(
    *,
    pending: Annotated[bool, typer.Option("--pending", help="Also those whose first version is still to come.")] = False,
    deleted: Deleted = False,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the certificates of the vault."""
    with open_vault(vault_url) as vault:
        if deleted:
            page = vault.pages("/deletedcertificates")
        else:
            page = vault.pages("/certificates", **({"includePending": "true"} if pending else {}))
    if as_json:
        show_json(page)
        return
    last = ("PURGED AFTER", "scheduledPurgeDate") if deleted else ("", "")
    rows = [[*_row(item), time_of(item.get(last[1]))] if deleted else _row(item) for item in page["value"]]
    show_table(("NAME", "ENABLED", "EXPIRES", "THUMBPRINT", *(last[:1] if deleted else ())), rows)


def _row(item: Wire) -> list[object]:
    attributes = item["attributes"]
    return [name_of(item["id"]), attributes["enabled"], time_of(attributes.get("exp")), hex_of(item.get("x5t"))]


@app.command()
def show(
    name: Name,
    *,
    version: Annotated[str | None, typer.Option("--version", help="A version; the current one without it.")] = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show a certificate: what it is, and what became of its latest operation."""
    history: Wire = {}
    standing: Wire = {}
    with open_vault(vault_url) as vault:
        bundle = vault.call("GET", path_of(name, *((segment_of(version),) if version else ())))
        if not version and not as_json:
            # an imported one has none
            with suppress(NotFound):
                history = vault.call("GET", history_path(name))
            # nor has one a state that has no version yet
            with suppress(NotFound):
                standing = vault.call("GET", f"/certworker/v1{path_of(name, 'revocation')}")
    if as_json:
        show_json(bundle)
        return
    show_fields(_facts(bundle) | ({"revocation": summary_of(standing)} if standing else {}))
    if history:
        typer.echo()
        show_fields(_history(history))
        typer.echo()
        show_table(("AT", "STEP"), [(time_of(entry["at"]), entry["step"]) for entry in history["journal"]])


def _facts(bundle: Wire) -> Wire:
    attributes, policy = bundle["attributes"], bundle.get("policy", {})
    x509, key, names = policy.get("x509_props", {}), policy.get("key_props", {}), policy.get("x509_props", {}).get("sans", {})
    return {
        "id": bundle["id"],
        "subject": x509.get("subject"),
        "names": [name for values in names.values() for name in values] or None,
        "issuer": policy.get("issuer", {}).get("name"),
        "key": " ".join(str(part) for part in (key.get("kty"), key.get("crv") or key.get("key_size")) if part),
        "exportable": key.get("exportable"),
        "enabled": attributes["enabled"],
        "valid from": time_of(attributes.get("nbf")),
        "valid until": time_of(attributes.get("exp")),
        "created": time_of(attributes.get("created")),
        "thumbprint": hex_of(bundle.get("x5t")),
        "tags": tags_in(bundle),
    }


def _history(history: Wire) -> Wire:
    renewal, error = history["renewal"], history.get("error") or {}
    return {
        "operation": history["request_id"],
        "correlation id": history.get("correlation_id"),
        "status": history["status"],
        "begun for": history["reason"],
        "details": history.get("status_details"),
        "error": f"{error.get('code')}: {error.get('message')}" if error else None,
        "warnings": history["warnings"] or None,
        "next attempt": time_of(history.get("next_attempt")),
        "renewal due": time_of(renewal.get("due")),
        "last failure": renewal.get("last_error"),
    }


@app.command()
def cancel(name: Name, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Ask for an issuance or a renewal to be cancelled; a worker carries it out. What was issued before stays as it is."""
    with open_vault(vault_url) as vault:
        operation = vault.call("PATCH", path_of(name, "pending"), {"cancellation_requested": True})
    if as_json:
        show_json(operation)
    else:
        typer.echo(f"The operation {text_of(operation['request_id'])} of {name} is being cancelled.")


@app.command()
def revoke(
    name: Name,
    *,
    reason: Annotated[
        str,
        typer.Option(
            "--reason", help="Why: unspecified, keyCompromise, affiliationChanged, superseded or cessationOfOperation."
        ),
    ],
    version: Annotated[str | None, typer.Option("--version", help="A version; the current one without it.")] = None,
    yes: Yes = False,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Have a certificate revoked by the CA that issued it. That is for good; what renews by itself is replaced at once."""
    question = f"Have {f'version {version}' if version else 'the current version'} of {name} revoked for good?"
    confirm(question, yes=yes)
    body = {"reason": reason, **({"version": version} if version else {})}
    with open_vault(vault_url, CA_SECONDS) as vault:
        revoked = vault.call("POST", f"/certworker/v1/certificates/{segment_of(name)}/revoke", body)
    if as_json:
        show_json(revoked)
    else:
        version, by = name_of(revoked["id"]), plain(revoked["issuer"])
        typer.echo(f"{name}, version {version}, is revoked by {by} (reason: {plain(revoked['reason'])}).")


@app.command()
def delete(name: Name, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Delete a certificate with its key and secret. It can be recovered until it is purged."""
    delete_object(CERTIFICATES, name, vault_url, as_json=as_json)


@app.command()
def recover(name: Name, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Bring a deleted certificate back."""
    recover_object(CERTIFICATES, name, vault_url, as_json=as_json)


@app.command()
def purge(name: Name, *, yes: Yes = False, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Delete a deleted certificate for good. On a terminal it asks first."""
    question = f"Delete {name} with its key for good?"
    purge_object(CERTIFICATES, name, vault_url, question, yes=yes, as_json=as_json)


def _tell_issued(name: str, bundle: Wire, *, as_json: bool) -> None:
    if as_json:
        show_json(bundle)
    else:
        typer.echo(f"{name} is version {name_of(bundle['id'])}, valid until {time_of(bundle['attributes'].get('exp'))}.")
