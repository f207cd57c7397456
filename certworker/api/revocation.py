"""What is known of revocation, under a path of our own: shown, listed, and looked at now.

Same hosts, tokens, permissions and errors as the rest of the data plane; no api-version, which is in the path.
"""

from typing import Any, Final

from starlette.responses import Response

from certworker.api.call import Call, answer, route
from certworker.api.wire import View, unix
from certworker.api.wire_certificates import CERTIFICATES
from certworker.vault.revocation.standing import Status, WatchedCertificate

PREFIX: Final = "/certworker/v1/"


async def list_(call: Call) -> Response:
    """GET /certworker/v1/revocation: every certificate of the vault that has a version."""
    found = await call.run(call.house.lifecycle.revocation.statuses.list_)
    return answer({"value": [status_wire(call.view, one) for one in found]})


async def show(call: Call) -> Response:
    """GET /certworker/v1/certificates/{name}/revocation."""
    return answer(status_wire(call.view, await call.run(call.house.lifecycle.revocation.statuses.show, call.name)))


async def check(call: Call) -> Response:
    """POST /certworker/v1/certificates/{name}/revocation/check: answers when those who can know it have been asked."""
    return answer(status_wire(call.view, await call.run(call.house.lifecycle.revocation.statuses.check, call.name)))


def status_wire(view: View, found: WatchedCertificate) -> dict[str, Any]:
    """Show what is known of a certificate's current version; the result is none before it is watched."""
    wire: dict[str, Any] = {"id": view.id(CERTIFICATES, found.name, found.version), "result": None}
    if found.status:
        wire |= _known(found.status)
    if found.next_look:
        wire["next_check"] = unix(found.next_look)
    return wire


def _known(status: Status) -> dict[str, Any]:
    times = {
        "since": status.since,
        "revoked_at": status.revoked_at,
        "checked": status.looked_at,
        "fresh_until": status.fresh_until,
    }
    texts = {
        "why": status.why,
        "reason": status.reason,
        "about": status.about,
        "source": status.source,
        "host": status.host,
    }
    return (
        {"result": status.standing.value}
        | {name: unix(at) for name, at in times.items() if at}
        | {name: text for name, text in texts.items() if text}
    )


ROUTES = (
    route("GET", PREFIX + "revocation", list_),
    route("GET", PREFIX + "certificates/{name}/revocation", show),
    route("POST", PREFIX + "certificates/{name}/revocation/check", check),
)
