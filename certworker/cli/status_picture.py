"""The picture of `certworker status`: problems first, then what lies ahead, who signs, and whether the worker is awake."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from certworker.cli.columns_chart import COLUMN_WIDTH, axis, columns
from certworker.cli.output import plain

Wire = Mapping[str, Any]
CHART_MARGIN: Final = 10
"""Beside the columns: what they are of, and how high the highest is."""
SECONDS_A_MINUTE: Final = 60
ASLEEP: Final = timedelta(minutes=5)
"""A worker that has not been heard of for so long is not at work."""
_CRITICAL: Final = "critical"
_GATES: Final = MappingProxyType(
    {
        "outage": "is down",
        "throttled": "asks to be left alone",
        "budget": "has been asked for all that its limits allow",
    }
)

_WITHOUT_CA: Final = MappingProxyType({"self": "none: it signs itself", "unknown": "a person asks it"})


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
    at = _time(status["at"])
    lower = [
        *_chart(status["ahead"], at, width, ascii_only=ascii_only),
        *_issuers(status, at),
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
    line.append(f"{plain(status['vault'])}  ", "bold")
    noun = "certificate" if total == 1 else "certificates"
    if not total:
        line.append("no certificates yet")
    elif not needy:
        line.append(f"{signs.fine} {total:,} {noun}, {'which is' if total == 1 else 'all'} fine", "green")
    else:
        line.append(f"{total:,} {noun}: ").append(f"{total - needy:,} fine", "green").append(", ")
        line.append(f"{needy:,} {'needs' if needy == 1 else 'need'} you", "bold red")
    return line.append(f"   {at:%Y-%m-%d %H:%M} UTC", "dim")


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
        yield Text(f"  and {rest:,} more: certworker status --all, certworker plan", "dim")


def _problem(problem: Wire, at: datetime, signs: Signs) -> RenderableType:
    critical = problem["severity"] == _CRITICAL
    style = "bold red" if critical else "yellow"
    head = Text(overflow="fold")
    head.append(f"{signs.critical if critical else signs.warning} {plain(problem['name'])}", style)
    head.append(f" ({plain(problem['issuer'])})  ")
    head.append(plain(problem["what"]), style)
    times = []
    if "since" in problem and problem["since"] != problem.get("expires"):
        times.append(f"for {_span(_time(problem['since']), at)}")
    if "expires" in problem:
        expires = _time(problem["expires"])
        times.append(f"expires in {_span(at, expires)}" if expires > at else f"expired {_span(expires, at)} ago")
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


def _issuers(status: Wire, at: datetime) -> Iterator[RenderableType]:
    gates = {gate["issuer"].casefold(): gate for gate in status["gates"]}
    found = status["issuers"]
    if not found:
        return
    yield Text()
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for header, justify in (("ISSUER", "left"), ("CERTIFICATES", "right"), ("NEED YOU", "right"), ("ITS CA", "left")):
        table.add_column(header, justify="right" if justify == "right" else "left", overflow="fold")
    for issuer in found:
        needy = issuer["needing_attention"]
        gate = gates.get(issuer["name"].casefold())
        table.add_row(
            Text(plain(issuer["name"])),
            f"{issuer['certificates']:,}",
            Text(f"{needy:,}", "red" if needy else "dim"),
            _gate(gate, at) if gate else Text(_WITHOUT_CA.get(issuer["name"].casefold(), "nothing in the way"), "dim"),
        )
    yield table


def _gate(gate: Wire, at: datetime) -> Text:
    text = _GATES.get(gate["reason"], "rests")
    since = f" for {_span(_time(gate['since']), at)}" if "since" in gate else ""
    until = _time(gate["closed_until"]) if "closed_until" in gate else None
    again = f"; asked again in {_span(at, until)}" if until and until > at else "; asked again now"
    return Text(f"{text}{since}{again}", "red" if gate["reason"] == "outage" else "yellow")


def _notes(status: Wire, at: datetime, signs: Signs) -> Iterator[RenderableType]:
    yield Text()
    states = [f"{count:,} {plain(word).replace('_', ' ')}" for word, count in status["states"].items()]
    if states:
        yield Text(signs.dot.join(states), "dim")
    worker = status.get("worker")
    if worker is None:
        yield Text("No worker has been at work yet: `certworker run` or `certworker dev` starts one.", "bold red")
    else:
        last = _time(worker["last_run"])
        asleep = at - last > ASLEEP
        text = f"The worker was last at work {_span(last, at)} ago" + ("; nothing is renewed without it." if asleep else ".")
        failed = " Its last run failed: the log says why." if worker.get("failed") else ""
        yield Text(text + failed, "bold red" if asleep or failed else "dim")
    if waiting := status.get("changes_waiting"):
        noun = "change is" if waiting == 1 else "changes are"
        yield Text(f"{waiting:,} {noun} not counted yet.", "dim")
    if dead := status.get("dead_notices"):
        more = "or more " if status.get("more_dead_notices") else ""
        noun = "notice was" if dead == 1 else "notices were"
        yield Text(f"{signs.warning} {dead:,} {more}{noun} not delivered: certworker notify list --status dead", "yellow")


def _height(console: Console, parts: Iterable[RenderableType]) -> int:
    return sum(len(console.render_lines(part, console.options, pad=False)) for part in parts)


def _span(start: datetime, end: datetime) -> str:
    """Say how long it is, in the two largest units, or one where the other is none."""
    seconds = max(int((end - start).total_seconds()), 0)
    if seconds < SECONDS_A_MINUTE:
        return f"{seconds} s"
    return " ".join(f"{number} {unit}" for number, unit in _units(seconds) if number)


def _units(seconds: int) -> tuple[tuple[int, str], ...]:
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    return ((days, "d"), (hours, "h")) if days else ((hours, "h"), (minutes, "min"))


def _short(number: int) -> str:
    text = f"{number:,}"
    return text if cell_len(text) <= CHART_MARGIN - 2 else f"{number / 1000:.0f}k"


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
