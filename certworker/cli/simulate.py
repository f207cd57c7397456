"""`certworker simulate`: months and years of a fleet in minutes, to see what the worker would make of them."""

import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from certworker.cli.exits import ExitCode
from certworker.cli.output import show_fields, show_json, tell
from certworker.cli.progress import Step, is_animated, working

if TYPE_CHECKING:
    from certworker.simulate.findings import Findings
    from certworker.simulate.run import Plan, Tell

_SECONDS_BETWEEN = 10.0


def simulate(
    certificates: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many certificates there are.")] = 100,
    days: Annotated[float, typer.Option(min=1, max=36_500, help="For how many days they are kept alive.")] = 365,
    scenario: Annotated[
        Path | None, typer.Option(help="What happens (TOML), such as config/simulate.toml; without one, nothing goes wrong.")
    ] = None,
    exchange: Annotated[
        str, typer.Option(help="acme: the ACME client and the CA's server; port: the CA by calls, for large fleets.")
    ] = "acme",
    seed: Annotated[int, typer.Option(help="Where what is drawn by lot begins: the same seed gives the same numbers.")] = 1,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="Processes; each has its part of the fleet, and a vault and a CA of its own.")
    ] = 1,
    plot: Annotated[Path | None, typer.Option(help="PNG file to draw it into (needs the extra plot).")] = None,
    profile: Annotated[
        Path | None, typer.Option(help="Text file for what the first process spent its time on; it takes twice as long.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Play a scenario by the worker's own code and a simulated CA on one virtual clock; 0 only where nothing lapsed.

    Nothing of a deployment is touched: the database is a temporary one, and no connection is made.
    """
    from certworker.cli.logs import set_up_logging  # noqa: PLC0415  # the other commands start without it
    from certworker.settings import Log  # noqa: PLC0415
    from certworker.simulate.deployment import Exchange  # noqa: PLC0415
    from certworker.simulate.plot import check_plot, draw  # noqa: PLC0415
    from certworker.simulate.profile import profiled  # noqa: PLC0415
    from certworker.simulate.report import as_document  # noqa: PLC0415
    from certworker.simulate.run import Plan  # noqa: PLC0415
    from certworker.simulate.scenario import Scenario, read_scenario  # noqa: PLC0415
    from certworker.simulate.shards import simulate_in  # noqa: PLC0415

    if exchange not in {kind.value for kind in Exchange}:
        raise typer.BadParameter(f"{exchange!r} is not acme or port.", param_hint="--exchange")
    played = read_scenario(scenario) if scenario else Scenario()
    plan = Plan(certificates, days, played, Exchange(exchange), seed)
    if plot:
        check_plot(plot)
    # that certificates fail and CAs go down is played; only what goes wrong with the playing is said as it happens
    begin = partial(set_up_logging, Log(level="error"), "simulate")
    begin()
    with profiled(profile) if profile else nullcontext(), working(f"Playing {days:g} days", total=days) as step:
        findings = simulate_in(processes, plan, _telling(days, step), begin)
    if plot:
        draw(plan, findings, plot)
    if as_json:
        show_json(as_document(plan, findings))
    else:
        _show(plan, findings)
    if not findings.is_well:
        raise typer.Exit(ExitCode.ERROR)


def _show(plan: "Plan", findings: "Findings") -> None:
    from certworker.simulate.report import assumptions, fields, sparkline  # noqa: PLC0415

    show_fields(fields(plan, findings))
    typer.echo(f"\nrenewals  {sparkline(findings.renewals_by_day, plan.days)}")
    typer.echo(f"CA calls  {sparkline(findings.calls_by_day, plan.days)}\n")
    for lapse in findings.lapses[:10]:
        typer.echo(f"lapse: {lapse.name} {lapse.why} from {lapse.since:%Y-%m-%d %H:%M} until {lapse.until:%Y-%m-%d %H:%M}")
    for sentence in assumptions(plan):
        typer.echo(sentence)


def _telling(days: float, step: Step) -> "Tell":
    """Tell on standard error how far it has come: in place on a terminal, and else now and then."""
    last, is_drawn = monotonic(), is_animated(sys.stderr)

    def on_day(day: float, made: int) -> None:
        nonlocal last
        step.reach(day)
        if not is_drawn and monotonic() - last >= _SECONDS_BETWEEN:
            last = monotonic()
            tell(f"day {day:.0f} of {days:g}: {made} certificates")

    return on_day
