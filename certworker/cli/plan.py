"""`certworker plan`: what happens to each certificate next, when and why; and renewals paused and resumed."""

from typing import Annotated

import typer

from certworker.cli.options import AsJson, Name, VaultUrl, Wire, complete_certificates, open_vault, segment_of
from certworker.cli.output import plain, show_json, show_notes, tell, text_of, time_of

PlanName = Annotated[
    str | None,
    typer.Argument(help="Name of the certificate; all of the vault without it.", autocompletion=complete_certificates),
]
At = Annotated[
    str | None, typer.Option("--at", help="Another time to decide for, as 2026-12-24 or 2026-12-24T18:00:00Z (UTC).")
]

app = typer.Typer()


def plan(name: PlanName = None, *, at: At = None, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Tell what happens to each certificate next, when and why. Nothing changes by it.

    NEXT is renewal; retry, maintenance or issuer, where it waits for the back-off, its window or its CA; operation, where one
    is in progress; person, where somebody has to act; paused, disabled or nothing, where it is not renewed.
    """
    query = {"at": at} if at else {}
    with open_vault(vault_url) as vault:
        if name is None:
            page = vault.pages("/certworker/v1/plan", **query)
        else:
            found = vault.call("GET", f"/certworker/v1/certificates/{segment_of(name)}/plan", **query)
            page = {"value": [found], "nextLink": None}
    if as_json:
        show_json(page if name is None else page["value"][0])
        return
    # what is due first stands first, and what never is stands last
    items = sorted(page["value"], key=lambda item: (item.get("at") is None, item.get("at", 0)))
    rows = [(_name(item), item["next"], time_of(item.get("at")), time_of(item.get("expires")), item["why"]) for item in items]
    if not rows:
        tell("The vault has no certificates.")
    show_notes(("NAME", "NEXT", "WHEN", "EXPIRES", "WHY"), rows)


@app.command()
def pause(
    name: Name,
    *,
    why: Annotated[str, typer.Option("--why", help="Why, in one sentence, for whoever looks at the plan.")],
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Pause the renewals of a certificate, the urgent ones too, until it is resumed. It can expire meanwhile."""
    with open_vault(vault_url) as vault:
        found = vault.call("POST", f"/certworker/v1/certificates/{segment_of(name)}/pause", {"why": why})
    if as_json:
        show_json(found)
    else:
        expires = time_of(found.get("expires"))
        typer.echo(f"{name} is not renewed until `certworker certificate resume {name}`; it expires at {text_of(expires)}.")


@app.command()
def resume(name: Name, *, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """Let the renewals of a certificate go on."""
    with open_vault(vault_url) as vault:
        found = vault.call("POST", f"/certworker/v1/certificates/{segment_of(name)}/resume")
    if as_json:
        show_json(found)
    else:
        when = f" at {time_of(found['at'])}" if "at" in found else ""
        typer.echo(f"{name} is resumed; next: {plain(found['next'])}{when}. {plain(found['why'])}")


def _name(item: Wire) -> str:
    return plain(item["id"].split("/certificates/", 1)[-1].partition("/")[0])
