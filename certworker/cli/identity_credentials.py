"""`certworker identity app credential`: what an application shows that it is itself."""

from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import typer

from certworker.cli.identity_options import Config, directory, show_many, show_one
from certworker.cli.options import AsJson, VaultUrl
from certworker.cli.output import tell, tell_done
from certworker.errors import BadParameter, NotFound

app = typer.Typer(help="Client secrets, certificates, and tokens of foreign issuers.", no_args_is_help=True)

AppName = Annotated[str, typer.Argument(help="Display name of the application, client id, or object id.")]
DisplayName = Annotated[str | None, typer.Option("--name", help="What it is for.")]
_FIELDS: Final = MappingProxyType({"kind": "kind", "name": "displayName", "end": "endDateTime", "key id": "keyId"})


@app.command("list")
def list_(name: AppName, *, config: Config = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List what an application shows. A secret is not kept, so that it is not among it."""
    with directory(config, vault_url) as people:
        found = people.application(name)
        foreign = people.all(f"/applications/{found['id']}/federatedIdentityCredentials")
    shown = [
        *({"kind": "secret", **one} for one in found["passwordCredentials"]),
        *({"kind": "certificate", **one} for one in found["keyCredentials"]),
        *({"kind": "federated", **one, "displayName": one["name"], "keyId": one["id"]} for one in foreign),
    ]
    show_many(shown, _FIELDS, as_json=as_json)


@app.command()
def add_secret(
    name: AppName,
    *,
    display_name: DisplayName = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="For how many days it is good.")] = 365,
    config: Config = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make another client secret. It is shown this once."""
    from certworker.clock import utc_now  # noqa: PLC0415  # `--help` starts without it

    end = f"{utc_now() + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
    with directory(config, vault_url) as people:
        application = people.application(name)
        wanted = {"passwordCredential": {"displayName": display_name, "endDateTime": end}}
        made = people.call("POST", f"/applications/{application['id']}/addPassword", wanted)
    fields = {"client id": "appId", "client secret": "secretText", "end": "endDateTime", "key id": "keyId"}
    show_one({**made, "appId": application["appId"]}, fields, as_json=as_json)
    tell("The client secret is shown this once.")


@app.command()
def add_certificate(
    name: AppName,
    file: Annotated[Path, typer.Argument(help="File of the certificate, PEM or DER. Its private key stays where it is.")],
    *,
    display_name: DisplayName = None,
    config: Config = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let an application sign what it shows with the key of a certificate."""
    from base64 import b64encode  # noqa: PLC0415

    new = {"key": b64encode(_certificate(file)).decode(), "type": "AsymmetricX509Cert", "usage": "Verify"}
    if display_name:
        new["displayName"] = display_name
    with directory(config, vault_url) as people:
        application = people.application(name)
        body = {"keyCredentials": [*application["keyCredentials"], new]}
        people.call("PATCH", f"/applications/{application['id']}", body)
    done = {"application": name, "certificate": str(file)}
    tell_done(f"{name} may show the certificate {file}.", done, as_json=as_json)


@app.command()
def add_federated(
    name: AppName,
    *,
    credential: Annotated[str, typer.Option("--name", help="Name of the credential.")],
    issuer: Annotated[str, typer.Option("--issuer", help="Issuer of the foreign tokens: their `iss`.")],
    subject: Annotated[str, typer.Option("--subject", help="Of whom they are: their `sub`.")],
    audience: Annotated[str, typer.Option("--audience", help="For whom: their `aud`.")] = "api://AzureADTokenExchange",
    config: Config = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let an application show a token of a foreign issuer (workload identity federation)."""
    body = {"name": credential, "issuer": issuer, "subject": subject, "audiences": [audience]}
    with directory(config, vault_url) as people:
        path = f"/applications/{people.application(name)['id']}/federatedIdentityCredentials"
        made = people.call("POST", path, body)
    show_one(made, {field: field for field in ("name", "issuer", "subject", "audiences", "id")}, as_json=as_json)


@app.command()
def remove(
    name: AppName,
    key_id: Annotated[str, typer.Argument(help="Its key id; of a federated one its name or id.")],
    *,
    config: Config = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Take away what an application shows, at once."""
    with directory(config, vault_url) as people:
        found = people.application(name)
        path = f"/applications/{found['id']}"
        federated = people.all(f"{path}/federatedIdentityCredentials")
        if any(one["keyId"] == key_id for one in found["passwordCredentials"]):
            people.call("POST", f"{path}/removePassword", {"keyId": key_id})
        elif any(one["keyId"] == key_id for one in found["keyCredentials"]):
            kept = [one for one in found["keyCredentials"] if one["keyId"] != key_id]
            people.call("PATCH", path, {"keyCredentials": kept})
        elif any(key_id in (one["id"], one["name"]) for one in federated):
            people.call("DELETE", f"{path}/federatedIdentityCredentials/{key_id}")
        else:
            raise NotFound(f"{name} shows nothing with the key id {key_id}.")
    tell_done(f"{name} shows it no longer.", {"application": name, "removed": key_id}, as_json=as_json)


def _certificate(file: Path) -> bytes:
    from certworker.crypto.x509 import split_pem  # noqa: PLC0415

    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadParameter(f"{file} cannot be read: {error.strerror}.") from None
    return split_pem(content)[0] if b"-----BEGIN" in content else content
