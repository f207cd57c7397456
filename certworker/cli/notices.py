"""`certworker notify`: what was told to whom; a test, replay, and what nobody wants to hear of."""

from itertools import chain, repeat
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated

import typer

from certworker.cli.attributes import seconds_of
from certworker.cli.exits import ExitCode
from certworker.cli.options import AsJson, VaultUrl, Wire, open_vault, segment_of
from certworker.cli.output import plain, show_fields, show_json, show_table, time_of
from certworker.cli.progress import working

if TYPE_CHECKING:
    from certworker.cli.client import VaultClient

NOTICES = "/certworker/v1/notices"
SILENCES = "/certworker/v1/silences"
_UNDER_WAY = ("waiting", "retrying")
_PAUSES = (0.1, 0.2, 0.5)

app = typer.Typer(help="Notices: what was told to whom, and what is to be told again, or not.", no_args_is_help=True)

NoticeId = Annotated[str, typer.Argument(metavar="ID", help="The notice, by the id that `notify list` shows.")]


@app.command("list")
def list_(
    *,
    status: Annotated[
        str | None, typer.Option("--status", help="Only those: waiting, retrying, sent, dead, silenced, in digest, superseded.")
    ] = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """List notices, the newest first."""
    with open_vault(vault_url) as vault:
        page = vault.pages(NOTICES, **({"status": status} if status else {}))
    if as_json:
        show_json(page)
        return
    _show(page["value"])


@app.command()
def show(notice: NoticeId, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Show a notice with all that is known of it."""
    with open_vault(vault_url) as vault:
        found = vault.call("GET", _path(notice))
    if as_json:
        show_json(found)
        return
    times = {name: time_of(found.get(name)) for name in ("created", "due", "sent", "acknowledged")}
    show_fields({**{name: value for name, value in found.items() if name != "facts"}, **times, **found.get("facts", {})})


@app.command("test")
def try_out(
    *,
    channel: Annotated[str | None, typer.Option("--channel", help="Only by this channel, such as mail.")] = None,
    wait: Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the deliveries.")] = 60.0,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Send a test to everybody who would hear of a certificate; 0 only where all of it arrived."""
    with open_vault(vault_url) as vault:
        made = vault.call("POST", f"{NOTICES}/test", {"channel": channel} if channel else {})["value"]
        with working("Waiting for the deliveries"):
            made = _wait_for(vault, made, wait)
    if as_json:
        show_json({"value": made})
    else:
        for one in made:
            error = f" ({one['last_error']})" if "last_error" in one else ""
            typer.echo(plain(f"{one['channel']} to {one['address']}: {one['status']}{error}"))
    if any(one["status"] != "sent" for one in made):
        raise typer.Exit(ExitCode.ERROR)


@app.command()
def replay(
    notice: Annotated[str | None, typer.Argument(metavar="ID", help="The notice.")] = None,
    *,
    dead: Annotated[bool, typer.Option("--dead", help="All that were given up.")] = False,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let a notice that was given up, silenced or superseded go out now, under its own id."""
    if (notice is None) != dead:
        raise typer.BadParameter("give either a notice or --dead")
    with open_vault(vault_url) as vault:
        found = vault.call("POST", f"{NOTICES}/replay" if notice is None else f"{_path(notice)}/replay")
    if as_json:
        show_json(found)
    elif notice is None:
        count = len(found["value"])
        typer.echo(f"{count} notice{' goes' if count == 1 else 's go'} out again.")
    else:
        typer.echo(f"The notice {notice} goes out again.")


@app.command()
def acknowledge(notice: NoticeId, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Say that somebody knows: nobody is reminded of it, unless it gets worse."""
    with open_vault(vault_url) as vault:
        found = vault.call("POST", f"{_path(notice)}/acknowledge")
    if as_json:
        show_json(found)
    else:
        about = f" of {found['name']}" if "name" in found else ""
        typer.echo(f"Of {found['topic']}{about} nobody is reminded any more, unless it gets worse.")


@app.command()
def silence(
    pattern: Annotated[str, typer.Argument(help="Names of certificates, keys and secrets; * and ? stand for others.")],
    *,
    until: Annotated[str, typer.Option("--until", help="Until when, in ISO 8601: 2026-12-24 or 2026-12-24T12:00:00Z.")],
    why: Annotated[str, typer.Option("--why", help="What for; others will read it.")],
    topic: Annotated[
        str | None,
        typer.Option("--topic", help="Only this topic, such as near_expiry; else all but revoked and key_compromised."),
    ] = None,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Tell nobody of what matches, until a time."""
    body: Wire = {"pattern": pattern, "until": seconds_of("--until", until), "why": why, **({"topic": topic} if topic else {})}
    with open_vault(vault_url) as vault:
        made = vault.call("POST", SILENCES, body)
    if as_json:
        show_json(made)
    else:
        typer.echo(
            f"Nobody is told of {pattern} until {time_of(made['until'])}; `certworker notify unsilence {made['id']}` ends it."
        )


@app.command()
def silences(*, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List the silences that are in force."""
    with open_vault(vault_url) as vault:
        found = vault.call("GET", SILENCES)
    if as_json:
        show_json(found)
        return
    rows = [
        (one["id"], one["pattern"], one.get("topic"), time_of(one["until"]), one["by"], one["why"]) for one in found["value"]
    ]
    show_table(("ID", "PATTERN", "TOPIC", "UNTIL", "BY", "WHY"), rows)


@app.command()
def unsilence(
    silence: Annotated[str, typer.Argument(metavar="ID", help="The silence, by the id that `notify silences` shows.")],
    *,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """End a silence."""
    with open_vault(vault_url) as vault:
        vault.call("DELETE", f"{SILENCES}/{segment_of(silence)}")
    if as_json:
        show_json(None)
    else:
        typer.echo("The silence has ended.")


def _show(notices: list[Wire]) -> None:
    rows = [
        (one["id"], time_of(one["created"]), one["topic"], one.get("name"), one["channel"], one["address"], one["status"])
        for one in notices
    ]
    show_table(("ID", "CREATED", "TOPIC", "NAME", "CHANNEL", "ADDRESS", "STATUS"), rows)


def _path(notice: str) -> str:
    return f"{NOTICES}/{segment_of(notice)}"


def _wait_for(vault: "VaultClient", made: list[Wire], seconds: float) -> list[Wire]:
    """Look again and again until each has gone out, or has failed once."""
    deadline = monotonic() + seconds
    for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
        found = [vault.call("GET", _path(one["id"])) for one in made]
        under_way = [one for one in found if one["status"] in _UNDER_WAY and not one.get("last_error")]
        if not under_way or monotonic() + pause > deadline:
            return found
        sleep(pause)
    raise AssertionError("the pauses never end")
