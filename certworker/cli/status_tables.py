"""The tables of `certworker status`: the issuers of one vault with their CAs, or one line for each of several vaults."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from certworker.cli.output import plain
from certworker.cli.spans import span, time_in

Wire = Mapping[str, Any]
LEAST_LINES: Final = 5
"""So many vaults are shown however little room there is."""
PART_OF_SCREEN: Final = 3
_GATES: Final = MappingProxyType(
    {
        "outage": "is down",
        "throttled": "asks to be left alone",
        "budget": "has been asked for all that its limits allow",
    }
)
_WITHOUT_CA: Final = MappingProxyType({"self": "none: it signs itself", "unknown": "a person asks it"})


def issuers(status: Wire, at: datetime) -> Iterator[RenderableType]:
    """Show each issuer of a vault, and whether its CA is in the way of anything."""
    gates = {gate["issuer"].casefold(): gate for gate in status["gates"]}
    found = status["issuers"]
    if not found:
        return
    yield Text()
    table = _table("ISSUER", "ITS CA")
    for issuer in found:
        gate = gates.get(issuer["name"].casefold())
        about = _gate(gate, at) if gate else Text(_WITHOUT_CA.get(issuer["name"].casefold(), "nothing in the way"), "dim")
        table.add_row(Text(plain(issuer["name"])), *_numbers(issuer), about)
    yield table


def vaults(status: Wire, at: datetime, rows: int | None) -> Iterator[RenderableType]:
    """Show one line for each vault, and why those are missing that are not counted. `rows` is how high the screen is."""
    found = status["vaults"]
    shown = found if rows is None else found[: max(rows // PART_OF_SCREEN, LEAST_LINES)]
    if found:
        yield Text()
        table = _table("VAULT", "IN THE WAY")
        for vault in shown:
            table.add_row(Text(plain(vault["name"])), *_numbers(vault), _gates(vault["gates"], at))
        yield table
        yield from _rest(found[len(shown) :])
    yield from _not_counted(status["not_counted"], rows)


def _not_counted(left_out: Sequence[Wire], rows: int | None) -> Iterator[RenderableType]:
    """Give a line to each reason, with its vaults; where there is not room for everything, some of both."""
    most = len(left_out) if rows is None else LEAST_LINES
    by_reason: dict[str, list[str]] = {}
    for one in left_out:
        # the first line of what a vault answers says it; line ends have become blanks
        by_reason.setdefault(plain(one["why"]).partition("  ")[0], []).append(plain(one["name"]))
    reasons = list(by_reason.items())
    for reason, names in reasons[:most]:
        some = ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
        yield Text(f"{some} {'is' if len(names) == 1 else 'are'} not counted: {reason}", "yellow")
    if rest := sum(len(names) for _, names in reasons[most:]):
        yield Text(f"and {rest:,} more {'is' if rest == 1 else 'are'} not counted", "yellow")


def _rest(vaults_left_out: Sequence[Wire]) -> Iterator[RenderableType]:
    if number := len(vaults_left_out):
        needy = sum(vault["needing_attention"] for vault in vaults_left_out)
        need = "all fine" if not needy else f"{needy:,} certificates need you"
        yield Text(f"and {number:,} more {'vault' if number == 1 else 'vaults'}, {need}", "dim")


def _table(name: str, about: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(name, overflow="fold", min_width=min(len(name), 8))
    table.add_column("CERTIFICATES", justify="right", overflow="fold")
    table.add_column("NEED YOU", justify="right", overflow="fold")
    table.add_column(about, overflow="fold")
    return table


def _numbers(counted: Wire) -> tuple[Text, Text]:
    needy = counted["needing_attention"]
    return Text(f"{counted['certificates']:,}"), Text(f"{needy:,}", "red" if needy else "dim")


def _gates(gates: Sequence[Wire], at: datetime) -> Text:
    if not gates:
        return Text("nothing", "dim")
    said = (Text.assemble(f"{plain(gate['issuer'])} ", _gate(gate, at)) for gate in gates)
    return Text("; ").join(said)


def _gate(gate: Wire, at: datetime) -> Text:
    text = _GATES.get(gate["reason"], "rests")
    since = f" for {span(time_in(gate['since']), at)}" if "since" in gate else ""
    until = time_in(gate["closed_until"]) if "closed_until" in gate else None
    again = f"; asked again in {span(at, until)}" if until and until > at else "; asked again now"
    return Text(f"{text}{since}{again}", "red" if gate["reason"] == "outage" else "yellow")
