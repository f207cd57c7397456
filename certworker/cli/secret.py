"""`certworker secret`: set, listed, shown, changed, deleted, recovered, purged."""

import sys
from typing import Annotated

import typer

from certworker.cli import secret_files
from certworker.cli.attributes import Expires, NotBefore, Tags, Version, attributes_of, tags_of
from certworker.cli.files import EMPTY_INPUT, STANDARD, read_text, write_bytes
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
from certworker.cli.options import AsJson, Output, VaultUrl, Wire, name_of, open_vault
from certworker.cli.output import show_fields, show_json, show_table, time_of
from certworker.cli.secret_files import SECRETS, SecretName
from certworker.cli.secret_input import read_secret
from certworker.errors import BadParameter

app = typer.Typer(help="Secrets: set, shown, changed, taken out and put back.", no_args_is_help=True)
app.add_typer(secret_files.app)

ContentType = Annotated[str | None, typer.Option("--content-type", help="What the value is, in your own words.")]
_TABLE = ("NAME", "ENABLED", "EXPIRES", "CONTENT TYPE")


@app.command("set")
def set_(
    name: SecretName,
    *,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="File whose content is the value as it is; - for standard input.")
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="The value is empty, and that is meant: nothing is read.")] = False,
    content_type: ContentType = None,
    tag: Tags = None,
    expires: Expires = None,
    not_before: NotBefore = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Nobody may read it before it is enabled.")] = False,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Set a secret, or the next version of one.

    The value is asked for without echo, or read from standard input, of which one last line end does not belong to it; with
    --file it is taken as it is. It is never an argument: those can be read by every user of the machine, and stay in histories.
    An empty value, as a command that failed before the pipe gives, is stored with --empty only.
    """
    if empty and file is not None:
        raise typer.BadParameter("either --file or --empty")
    body = {
        **({"contentType": content_type} if content_type else {}),
        **attributes_of(expires, not_before, enabled=False if disabled else None),
        **tags_of(tag),
    }
    body["value"] = "" if empty else _value(name, file)
    with open_vault(vault_url) as vault:
        bundle = vault.call("PUT", object_path(SECRETS, name), body)
    if as_json:
        show_json(_without_value(bundle))
    else:
        typer.echo(f"{name} is version {name_of(bundle['id'])}.")


@app.command()
def show(
    name: SecretName,
    *,
    version: Version = None,
    value: Annotated[bool, typer.Option("--value", help="Print the value, and nothing else.")] = False,
    output: Output = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show a secret. Its value is shown with --value only, or written with -o into a file for its owner only.

    Without them neither a terminal nor a pipe gets it, not even with --json. On a terminal the value gets a line end; in a pipe
    or a file it is as it was set.
    """
    with open_vault(vault_url) as vault:
        bundle = vault.call("GET", object_path(SECRETS, name, version))
    if value or output:
        _give(bundle["value"], output)
    elif as_json:
        show_json(_without_value(bundle))
    else:
        show_fields(_facts(bundle))


@app.command("list")
def list_(
    *,
    deleted: Deleted = False,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the secrets of the vault, without their values."""
    with open_vault(vault_url) as vault:
        page = vault.pages("/deletedsecrets" if deleted else "/secrets")
    if as_json:
        show_json(page)
        return
    rows = [[*_row(item), *([time_of(item.get("scheduledPurgeDate"))] if deleted else [])] for item in page["value"]]
    show_table((*_TABLE, *(["PURGED AFTER"] if deleted else [])), rows)


@app.command()
def versions(name: SecretName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List a secret's versions, the oldest first, without their values."""
    with open_vault(vault_url) as vault:
        page = vault.pages(object_path(SECRETS, name, "versions"))
    if as_json:
        show_json(page)
        return
    items = sorted(page["value"], key=lambda item: item["attributes"]["created"])
    rows = [[*_row(item), time_of(item["attributes"]["created"])] for item in items]
    show_table(("VERSION", *_TABLE[1:], "CREATED"), rows)


@app.command()
def update(
    name: SecretName,
    *,
    version: Version = None,
    content_type: ContentType = None,
    tag: Tags = None,
    no_tags: NoTags = False,
    expires: Expires = None,
    not_before: NotBefore = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it may be read.")] = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Change what goes with a version. Tags that are given replace all that there are. A value never changes: set a new one."""
    body = {
        **({"contentType": content_type} if content_type is not None else {}),
        **attributes_of(expires, not_before, enabled=enabled),
        **tags_of(tag, none=no_tags),
    }
    if not body:
        raise typer.BadParameter("nothing is to change")
    with open_vault(vault_url) as vault:
        bundle = vault.call("PATCH", object_path(SECRETS, name, version), body)
    if as_json:
        show_json(bundle)
    else:
        show_fields(_facts(bundle))


@app.command()
def delete(name: SecretName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Delete a secret with all its versions. It can be recovered until it is purged."""
    delete_object(SECRETS, name, vault_url, as_json=as_json)


@app.command()
def recover(name: SecretName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Bring a deleted secret back."""
    recover_object(SECRETS, name, vault_url, as_json=as_json)


@app.command()
def purge(name: SecretName, *, yes: Yes = False, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Delete a deleted secret for good. On a terminal it asks first."""
    question = f"Delete {name} with all its versions for good?"
    purge_object(SECRETS, name, vault_url, question, yes=yes, as_json=as_json)


def _value(name: str, file: str | None) -> str:
    """Read the value. Raises BadParameter for an empty one: it is nearly always what is left of something that failed."""
    if file is None and sys.stdin.isatty():
        return read_secret(f"Value of {name}", twice=True)
    text = read_text(file or STANDARD)
    if file is None and text.endswith("\n"):
        text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        what = EMPTY_INPUT if file in {None, STANDARD} else f"{file} is empty."
        raise BadParameter(f"{what} Nothing was stored; an empty secret is set with --empty.")
    return text


def _give(value: str, output: str | None) -> None:
    if output or not sys.stdout.isatty():
        write_bytes(output, value.encode(), private=True)
        return
    if not all(sign.isprintable() or sign in "\t\n" for sign in value):
        raise BadParameter("This value is not fit for a terminal: name a file with -o FILE.")
    typer.echo(value)


def _without_value(bundle: Wire) -> Wire:
    return {name: value for name, value in bundle.items() if name != "value"}


def _row(item: Wire) -> list[object]:
    attributes = item["attributes"]
    return [name_of(item["id"]), attributes["enabled"], time_of(attributes.get("exp")), item.get("contentType")]


def _facts(bundle: Wire) -> Wire:
    return {
        "id": bundle["id"],
        "content type": bundle.get("contentType"),
        **life_of(bundle["attributes"]),
        "key": bundle.get("kid"),
        "tags": tags_in(bundle),
    }
