"""What a vault's objects have in common: each is deleted, recovered, purged, backed up and restored in the same way."""

import sys
from typing import Annotated

import typer

from certworker.cli.files import read_filled, write_bytes
from certworker.cli.options import Wire, name_of, open_vault, segment_of
from certworker.cli.output import show_json, time_of

Deleted = Annotated[bool, typer.Option("--deleted", help="Those that were deleted and can be recovered.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoTags = Annotated[bool, typer.Option("--no-tags", help="Take all tags away.")]
BackupFile = Annotated[str, typer.Option("-o", "--output", help="File to write; - for standard output.")]
Backup = Annotated[str, typer.Argument(metavar="FILE", help="A backup; - for stdin.")]


def object_path(kind: str, name: str, *parts: str | None) -> str:
    """Name an object of a kind (keys, secrets, certificates) by its path, with those further parts that there are.

    Raises typer's BadParameter where there is no name, and as `segment_of`.
    """
    if not name:
        raise typer.BadParameter("a name has 1 to 127 letters, digits and hyphens")
    return "/".join(("", kind, *(segment_of(part) for part in (name, *parts) if part)))


def delete_object(kind: str, name: str, vault_url: str | None, *, as_json: bool) -> None:
    """Delete it, and tell until when it can be recovered."""
    with open_vault(vault_url) as vault:
        bundle = vault.call("DELETE", object_path(kind, name))
    if as_json:
        show_json(bundle)
    else:
        typer.echo(f"{name} is deleted; until {time_of(bundle['scheduledPurgeDate'])} it can be recovered.")


def recover_object(kind: str, name: str, vault_url: str | None, *, as_json: bool) -> None:
    """Bring it back."""
    with open_vault(vault_url) as vault:
        bundle = vault.call("POST", object_path(f"deleted{kind}", name, "recover"))
    if as_json:
        show_json(bundle)
    else:
        typer.echo(f"{name} is back.")


def purge_object(kind: str, name: str, vault_url: str | None, question: str, *, yes: bool, as_json: bool) -> None:
    """Delete it for good; on a terminal only after a yes to the question."""
    confirm(question, yes=yes)
    with open_vault(vault_url) as vault:
        vault.call("DELETE", object_path(f"deleted{kind}", name))
    if as_json:
        show_json(None)
    else:
        typer.echo(f"{name} is gone.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal whether something is meant that cannot be undone; go no further without a yes."""
    if not yes and sys.stdin.isatty():
        typer.confirm(question, abort=True, err=True)


def back_object_up(kind: str, name: str, output: str, vault_url: str | None) -> None:
    """Write its backup into a file for its owner only."""
    with open_vault(vault_url) as vault:
        value = vault.call("POST", object_path(kind, name, "backup"))["value"]
    write_bytes(output, value.encode() + b"\n", private=True)


def restore_object(kind: str, file: str, vault_url: str | None, *, as_json: bool) -> None:
    """Bring it back from its backup."""
    value = read_filled(file).decode("ascii", "replace").strip()
    with open_vault(vault_url) as vault:
        bundle = vault.call("POST", object_path(kind, "restore"), {"value": value})
    if as_json:
        show_json(bundle)
        return
    identifier = id_of(bundle)
    typer.echo(f"{name_of(identifier.rpartition('/')[0])} is back, at version {name_of(identifier)}.")


def id_of(bundle: Wire) -> str:
    """Tell an object's id; a key has it in its JWK."""
    identifier: str = bundle["key"]["kid"] if "key" in bundle else bundle["id"]
    return identifier


def life_of(attributes: Wire) -> Wire:
    """Say what attributes tell of when an object may be used."""
    return {
        "enabled": attributes["enabled"],
        "valid from": time_of(attributes.get("nbf")),
        "valid until": time_of(attributes.get("exp")),
        "created": time_of(attributes.get("created")),
        "updated": time_of(attributes.get("updated")),
    }


def tags_in(bundle: Wire) -> list[str] | None:
    """Say an object's tags."""
    return [f"{tag}={value}" for tag, value in bundle.get("tags", {}).items()] or None
