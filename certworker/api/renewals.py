"""What happens to certificates next, and their renewals paused and resumed, under a path of our own."""

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import Call, answer, route
from certworker.api.own import PREFIX
from certworker.api.wire import View, unix
from certworker.api.wire_certificates import CERTIFICATES
from certworker.errors import BadParameter
from certworker.vault.operations import Pause
from certworker.vault.renewal.outlook import Outlook

FIRST_YEAR, LAST_YEAR = 1970, 9000
"""Of times that a plan can be asked for: before and after, calendars and clocks have an end."""


class PauseBody(Body):
    """Why renewals are paused, in one sentence."""

    why: Text


async def plan(call: Call) -> Response:
    """GET /certworker/v1/plan?at=: of every certificate what happens next, as of now or of another time."""
    page = await call.run(call.house.lifecycle.outlooks.list_, call.after(), call.max_results(), _time(call))
    return call.page(page, lambda outlook: outlook_wire(call.view, outlook))


async def plan_of(call: Call) -> Response:
    """GET /certworker/v1/certificates/{name}/plan?at=: of one certificate."""
    outlook = await call.run(call.house.lifecycle.outlooks.show, call.name, _time(call))
    return answer(outlook_wire(call.view, outlook))


async def pause(call: Call) -> Response:
    """POST /certworker/v1/certificates/{name}/pause: answers with what happens next."""
    body = await call.body(PauseBody)
    await call.run(call.house.lifecycle.pauses.pause, call.name, body.why)
    return await plan_of(call)


async def resume(call: Call) -> Response:
    """POST /certworker/v1/certificates/{name}/resume: answers with what happens next."""
    await call.run(call.house.lifecycle.pauses.resume, call.name)
    return await plan_of(call)


def outlook_wire(view: View, outlook: Outlook) -> dict[str, Any]:
    """Show what happens next to a certificate; times are seconds since 1970, and what is not known is left out."""
    certificate, renewal = outlook.certificate, outlook.certificate.renewal
    wire: dict[str, Any] = {
        "id": view.id(CERTIFICATES, certificate.name, outlook.version),
        "issuer": certificate.policy.issuer.name,
        "next": outlook.step.value,
        "why": outlook.why,
        "reason": outlook.reason.value if outlook.reason else None,
        "at": _unix(outlook.at),
        "deadline": _unix(outlook.deadline),
        "expires": _unix(outlook.not_after),
        "requested": _unix(renewal.requested_at),
        "failures": renewal.failures,
        "last_error": renewal.last_error,
        "pause": _pause_wire(renewal.pause) if renewal.pause else None,
    }
    return {name: value for name, value in wire.items() if value is not None}


def _pause_wire(pause: Pause) -> dict[str, Any]:
    return {"since": unix(pause.since), "by": pause.by, "why": pause.why}


def _unix(at: datetime | None) -> int | None:
    return unix(at) if at else None


def _time(call: Call) -> datetime | None:
    """Read for which time the plan is asked. Raises BadParameter."""
    text = call.query.get("at", "")
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        at = None
    if at is None or not FIRST_YEAR <= at.year <= LAST_YEAR:
        message = f"at has the value {text[:40]!r}: it is a time as 2026-12-24T18:00:00Z, or a day as 2026-12-24."
        raise BadParameter(message, "at")
    return at


ROUTES = (
    route("GET", PREFIX + "plan", plan),
    route("GET", PREFIX + "certificates/{name}/plan", plan_of),
    route("POST", PREFIX + "certificates/{name}/pause", pause),
    route("POST", PREFIX + "certificates/{name}/resume", resume),
)
