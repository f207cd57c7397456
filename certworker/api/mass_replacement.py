"""The replacement of all that an issuer has signed, drilled or asked for, under a path of our own."""

from typing import Any

from starlette.responses import Response

from certworker.api.call import Call, answer, route
from certworker.api.own import PREFIX
from certworker.api.wire import View, unix
from certworker.api.wire_certificates import CERTIFICATES
from certworker.vault.renewal.mass_replacement import Affected, MassReplacement, Turn
from certworker.vault.renewal.outlook import NextStep


async def drill(call: Call) -> Response:
    """GET /certworker/v1/issuers/{name}/replacement: how all would be replaced. Nothing changes."""
    found = await call.run(call.house.lifecycle.mass_replacements.drill, call.name)
    return answer(replacement_wire(call.view, found))


async def replace(call: Call) -> Response:
    """POST /certworker/v1/issuers/{name}/replacement: all are asked for; answers with the turns that they have."""
    found = await call.run(call.house.lifecycle.mass_replacements.replace, call.name)
    return answer(replacement_wire(call.view, found), 202)


def replacement_wire(view: View, found: MassReplacement) -> dict[str, Any]:
    """Show who is replaced when; times are seconds since 1970, and what is not known is left out.

    `last` is when the last replacement begins, `last_counted` the same if the CA counts every renewal against its limits.
    """
    return {
        "id": view.id(CERTIFICATES, "issuers", found.issuer.name),
        "at": unix(found.at),
        "certificates": len(found.turns) + len(found.under_way) + len(found.held),
        "exempt": sum(turn.affected.advised for turn in found.turns),
        "last": unix(found.last_at),
        "last_counted": unix(found.last_counted_at),
        "limits": {
            budget.bucket.kind: {"most": budget.rate.most, "seconds": int(budget.rate.period.total_seconds())}
            for budget in found.budgets
        },
        "turns": [_turn_wire(view, turn) for turn in found.turns],
        "under_way": [_affected_wire(view, affected) for affected in found.under_way],
        "held": [_affected_wire(view, affected) for affected in found.held],
    }


def _turn_wire(view: View, turn: Turn) -> dict[str, Any]:
    begins = {"begins": unix(turn.at), "begins_counted": unix(turn.counted_at), "exempt": turn.affected.advised}
    return _affected_wire(view, turn.affected) | begins


def _affected_wire(view: View, affected: Affected) -> dict[str, Any]:
    """Show a certificate, and what happens to it next by the plan as it is."""
    outlook = affected.outlook
    wire = {
        "id": view.id(CERTIFICATES, outlook.certificate.name, outlook.version),
        "expires": unix(outlook.not_after) if outlook.not_after else None,
        "next": outlook.step.value,
        "planned": unix(outlook.at) if outlook.at and outlook.step is not NextStep.PERSON else None,
        "why": outlook.why,
    }
    return {name: value for name, value in wire.items() if value is not None}


ROUTES = (
    route("GET", PREFIX + "issuers/{name}/replacement", drill),
    route("POST", PREFIX + "issuers/{name}/replacement", replace),
)
