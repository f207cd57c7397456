"""The picture of a simulation: renewals, calls of the CA, and how much time was left, by day."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from certworker.errors import SetupError
from certworker.simulate.findings import Findings
from certworker.simulate.run import Plan

_OUTAGE, _THROTTLE, _REVOCATION, _DOWNTIME = "#d62728", "#ff7f0e", "#9467bd", "#7f7f7f"
_MESSAGES, _MEDIAN, _LEAST, _LAPSE = "messages to the contact", "median of the day", "least of the day", "lapse"
_OWN = frozenset({_MESSAGES, _MEDIAN, _LEAST, _LAPSE})


def check_plot(path: Path) -> None:
    """Refuse early what could not be drawn hours later. Raises SetupError."""
    _pyplot()
    if not path.resolve().parent.is_dir():
        raise SetupError(f"The folder of {path} does not exist: make it first.")


def draw(plan: Plan, findings: Findings, path: Path) -> None:
    """Draw into a PNG file. Raises SetupError."""
    pyplot = _pyplot()
    figure, (renewals, calls, margins) = pyplot.subplots(3, 1, sharex=True, figsize=(12, 9), layout="constrained")
    figure.suptitle(
        f"{findings.certificates} certificates over {plan.days:g} days ({plan.exchange.value}): {len(findings.lapses)} lapses,"
        f" {findings.renewals} renewals"
    )
    _bars(renewals, findings.renewals_by_day, "renewals a day", "#1f77b4")
    _bars(calls, findings.calls_by_day, "CA calls a day", "#2ca02c")
    if findings.notices_by_day:
        days = range(int(plan.days))
        calls.plot(days, [findings.notices_by_day.get(day, 0) for day in days], color="black", lw=0.8, label=_MESSAGES)
    _margins(margins, findings.margins)
    for axes in (renewals, calls, margins):
        _shade(axes, plan)
        axes.set_xlim(0, plan.days)
        axes.grid(visible=True, alpha=0.25)
    _explain(renewals, own=False)
    _explain(calls, own=True)
    _explain(margins, own=True)
    margins.set_xlabel("day")
    try:
        figure.savefig(path, format="png", dpi=110)
    except OSError as error:
        raise SetupError(f"The picture {path} cannot be written: {error.strerror}.") from error
    finally:
        pyplot.close(figure)


def _explain(axes: Any, *, own: bool) -> None:  # noqa: ANN401 - it has no types
    """Explain what is drawn: the troubles, which all parts of the picture share, once and in the first of them."""
    handles, labels = axes.get_legend_handles_labels()
    known = dict(zip(labels, handles, strict=True))  # one entry for each kind, however many there were
    shown = {label: handle for label, handle in known.items() if (label in _OWN) is own}
    if shown:
        axes.legend(shown.values(), shown.keys(), loc="upper right", fontsize="small")


def _bars(axes: Any, counts: Mapping[int, int], label: str, color: str) -> None:  # noqa: ANN401 - it has no types
    days = sorted(counts)
    axes.bar(days, [counts[day] for day in days], width=1.0, align="edge", color=color)
    axes.set_ylabel(label)


def _margins(axes: Any, margins: Mapping[int, list[float]]) -> None:  # noqa: ANN401
    days = sorted(margins)
    axes.plot(days, [100 * median(margins[day]) for day in days], color="#1f77b4", lw=1, label=_MEDIAN)
    axes.plot(days, [100 * min(margins[day]) for day in days], color="black", lw=0.8, label=_LEAST)
    axes.axhline(0, color=_OUTAGE, lw=1.5, label=_LAPSE)
    axes.set_ylim(-5, 105)
    axes.set_ylabel("lifetime left at renewal, %")


def _shade(axes: Any, plan: Plan) -> None:  # noqa: ANN401
    scenario = plan.scenario
    for outage in scenario.outage:
        axes.axvspan(outage.from_day, outage.from_day + outage.for_days, color=_OUTAGE, alpha=0.2, lw=0, label="CA down")
    for throttle in scenario.throttle:
        end = throttle.from_day + throttle.for_hours / 24
        axes.axvspan(throttle.from_day, end, color=_THROTTLE, alpha=0.25, lw=0, label="CA answers 429")
    for downtime in scenario.downtime:
        end = downtime.day + max(downtime.hours / 24, 0.2)
        axes.axvspan(downtime.day, end, color=_DOWNTIME, alpha=0.35, lw=0, label="worker stopped")
    for revocation in scenario.mass_revocation:
        axes.axvline(revocation.day, color=_REVOCATION, lw=1.5, ls="--", label=f"mass revocation ({revocation.share:.0%})")


def _pyplot() -> Any:  # noqa: ANN401
    try:
        # it comes with an extra, and only who wants a picture needs it
        import matplotlib as mpl  # noqa: PLC0415

        mpl.use("Agg")
        from matplotlib import pyplot as plt  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SetupError(f"A picture needs {error.name}: install certworker with its extra, certworker[plot].") from None
    return plt
