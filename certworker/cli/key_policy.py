"""`certworker key policy`: when a key is rotated, when its end is told, and how long a version lives."""

import json
from typing import Annotated, Any

import typer

from certworker.cli.files import read_text
from certworker.cli.key_files import KEYS, KeyName
from certworker.cli.objects import object_path
from certworker.cli.options import AsJson, VaultUrl, Wire, open_vault
from certworker.cli.output import show_json

_PART = "rotationpolicy"

app = typer.Typer(help="The rotation policy of a key.", no_args_is_help=True)

RotateAfter = Annotated[
    str | None,
    typer.Option("--rotate-after", metavar="DURATION", help="Rotate it so long after a version's creation: P90D, P3M, P1Y."),
]
RotateBefore = Annotated[
    str | None, typer.Option("--rotate-before", metavar="DURATION", help="Rotate it so long before a version expires.")
]
NotifyBefore = Annotated[
    str | None, typer.Option("--notify-before", metavar="DURATION", help="Tell its owner so long before a version expires.")
]
ExpiryTime = Annotated[
    str | None, typer.Option("--expiry-time", metavar="DURATION", help="So long lives a version that a rotation makes.")
]


@app.command()
def show(name: KeyName, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:  # noqa: ARG001  # it is JSON anyway
    """Print a key's rotation policy, as JSON that `set --file` takes."""
    with open_vault(vault_url) as vault:
        policy = vault.call("GET", object_path(KEYS, name, _PART))
    show_json(policy)


@app.command("set")
def set_(
    name: KeyName,
    *,
    rotate_after: RotateAfter = None,
    rotate_before: RotateBefore = None,
    notify_before: NotifyBefore = None,
    expiry_time: ExpiryTime = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="JSON with the whole policy, instead of the options; - for stdin.")
    ] = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Set a key's rotation policy, in the place of the one that it has: what is not named is not in it.

    Only its end is always told: 30 days before, where nothing else is named. Durations are those of ISO 8601: P90D, P3M, P1Y.
    The worker rotates and tells; `key rotate` rotates now.
    """
    given = {
        ("Rotate", "timeAfterCreate"): rotate_after,
        ("Rotate", "timeBeforeExpiry"): rotate_before,
        ("Notify", "timeBeforeExpiry"): notify_before,
    }
    named = any(duration is not None for duration in (*given.values(), expiry_time))
    if named == (file is not None):
        raise typer.BadParameter("say either by options or by --file what the policy is to be")
    if rotate_after is not None and rotate_before is not None:
        raise typer.BadParameter("only one of --rotate-after and --rotate-before can be given")
    actions = [
        {"trigger": {trigger: duration}, "action": {"type": action}}
        for (action, trigger), duration in given.items()
        if duration is not None
    ]
    attributes = {"expiryTime": expiry_time} if expiry_time is not None else {}
    policy = _read_policy(file) if file is not None else {"lifetimeActions": actions, "attributes": attributes}
    with open_vault(vault_url) as vault:
        known = vault.call("PUT", object_path(KEYS, name, _PART), policy)
    if as_json:
        show_json(known)
    else:
        typer.echo(f"The rotation policy of {name} is set.")


def _read_policy(file: str) -> Wire:
    try:
        policy: Any = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}") from None
    if not isinstance(policy, dict) or "lifetimeActions" not in policy:
        raise typer.BadParameter(f"{file} is no rotation policy, which is a JSON object with lifetimeActions")
    return policy
