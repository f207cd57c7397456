"""The picture of `certworker status`: problems first, then what lies ahead, who signs, and whether the worker is awake."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from certworker.cli.columns_chart import COLUMN_WIDTH, axis, columns
from certworker.cli.output import plain
from certworker.cli.spans import span, time_in
from certworker.cli.status_tables import issuers, vaults

Wire = Mapping[str, Any]
CHART_MARGIN: Final = 10
"""Beside the columns: what they are of, and how high the highest is."""
ASLEEP: Final = timedelta(minutes=5)
"""A worker that has not been heard of for so long is not at work."""
_CRITICAL: Final = "critical"
_DEAD_NOTICES: Final = "certworker notify list --status dead"


class Signs(NamedTuple):
    """What stands before a line."""

    critical: str
    warning: str
    fine: str
    to_do: str
    dot: str


_FINE: Final = Signs("✗", "!", "✓", "→", " · ")
_PLAIN: Final = Signs("x", "!", "+", ">", ", ")


def picture(status: Wire, console: Console, rows: int | None = None) -> Group:
    """Draw a status for a console. `rows` is how many lines there are, none where there is no end of them."""
    ascii_only, width = console.options.ascii_only, console.width
    signs = _PLAIN if ascii_only else _FINE
    at = time_in(status["at"])
    lower = [
        *_chart(status["ahead"], at, width, ascii_only=ascii_only),
        *(vaults(status, at, rows) if "vaults" in status else issuers(status, at)),
        *_notes(status, at, signs),
    ]
    parts: list[RenderableType] = [_headline(status, at, signs)]
    if status["problems"]:
        room = None if rows is None else rows - _height(console, [*parts, *lower]) - 2  # a blank line, and how many more
        parts += [Text(), *_problems(status, at, signs, console, room)]
    return Group(*parts, *lower)


def _headline(status: Wire, at: datetime, signs: Signs) -> Text:
    total, needy = status["certificates"], status["needing_attention"]
    line = Text(overflow="fold")
    line.append(f"{_whose(status)}  ", "bold")
    noun = "certificate" if total == 1 else "certificates"
    if not total:
        line.append("no certificates yet")
    elif not needy:
        line.append(f"{signs.fine} {total:,} {noun}, {'which is' if total == 1 else 'all'} fine", "green")
    else:
        line.append(f"{total:,} {noun}: ").append(f"{total - needy:,} fine", "green").append(", ")
        line.append(f"{needy:,} {'needs' if needy == 1 else 'need'} you", "bold red")
    return line.append(f"   {at:%Y-%m-%d %H:%M} UTC", "dim")


def _whose(status: Wire) -> str:
    if "vaults" not in status:
        return plain(status["vault"])
    number = len(status["vaults"])
    return "1 vault" if number == 1 else f"{number:,} vaults"


def _problems(status: Wire, at: datetime, signs: Signs, console: Console, room: int | None) -> Iterator[RenderableType]:
    """Show the problems for which there is room, one at the least, and tell how many there are besides."""
    shown: list[RenderableType] = []
    problems, used = status["problems"], 0
    for problem in problems:
        drawn = _problem(problem, at, signs)
        used += _height(console, [drawn])
        if shown and room is not None and used > room:
            break
        shown.append(drawn)
    yield from shown
    rest = status["needing_attention"] - len(shown)
    if rest > 0:
        further = "certworker status --all-vaults --all" if "vaults" in status else "certworker status --all, certworker plan"
        yield Text(f"  and {rest:,} more: {further}", "dim")


def _problem(problem: Wire, at: datetime, signs: Signs) -> RenderableType:
    critical = problem["severity"] == _CRITICAL
    style = "bold red" if critical else "yellow"
    head = Text(overflow="fold")
    head.append(f"{signs.critical if critical else signs.warning} {plain(problem['name'])}", style)
    if "vault" in problem:
        head.append(f" in {plain(problem['vault'])}", "bold")
    head.append(f" ({plain(problem['issuer'])})  ")
    head.append(plain(problem["what"]), style)
    times = []
    if "since" in problem and problem["since"] != problem.get("expires"):
        times.append(f"for {span(time_in(problem['since']), at)}")
    if "expires" in problem:
        expires = time_in(problem["expires"])
        times.append(f"expires in {span(at, expires)}" if expires > at else f"expired {span(expires, at)} ago")
    head.append("  " + signs.dot.join(times), "dim")
    below: list[RenderableType] = [head]
    if problem.get("why"):
        below.append(Padding(Text(plain(problem["why"])), (0, 0, 0, 2), expand=False))
    if problem.get("to_do"):
        below.append(Padding(Text(f"{signs.to_do} {plain(problem['to_do'])}", "cyan"), (0, 0, 0, 2), expand=False))
    return Group(*below)


def _chart(ahead: Sequence[Wire], at: datetime, width: int, *, ascii_only: bool) -> Iterator[RenderableType]:
    """Draw renewals and expiries by day, for as many days as there is room."""
    days = min(len(ahead), max((width - CHART_MARGIN) // COLUMN_WIDTH, 1))
    shown = ahead[:days]
    if not any(day["renewals"] or day["expiries"] for day in shown):
        return
    for name, style in (("renewals", "cyan"), ("expiries", "yellow")):
        values = [day[name] for day in shown]
        yield Text()
        most, total = max(values), sum(values)
        yield _chart_title(name, total, most, days)
        # a single one is no tower
        height = max(min(most, 4 if name == "renewals" else 2), 1)
        for number, line in enumerate(columns(values, ascii_only=ascii_only, height=height)):
            label = _short(most) if number == 0 and most else ""
            yield Text(f"{label:>{CHART_MARGIN - 2}}  ", "dim").append(line, style)
    line, dates = axis(at.date(), days, ascii_only=ascii_only)
    yield Text(" " * CHART_MARGIN + line, "dim")
    yield Text(" " * CHART_MARGIN + dates, "dim")


def _chart_title(name: str, total: int, most: int, days: int) -> Text:
    titles = {"renewals": "Renewals ahead", "expiries": "Expiries, unless renewed before"}
    said = f"{total:,} in {days} days" + (f", {most:,} on the busiest" if most else "")
    return Text(titles[name], "bold").append(f"  {said}", "not bold dim")


def _notes(status: Wire, at: datetime, signs: Signs) -> Iterator[RenderableType]:
    yield Text()
    states = [f"{count:,} {plain(word).replace('_', ' ')}" for word, count in status["states"].items()]
    if states:
        yield Text(signs.dot.join(states), "dim")
    worker = status.get("worker")
    if worker is None:
        yield Text("No worker has been at work yet: `certworker run` or `certworker dev` starts one.", "bold red")
    else:
        last = time_in(worker["last_run"])
        asleep = at - last > ASLEEP
        text = f"The worker was last at work {span(last, at)} ago" + ("; nothing is renewed without it." if asleep else ".")
        failed = " Its last run failed: the log says why." if worker.get("failed") else ""
        yield Text(text + failed, "bold red" if asleep or failed else "dim")
    if waiting := status.get("changes_waiting"):
        noun = "change is" if waiting == 1 else "changes are"
        yield Text(f"{waiting:,} {noun} not counted yet.", "dim")
    if dead := status.get("dead_notices"):
        more = "or more " if status.get("more_dead_notices") else ""
        noun = "notice was" if dead == 1 else "notices were"
        where = "" if "vaults" not in status else f" (in {_with_dead_notices(status)})"
        yield Text(f"{signs.warning} {dead:,} {more}{noun} not delivered{where}: {_DEAD_NOTICES}", "yellow")


def _with_dead_notices(status: Wire) -> str:
    return ", ".join(plain(vault["name"]) for vault in status["vaults"] if vault["dead_notices"])


def _height(console: Console, parts: Iterable[RenderableType]) -> int:
    return sum(len(console.render_lines(part, console.options, pad=False)) for part in parts)


def _short(number: int) -> str:
    text = f"{number:,}"
    return text if cell_len(text) <= CHART_MARGIN - 2 else f"{number / 1000:.0f}k"
