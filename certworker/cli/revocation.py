"""`certworker revocation`: what is known of the revocation of certificates, and a look at it now."""

from typing import Annotated
from urllib.parse import quote

import typer

from certworker.cli.exits import ExitCode
from certworker.cli.options import CA_SECONDS, AsJson, VaultUrl, Wire, complete_certificates, name_of, open_vault
from certworker.cli.output import plain, show_json, show_table, time_of

app = typer.Typer(help="Revocation: whether CAs have taken certificates back.", no_args_is_help=True)

_HEADERS = ("NAME", "RESULT", "REASON/WHY", "SINCE", "SOURCE", "NEXT")
_BAD = frozenset({"revoked", "unknown"})


@app.command()
def check(
    name: Annotated[
        str | None,
        typer.Argument(help="Name of the certificate; all of the vault without one.", autocompletion=complete_certificates),
    ] = None,
    *,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Ask now what has become of a certificate, or of all. 0 only where none is revoked, and none unknown."""
    with open_vault(vault_url, CA_SECONDS) as vault:
        names = [name] if name is not None else [_name(one) for one in vault.call("GET", "/certworker/v1/revocation")["value"]]
        found = [vault.call("POST", f"/certworker/v1/certificates/{quote(each, safe='')}/revocation/check") for each in names]
    _show(found, as_json=as_json)
    if any(one["result"] in _BAD for one in found):
        raise typer.Exit(ExitCode.ERROR)


@app.command("list")
def list_(*, vault_url: VaultUrl = None, as_json: AsJson = False) -> None:
    """List what was found out last about every certificate of the vault."""
    with open_vault(vault_url) as vault:
        found = vault.call("GET", "/certworker/v1/revocation")["value"]
    _show(found, as_json=as_json)


def summary_of(one: Wire) -> str:
    """Tell in one line what is known of a certificate."""
    result = one["result"]
    if result is None:
        return "not looked at yet"
    texts = [_result(one), one.get("reason") if result == "revoked" else one.get("why") if result != "good" else None]
    since = time_of(one.get("revoked_at") if result == "revoked" else one.get("since"))
    return ", ".join([plain(text) for text in texts if text] + [f"since {since}"])


def _show(found: list[Wire], *, as_json: bool) -> None:
    if as_json:
        show_json({"value": found})
    else:
        show_table(_HEADERS, [_row(one) for one in found])


def _row(one: Wire) -> tuple[object, ...]:
    revoked = one["result"] == "revoked"
    why = one.get("reason", "unspecified") if revoked else one.get("why") if one["result"] != "good" else None
    since = one.get("revoked_at") if revoked else one.get("since")
    source = " ".join(filter(None, (one.get("source"), one.get("host"))))
    return _name(one), _result(one), why, time_of(since), source, time_of(one.get("next_check"))


def _result(one: Wire) -> str:
    above = f" (above it: {one['about']})" if one.get("about") and one["result"] == "revoked" else ""
    return f"{one['result'] or 'not looked at yet'}{above}"


def _name(one: Wire) -> str:
    # an id ends with the version
    return name_of(one["id"].rstrip("/").rpartition("/")[0])
