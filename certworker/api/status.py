"""How a vault stands, at a glance, and of which vaults that is told: under paths of our own."""

from typing import Any

from starlette.responses import Response

from certworker.api.call import Call, answer, route
from certworker.api.hosts import Plane
from certworker.api.own import PREFIX
from certworker.api.wire import View, unix
from certworker.api.wire_certificates import CERTIFICATES
from certworker.errors import BadParameter
from certworker.vault.resilience.gates import Gate
from certworker.vault.summary.attention import Group
from certworker.vault.vault_status import MOST_DEAD_NOTICES, MOST_PROBLEMS, Problem, VaultStatus


async def status(call: Call) -> Response:
    """GET /certworker/v1/status?problems=: what needs somebody, what lies ahead, and whether a worker is at work."""
    found = await call.run(call.house.lifecycle.statuses.show, _most(call))
    return answer(status_wire(call.view, found))


async def vaults(call: Call) -> Response:
    """GET /certworker/v1/vaults: the vaults that the caller may know of, and of which the status is told to them."""
    found = await call.threads.run(call.house.lifecycle.statuses.known, call.caller)
    # beside the host that was called, so that the same names and the same port lead there
    suffix = call.place.netloc.partition(".")[2] if call.place.plane is Plane.VAULT else call.house.settings.vault_suffix
    named = ((one.vault.name, one.is_told) for one in found)
    return answer({"value": [{"name": name, "url": f"https://{name}.{suffix}", "status": told} for name, told in named]})


def status_wire(view: View, status: VaultStatus) -> dict[str, Any]:
    """Show a status; times are seconds since 1970, and what is not known is left out."""
    wire: dict[str, Any] = {
        "vault": view.vault.name,
        "at": unix(status.at),
        "certificates": status.number,
        "needing_attention": status.needy,
        "states": dict(status.states),
        "problems": [_problem_wire(view, problem) for problem in status.problems],
        "issuers": _issuers_wire(status.groups),
        "ahead": [{"begins": unix(day.begins), "renewals": day.renewals, "expiries": day.expiries} for day in status.ahead],
        "gates": [_gate_wire(gate) for gate in status.gates],
        "dead_notices": status.dead_notices,
        "more_dead_notices": status.dead_notices == MOST_DEAD_NOTICES,
        "changes_waiting": status.behind,
    }
    if status.last_run:
        wire["worker"] = {"last_run": unix(status.last_run.at), "failed": status.has_failed}
    return wire


def _problem_wire(view: View, problem: Problem) -> dict[str, Any]:
    member, finding = problem.member, problem.finding
    wire: dict[str, Any] = {
        "id": view.id(CERTIFICATES, member.name, member.version),
        "name": member.name,
        "issuer": member.issuer,
        "problem": finding.trouble.name.lower(),
        "what": finding.trouble.value,
        "severity": finding.severity.value,
        "since": unix(finding.since) if finding.since else None,
        "expires": unix(member.not_after) if member.not_after else None,
        "failures": member.failures or None,
        "why": problem.why,
        "to_do": problem.to_do,
    }
    return {name: value for name, value in wire.items() if value is not None}


def _issuers_wire(groups: tuple[Group, ...]) -> list[dict[str, Any]]:
    """Put the groups of each issuer together; where the most needs somebody stands first."""
    found: dict[str, dict[str, Any]] = {}
    for group in groups:
        counts = found.setdefault(group.issuer, {"name": group.issuer, "certificates": 0, "needing_attention": 0})
        counts["certificates"] += group.number
        counts["needing_attention"] += group.needy
    return sorted(found.values(), key=lambda one: (-one["needing_attention"], -one["certificates"], one["name"]))


def _gate_wire(gate: Gate) -> dict[str, Any]:
    wire = {
        "issuer": gate.issuer,
        "reason": gate.reason.value if gate.reason else "",
        "since": unix(gate.since) if gate.since else None,
        "closed_until": unix(gate.closed_until) if gate.closed_until else None,
    }
    return {name: value for name, value in wire.items() if value is not None}


def _most(call: Call) -> int:
    text = call.query.get("problems") or str(MOST_PROBLEMS)
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_PROBLEMS)) and int(text) <= MOST_PROBLEMS):
        raise BadParameter(f"problems has the value {text[:20]!r}: it is 0 to {MOST_PROBLEMS}.", "problems")
    return int(text)


ROUTES = (route("GET", PREFIX + "status", status), route("GET", PREFIX + "vaults", vaults))
