"""`certworker drill mass-revocation`: what would happen if a CA had to revoke all that it has signed."""

from datetime import timedelta
from typing import Annotated

import typer

from certworker.cli.objects import Yes
from certworker.cli.options import AsJson, VaultUrl, Wire, complete_issuers, open_vault, segment_of
from certworker.cli.output import plain, show_fields, show_json, show_table, tell, time_of

DRAWN_UP_SECONDS = 60.0
"""Thousands of certificates are looked at."""

IssuerOption = Annotated[
    str, typer.Option("--issuer", help="Name of the issuer whose CA must revoke.", autocompletion=complete_issuers)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only look, which is all that happens without --replace.")]
Replace = Annotated[bool, typer.Option("--replace", help="Ask for the renewal of all, each in its turn; goes with --yes.")]


def mass_revocation(
    issuer: IssuerOption,
    *,
    dry_run: DryRun = False,
    replace: Replace = False,
    yes: Yes = False,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show how all that an issuer has signed would be replaced: in what order, and in what time within its CA's limits.

    BEGINS is when the turn of each comes; where the CA tells renewal windows and pulls them in, renewals do not count against
    its limits. PLANNED is when it is renewed if nothing happens. What is not replaced by itself is listed with its reason.
    """
    if replace and dry_run:
        raise typer.BadParameter("a dry run replaces nothing: leave --dry-run or --replace out", param_hint="--replace")
    if replace and not yes:
        raise typer.BadParameter(
            "this renews every certificate of the issuer: say --yes if that is meant", param_hint="--replace"
        )
    with open_vault(vault_url, DRAWN_UP_SECONDS) as vault:
        path = f"/certworker/v1/issuers/{segment_of(issuer)}/replacement"
        found = vault.call("POST" if replace else "GET", path)
    if as_json:
        show_json(found)
        return
    _show(found)
    if replace:
        tell(f"{_count(len(found['turns']))} to be renewed, each in its turn: `certworker plan` shows how it goes.")
    else:
        tell("Nothing was changed by this. With --replace --yes all of them are renewed, each in its turn.")


def _show(found: Wire) -> None:
    limits = [f"{limit['most']} in {timedelta(seconds=limit['seconds'])} ({name})" for name, limit in found["limits"].items()]
    show_fields(
        {
            "issuer": plain(found["id"].rpartition("/")[2]),
            "certificates": found["certificates"],
            "replaced by themselves": len(found["turns"]),
            "under way already": len(found["under_way"]) or None,
            "not by themselves": len(found["held"]) or None,
            "limits of the CA": limits or "none that are known",
            "the last one begins": _after(found, "last"),
            "if all of them count": _after(found, "last_counted") if found["exempt"] else None,
        }
    )
    rows = [
        [_name(turn), time_of(turn.get("expires")), time_of(turn["begins"]), time_of(turn.get("planned")), turn["why"]]
        for turn in found["turns"]
    ]
    if rows:
        show_table(("NAME", "EXPIRES", "BEGINS", "PLANNED", "PLANNED BECAUSE"), rows)
    others = [[_name(item), time_of(item.get("expires")), item["next"], item["why"]] for item in found["under_way"]]
    others += [[_name(item), time_of(item.get("expires")), item["next"], item["why"]] for item in found["held"]]
    if others:
        show_table(("NOT REPLACED BY THIS", "EXPIRES", "NEXT", "WHY"), others)


def _after(found: Wire, name: str) -> str:
    wait = timedelta(seconds=found[name] - found["at"])
    return f"{time_of(found[name])} (in {wait})" if wait else "at once"


def _count(number: int) -> str:
    return "1 certificate is" if number == 1 else f"{number} certificates are"


def _name(item: Wire) -> str:
    return plain(item["id"].split("/certificates/", 1)[-1].partition("/")[0])
