"""`certworker doctor`: whether this deployment is well, and what to do where it is not."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from certworker.cli.exits import ExitCode
from certworker.cli.output import plain, show_json
from certworker.cli.progress import working

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from certworker.doctor import Finding

DEFAULT_HOME: Final = "~/.certworker"
_STYLES: Final = (("fine", "green"), ("note", "cyan"), ("warning", "yellow"), ("wrong", "bold red"), ("not looked at", "dim"))


class Signs(NamedTuple):
    """What stands before a line, by its verdict, and before what is to be done."""

    fine: str
    note: str
    warning: str
    wrong: str
    skipped: str
    to_do: str


_FINE: Final = Signs("✓", "·", "!", "✗", "-", "→")
_PLAIN: Final = Signs("+", ".", "!", "x", "-", ">")


def doctor(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Settings file (TOML); without it those of the home of `certworker dev`."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine this deployment: each line is fine, or says what to do. Nothing is changed by it, and no secret is shown.

    Settings, files, database, master key, audit log, names, CAs, clock, mail, webhooks, ports and the worker are looked at; the
    service may run or not. The exit code is 0 where nothing is wrong, and 1 where something is; warnings do not count.
    """
    from certworker.doctor import Examination, examine, is_well  # noqa: PLC0415  # the other commands start without it

    with working("Looking at this deployment"):
        found = examine(Examination(config or _of_home()))
    if as_json:
        show_json(_wire(found))
    elif sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415

        draw(found, Console())
    else:
        for line in _lines(found):
            sys.stdout.write(line + "\n")
    if not is_well(found):
        raise typer.Exit(ExitCode.ERROR)


def _of_home() -> Path | None:
    """Find the settings of the home of `certworker dev`, whether it runs or not."""
    home = Path(os.environ.get("CERTWORKER_HOME") or DEFAULT_HOME).expanduser()
    path = home / "certworker.toml"
    try:
        return path if path.exists() else None
    except OSError:
        return path  # it is another user's, which the examination tells


def _wire(found: "Sequence[Finding]") -> dict[str, Any]:
    from certworker.doctor import Verdict, is_well  # noqa: PLC0415

    return {
        "well": is_well(found),
        "counts": {verdict.value: sum(one.verdict is verdict for one in found) for verdict in Verdict},
        "findings": [
            {"check": one.check, "verdict": one.verdict.value, "text": one.text, "to_do": one.to_do or None} for one in found
        ],
    }


def _lines(found: "Sequence[Finding]") -> Iterator[str]:
    verdicts = max((len(one.verdict.value) for one in found), default=0)
    checks = max((len(one.check) for one in found), default=0)
    for one in found:
        text = " ".join(filter(None, (plain(one.text), plain(one.to_do))))
        yield f"{one.verdict.value.ljust(verdicts)}  {one.check.ljust(checks)}  {text}"
    yield _summary(found)


def _summary(found: "Sequence[Finding]") -> str:
    counts = {name: sum(one.verdict.value == name for one in found) for name, _ in _STYLES}
    wrong, warnings, skipped = counts["wrong"], counts["warning"], counts["not looked at"]
    parts = [f"{wrong} wrong" if wrong else "Nothing is wrong"]
    parts += [f"{warnings} {'warning' if warnings == 1 else 'warnings'}"] if warnings else []
    parts += [f"{skipped} not looked at"] if skipped else []
    return f"{', '.join(parts)}; {counts['fine']} fine."


def draw(found: "Sequence[Finding]", console: "Console") -> None:
    """Draw findings for a person: each check is named once, and what is to be done stands below what it is about."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    signs = _PLAIN if console.options.ascii_only else _FINE
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for one in found:
        _add(table, one, signs, "" if one.check == before else one.check)
        before = one.check
    console.print(table)
    is_wrong = any(one.verdict.value == "wrong" for one in found)
    console.print(Text(_summary(found), style="bold red" if is_wrong else "bold green"))


def _add(table: "Table", one: "Finding", signs: Signs, check: str) -> None:
    from rich.text import Text  # noqa: PLC0415  # never markup: others wrote parts of it

    style = dict(_STYLES)[one.verdict.value]
    sign = dict(zip((name for name, _ in _STYLES), signs, strict=False))[one.verdict.value]
    body = Text(plain(one.text), style="dim" if one.verdict.value == "not looked at" else "")
    if one.to_do:
        body.append(f"\n{signs.to_do} {plain(one.to_do)}", style)
    table.add_row(Text(sign, style), Text(check, "bold"), body)
