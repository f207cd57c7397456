"""`certworker key`: made, listed, shown, changed, rotated, deleted, recovered, purged."""

from enum import StrEnum
from typing import Annotated

import typer

from certworker.cli import key_ciphers, key_files, key_policy, key_signatures
from certworker.cli.attributes import Expires, NotBefore, Tags, Version, attributes_of, tags_of
from certworker.cli.key_files import KEYS, Disabled, KeyName, Operations, operations_of, tell_version
from certworker.cli.objects import (
    Deleted,
    NoTags,
    Yes,
    delete_object,
    life_of,
    object_path,
    purge_object,
    recover_object,
    tags_in,
)
from certworker.cli.octets import octets_of
from certworker.cli.options import AsJson, VaultUrl, Wire, name_of, open_vault
from certworker.cli.output import show_fields, show_json, show_table, time_of

app = typer.Typer(
    help="Keys: made, shown, rotated; they sign, verify, encrypt, decrypt, wrap and unwrap.", no_args_is_help=True
)
app.add_typer(key_files.app)
app.add_typer(key_signatures.app)
app.add_typer(key_ciphers.app)
app.add_typer(key_policy.app, name="policy")

_IN_TOKEN = "1"  # noqa: S105  # the word for a platform


class KeyType(StrEnum):
    """Types of keys, in the words of Key Vault."""

    RSA = "RSA"
    EC = "EC"
    OCT = "oct"
    RSA_HSM = "RSA-HSM"
    EC_HSM = "EC-HSM"
    OCT_HSM = "oct-HSM"


@app.command()
def create(
    name: KeyName,
    *,
    kty: Annotated[
        KeyType | None,
        typer.Option("--kty", "--key-type", case_sensitive=False, help="RSA unless a curve is given; -HSM: in a token."),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", "--key-size", help="Bits: of RSA 2048, 3072 or 4096; of oct 128, 192 or 256.")
    ] = None,
    curve: Annotated[str | None, typer.Option("--curve", help="Curve of an EC key: P-256, P-384, P-521 or P-256K.")] = None,
    ops: Operations = None,
    expires: Expires = None,
    not_before: NotBefore = None,
    disabled: Disabled = False,
    tag: Tags = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, or the next version of one. Its private half never leaves the vault."""
    body = {
        **_kind_of(kty, size, curve),
        **operations_of(ops),
        **attributes_of(expires, not_before, enabled=False if disabled else None),
        **tags_of(tag),
    }
    with open_vault(vault_url) as vault:
        bundle = vault.call("POST", object_path(KEYS, name, "create"), body)
    tell_version(name, bundle, as_json=as_json)


def _kind_of(kty: KeyType | None, size: int | None, curve: str | None) -> Wire:
    kty = kty or (KeyType.RSA if curve is None else KeyType.EC)
    elliptic = kty in {KeyType.EC, KeyType.EC_HSM}
    if elliptic and size is not None:
        raise typer.BadParameter("an EC key has a --curve and no --size")
    if not elliptic and curve is not None:
        raise typer.BadParameter(f"a key of the type {kty} has a --size and no --curve")
    given = {"kty": kty.value, "key_size": size, "crv": curve}
    return {field: value for field, value in given.items() if value is not None}


@app.command()
def show(name: KeyName, *, version: Version = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Show a key: what it is, and what it may do. `key public` gives its public half."""
    with open_vault(vault_url) as vault:
        bundle = vault.call("GET", object_path(KEYS, name, version))
    if as_json:
        show_json(bundle)
    else:
        show_fields(_facts(bundle))


@app.command("list")
def list_(*, deleted: Deleted = False, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List the keys of the vault."""
    with open_vault(vault_url) as vault:
        page = vault.pages("/deletedkeys" if deleted else "/keys")
    if as_json:
        show_json(page)
        return
    rows = [
        [*_row(item), item.get("managed", False), *([time_of(item.get("scheduledPurgeDate"))] if deleted else [])]
        for item in page["value"]
    ]
    show_table(("NAME", "ENABLED", "EXPIRES", "OF A CERTIFICATE", *(["PURGED AFTER"] if deleted else [])), rows)


@app.command()
def versions(name: KeyName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List a key's versions, the oldest first."""
    with open_vault(vault_url) as vault:
        page = vault.pages(object_path(KEYS, name, "versions"))
    if as_json:
        show_json(page)
        return
    items = sorted(page["value"], key=lambda item: item["attributes"]["created"])
    rows = [[*_row(item), time_of(item["attributes"]["created"])] for item in items]
    show_table(("VERSION", "ENABLED", "EXPIRES", "CREATED"), rows)


@app.command()
def update(
    name: KeyName,
    *,
    version: Version = None,
    ops: Operations = None,
    expires: Expires = None,
    not_before: NotBefore = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it may be used.")] = None,
    tag: Tags = None,
    no_tags: NoTags = False,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Change what a version may do, and when. Operations and tags that are given replace all that there are."""
    body = {
        **operations_of(ops),
        **attributes_of(expires, not_before, enabled=enabled),
        **tags_of(tag, none=no_tags),
    }
    if not body:
        raise typer.BadParameter("nothing is to change")
    with open_vault(vault_url) as vault:
        bundle = vault.call("PATCH", object_path(KEYS, name, version), body)
    if as_json:
        show_json(bundle)
    else:
        show_fields(_facts(bundle))


@app.command()
def rotate(name: KeyName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Make the next version of a key, of the same kind, now. What older versions made, they still decrypt and verify."""
    with open_vault(vault_url) as vault:
        bundle = vault.call("POST", object_path(KEYS, name, "rotate"))
    tell_version(name, bundle, as_json=as_json)


@app.command()
def delete(name: KeyName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Delete a key with all its versions. It can be recovered until it is purged."""
    delete_object(KEYS, name, vault_url, as_json=as_json)


@app.command()
def recover(name: KeyName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Bring a deleted key back."""
    recover_object(KEYS, name, vault_url, as_json=as_json)


@app.command()
def purge(name: KeyName, *, yes: Yes = False, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Delete a deleted key for good: nothing decrypts any more what it encrypted. On a terminal it asks first."""
    question = f"Delete {name} with all its versions for good, and with it whatever only they decrypt?"
    purge_object(KEYS, name, vault_url, question, yes=yes, as_json=as_json)


def _row(item: Wire) -> list[object]:
    attributes = item["attributes"]
    return [name_of(item["kid"]), attributes["enabled"], time_of(attributes.get("exp"))]


def _facts(bundle: Wire) -> Wire:
    key, attributes = bundle["key"], bundle["attributes"]
    return {
        "id": key["kid"],
        "key": _described(key),
        "in a token": True if attributes.get("hsmPlatform") == _IN_TOKEN else None,
        "of a certificate": bundle.get("managed"),
        "may": key["key_ops"] or "nothing",
        "exportable": attributes.get("exportable"),
        **life_of(attributes),
        "tags": tags_in(bundle),
    }


def _described(key: Wire) -> str:
    if "n" in key:
        return f"{key['kty']} {8 * len(octets_of(key['n']))}"
    return f"{key['kty']} {key['crv']}" if "crv" in key else str(key["kty"])
