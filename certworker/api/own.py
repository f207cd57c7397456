"""What Key Vault has no word for, under a path of our own: renew and revoke now, histories, an issuer's test and account key.

Same hosts, tokens, permissions and errors as the rest of the data plane; no api-version, which is in the path.
"""

from typing import Any, Final

from starlette.responses import Response

from certworker.api.bodies import Body, Text
from certworker.api.call import Call, answer, route
from certworker.api.wire import View, unix
from certworker.api.wire_certificates import CERTIFICATES, operation_wire
from certworker.vault.examinations import IssuerExamination
from certworker.vault.histories import History
from certworker.vault.operations import JournalEntry, Operation, OperationStatus, Renewal

PREFIX: Final = "/certworker/v1/"


async def renew(call: Call) -> Response:
    """POST /certworker/v1/certificates/{name}/renew: answers with the operation as it stands."""
    operation = await call.run(call.house.requested.renew_now, call.name)
    latest = f"{call.place.url}{PREFIX}certificates/{operation.name}/operations/latest"
    return answer(_operation_wire(call.view, operation), 202, {"Location": latest, "Retry-After": "1"})


async def latest(call: Call) -> Response:
    """GET /certworker/v1/certificates/{name}/operations/latest."""
    return answer(history_wire(call.view, await call.run(call.house.histories.latest, call.name)))


async def test(call: Call) -> Response:
    """POST /certworker/v1/issuers/{name}/test."""
    return answer(examination_wire(call.view, await call.run(call.house.dealings.examinations.examine, call.name)))


async def roll_key(call: Call) -> Response:
    """POST /certworker/v1/issuers/{name}/roll-key: answers when the CA goes by the new key."""
    issuer = await call.run(call.house.dealings.account_keys.roll, call.name)
    return answer({"id": call.view.id(CERTIFICATES, "issuers", issuer.name), "provider": issuer.provider})


class RevocationBody(Body):
    """What revokes a certificate: the current version without one; the reason as a word of RFC 5280, or its number."""

    version: Text | None = None
    reason: Text | int


async def revoke(call: Call) -> Response:
    """POST /certworker/v1/certificates/{name}/revoke: answers when its issuer has revoked it."""
    body = await call.body(RevocationBody)
    revoked = await call.run(call.house.dealings.revocations.revoke, call.name, body.version, body.reason)
    identifier = call.view.id(CERTIFICATES, revoked.version.name, revoked.version.version)
    return answer({"id": identifier, "issuer": revoked.issuer, "reason": revoked.reason.value})


def history_wire(view: View, history: History) -> dict[str, Any]:
    """Show an operation with all that is known of it."""
    return {
        **_operation_wire(view, history.operation),
        "correlation_id": history.operation.correlation_id,
        "renewal": _renewal_wire(history.renewal),
        "journal": [_entry_wire(entry) for entry in history.journal],
    }


def _operation_wire(view: View, operation: Operation) -> dict[str, Any]:
    wire = operation_wire(view, operation) | {
        "reason": operation.reason.value,
        "created": unix(operation.created),
        "updated": unix(operation.updated),
        "failures": operation.failures,
        "warnings": list(operation.warnings),
    }
    if operation.due_at:
        wire["next_attempt"] = unix(operation.due_at)
    if operation.status is OperationStatus.COMPLETED:
        wire["target"] = view.id(CERTIFICATES, operation.name, operation.version)
    return wire


def _renewal_wire(renewal: Renewal) -> dict[str, Any]:
    wire: dict[str, Any] = {"failures": renewal.failures}
    if renewal.due_at:
        wire["due"] = unix(renewal.due_at)
    if renewal.reason:
        wire["reason"] = renewal.reason.value
    if renewal.last_error:
        wire["last_error"] = renewal.last_error
    return wire


def _entry_wire(entry: JournalEntry) -> dict[str, Any]:
    return {"sequence": entry.sequence, "at": unix(entry.at), "step": entry.step, "detail": dict(entry.detail)}


def examination_wire(view: View, examined: IssuerExamination) -> dict[str, Any]:
    """Show what was found: `passed`, `failed`, or `untested` where the provider has no way to look without issuing."""
    issuer, result = examined.issuer, examined.result
    word = "untested" if result is None else "passed" if result.passed else "failed"
    nothing = f"The provider {issuer.provider} has no test: whether it works shows with the first certificate."
    return {
        "id": view.id(CERTIFICATES, "issuers", issuer.name),
        "provider": issuer.provider,
        "result": word,
        "findings": [nothing] if result is None else list(result.findings),
    }


ROUTES = (
    route("POST", PREFIX + "certificates/{name}/renew", renew),
    route("GET", PREFIX + "certificates/{name}/operations/latest", latest),
    route("POST", PREFIX + "certificates/{name}/revoke", revoke),
    route("POST", PREFIX + "issuers/{name}/test", test),
    route("POST", PREFIX + "issuers/{name}/roll-key", roll_key),
)
