"""`certworker status`: how a vault, or all of them, stand at a glance, problems first; once, or while somebody watches."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from select import poll
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated, Final

import typer

from certworker.cli.options import AsJson, VaultUrl, Wire, open_vault
from certworker.cli.output import plain, show_json, tell
from certworker.cli.progress import is_animated
from certworker.cli.status_vaults import STATUS, ask_all
from certworker.errors import Unavailable

if TYPE_CHECKING:
    from certworker.cli.client import VaultClient

Ask = Callable[[], Wire]
MOST_AT_A_GLANCE: Final = 20
MOST_BURDEN: Final = 4.0
"""So many times as long as the last answer took, --watch waits at the least."""
_WITHOUT_TIME: Final = ("at", "ahead", "worker", "changes_waiting")
"""What changes though nothing has happened."""

MOST: Final = 100
"""So many problems are told of in words."""

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Go on, until Ctrl-C; in a pipe, a line for each change.")]
Every = Annotated[float, typer.Option("--every", min=0.2, max=3600, metavar="SECONDS", help="How often --watch looks.")]
All = Annotated[
    bool, typer.Option("--all", help="Every problem that is told of, up to 100, and not just what fits on a screen.")
]
AllVaults = Annotated[
    bool, typer.Option("--all-vaults", "-A", help="One picture of all vaults of which you may list the certificates.")
]


def status(
    *,
    all_vaults: AllVaults = False,
    watch: Watch = False,
    every: Every = 2.0,
    whole: All = False,
    vault_url: VaultUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show how a vault stands, problems first: what is wrong, since when, and the command that goes on from there.

    Below: what is renewed and what expires in the next weeks, each issuer with its CA, and whether a worker is at work. With
    --watch --json each change is one line. With --all-vaults each vault is asked for its own, and has one line in place of the
    issuers; those that do not tell you are named.
    """
    with open_vault(vault_url) as vault:
        most = MOST if whole or (as_json and not watch) else MOST_AT_A_GLANCE
        ask = partial(ask_all if all_vaults else _ask, vault, most)
        if watch:
            _watch(ask, every, as_json=as_json)
            return
        found = ask()
    if as_json:
        show_json(found)
    else:
        _draw(found, whole=whole)


def _ask(vault: "VaultClient", most: int = MOST_AT_A_GLANCE) -> Wire:
    found: Wire = vault.call("GET", STATUS, problems=str(most))
    return found


def _draw(found: Wire, *, whole: bool) -> None:
    from rich.console import Console  # noqa: PLC0415  # the other commands start without it

    from certworker.cli.status_picture import picture  # noqa: PLC0415

    console = Console()
    rows = None if whole or not sys.stdout.isatty() else console.height - 1
    console.print(picture(found, console, rows))


def _watch(ask: Ask, every: float, *, as_json: bool) -> None:
    try:
        if as_json or not is_animated(sys.stdout):
            for found in _changes(ask, every):
                _print_change(found, as_json=as_json)
        else:
            _watch_on_terminal(ask, every)
    except KeyboardInterrupt:
        return  # that is how it ends


def _watch_on_terminal(ask: Ask, every: float) -> None:
    from rich.console import Console, Group  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from certworker.cli.status_picture import picture  # noqa: PLC0415

    console, found = Console(), ask()  # an error ends it before anything is drawn
    with Live(console=console, screen=True, auto_refresh=False) as live:
        trouble, took = "", 0.0
        while True:
            footer = Text(f"Ctrl-C ends.  {trouble}", "red" if trouble else "dim", no_wrap=True, overflow="ellipsis")
            live.update(Group(footer, picture(found, console, console.height - 2)), refresh=True)
            sleep(_pause(every, took))
            begun = monotonic()
            try:
                found, trouble = ask(), ""
            except Unavailable as error:
                # what was seen last stays, and is said to be old
                trouble = f"Not as of now: {plain(str(error))}"
            took = monotonic() - begun


def _changes(ask: Ask, every: float) -> Iterator[Wire]:
    """Give the status, and again whenever it has changed. What is in the way of asking is told once, and when it is over."""
    before: Wire = {}
    trouble = ""
    while True:
        begun = monotonic()
        try:
            found = ask()
        except Unavailable as error:
            if not before:
                raise
            if str(error) != trouble:
                trouble = str(error)
                tell(f"certworker: {trouble}")
            took = 0.0
        else:
            if trouble:
                trouble = ""
                tell("certworker: It answers again.")
            took = monotonic() - begun
            seen = {name: value for name, value in found.items() if name not in _WITHOUT_TIME}
            # why one does not answer has another request id each time
            seen["not_counted"] = [one["name"] for one in found.get("not_counted", ())]
            if seen != before:
                before = seen
                yield found
        _wait(_pause(every, took))


def _pause(every: float, took: float) -> float:
    """Tell how long to wait: where an answer takes its time, asking on and on would be a burden to the service."""
    return max(every, took * MOST_BURDEN)


def _wait(seconds: float) -> None:
    """Wait. Raises BrokenPipeError at once where nobody reads any more, and not when there is something to be said again."""
    reader = poll()
    try:
        reader.register(sys.stdout.fileno(), 0)  # errors are told in any case
    except OSError:
        sleep(seconds)  # it is no file
    else:
        if reader.poll(seconds * 1000):
            raise BrokenPipeError


def _print_change(found: Wire, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(found, separators=(",", ":")) + "\n")
    else:
        at = datetime.fromtimestamp(found["at"], UTC)
        needy = found["needing_attention"]
        worst = "; ".join(f"{_named(one)} {plain(one['what'])}" for one in found["problems"][:5])
        rest = f"; {needy - 5} more" if needy > 5 else ""  # noqa: PLR2004
        total = found["certificates"]
        noun = "certificate" if total == 1 else "certificates"
        line = f"{at:%Y-%m-%dT%H:%M:%SZ}  {total} {noun}, {needy} to attend to"
        sys.stdout.write(line + (f": {worst}{rest}" if worst else "") + "\n")
    sys.stdout.flush()


def _named(problem: Wire) -> str:
    name = plain(problem["name"])
    return f"{name} in {plain(problem['vault'])}" if "vault" in problem else name
