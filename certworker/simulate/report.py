"""What a simulation found, in words and numbers."""

from collections.abc import Mapping
from datetime import datetime

from certworker.simulate.findings import Findings
from certworker.simulate.run import Plan

_BARS = " ▁▂▃▄▅▆▇█"
_MOST_LAPSES = 10
_WIDTH = 72


def as_document(plan: Plan, findings: Findings) -> dict[str, object]:
    """Give what a program wants to know, as JSON has it."""
    spent = findings.spent
    return {
        "certificates": findings.certificates,
        "days": plan.days,
        "exchange": plan.exchange.value,
        "seed": plan.seed,
        "lapses": len(findings.lapses),
        "lapsed": [
            {"name": lapse.name, "from": _time(lapse.since), "until": _time(lapse.until), "why": lapse.why}
            for lapse in findings.lapses[:_MOST_LAPSES]
        ],
        "without_version": findings.without_version,
        "issued": findings.issued,
        "renewals": findings.renewals,
        "revoked": findings.revoked,
        "duplicate_orders": findings.duplicate_orders,
        "lost_keys": findings.lost_keys,
        "half_versions": findings.half_versions,
        "notices": findings.notices,
        "notices_by_topic": dict(sorted(findings.notices_by_topic.items())),
        "notices_lost": findings.notices_lost,
        "notices_doubled": findings.notices_doubled,
        "least_margin": round(findings.least_margin, 4),
        "median_margin": round(findings.median_margin, 4),
        "attempts": dict(findings.attempts),
        "ca_calls": dict(sorted(findings.calls.items())),
        "renewals_by_day": _by_day(findings.renewals_by_day, plan.days),
        "rounds": spent.steps,
        "failed_rounds": spent.failed_rounds,
        "seconds": round(spent.seconds, 1),
        "cpu_seconds": round(spent.cpu_seconds, 1),
        "renewals_per_second": round(findings.renewals / spent.cpu_seconds, 1) if spent.cpu_seconds else 0.0,
        "assumptions": assumptions(plan),
    }


def fields(plan: Plan, findings: Findings) -> dict[str, object]:
    """Give what a person wants to know, one thing on each line."""
    spent = findings.spent
    margin = f"{findings.least_margin:.0%} at the least, {findings.median_margin:.0%} usually"
    rate = findings.renewals / spent.cpu_seconds if spent.cpu_seconds else 0
    return {
        "certificates": f"{findings.certificates} over {plan.days:g} days, by {plan.exchange.value}",
        "lapses": len(findings.lapses),
        "never issued": findings.without_version,
        "renewals": findings.renewals,
        "lifetime left at renewal": margin,
        "issued by the CA": findings.issued,
        "revoked by the CA": findings.revoked,
        "duplicate orders": findings.duplicate_orders,
        "lost keys": findings.lost_keys,
        "half versions": findings.half_versions,
        "attempts": _listed(findings.attempts),
        "CA calls": f"{sum(findings.calls.values())} ({_listed(findings.calls)})",
        "messages": findings.notices,
        "notices": _listed(findings.notices_by_topic),
        "notices lost": findings.notices_lost,
        "notices doubled": findings.notices_doubled,
        "rounds run": spent.steps,
        "rounds failed": spent.failed_rounds,
        "took": f"{spent.seconds:.0f} s ({spent.cpu_seconds:.0f} s of one processor, {rate:.1f} renewals a second)",
        "": "",
    }


def sparkline(counts: Mapping[int, int], days: float) -> str:
    """Draw the counts of days as bars, some days to each."""
    per_bar = max(1, -(-int(days) // _WIDTH))
    bars = [sum(counts.get(day, 0) for day in range(first, first + per_bar)) for first in range(0, int(days), per_bar)]
    most = max(bars, default=0)
    drawn = "".join(_BARS[-(-count * (len(_BARS) - 1) // most) if most else 0] for count in bars)
    unit = "a day" if per_bar == 1 else f"in {per_bar} days"
    return f"{drawn}  (at most {most} {unit})"


def assumptions(plan: Plan) -> list[str]:
    """Say what the scenario leaves out, or looks at less often than a deployment would."""
    scenario = plan.scenario
    worker, advice = scenario.worker, scenario.advice
    said = [f"The worker looks every {worker.least_step_minutes:g} minutes at the most; a deployment looks every second."]
    if plan.exchange.value == "port":
        said.append("The CA is called behind the Provider port: JWS, HTTP and challenges are left out.")
    if advice.share < 1:
        said.append(f"The CA offers renewal information for {advice.share:.1%} of the certificates.")
    if advice.share:
        said.append(f"The CA wants to be asked for renewal information every {advice.poll_hours:g} hours.")
    if worker.revocation_check_hours:
        said.append(f"Revocation is looked at every {worker.revocation_check_hours:g} hours.")
    else:
        said.append("Revocation lists are not fetched: revocations are heard of by renewal information, or by the operator.")
    return said


def _by_day(counts: Mapping[int, int], days: float) -> list[int]:
    return [counts.get(day, 0) for day in range(int(days) + 1)]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
