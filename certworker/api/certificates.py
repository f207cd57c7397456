"""Certificates: create, list, show, policy, delete, recover, purge."""

from functools import partial
from urllib.parse import urlencode

from starlette.responses import Response

from certworker.api.call import Call, answer, route
from certworker.api.wire_certificates import (
    CancellationBody,
    CreateBody,
    begun_wire,
    bundle_wire,
    deleted_item_wire,
    item_wire,
    operation_wire,
    pending_wire,
    version_item_wire,
)
from certworker.api.wire_policy import PolicyBody, apply_policy, policy_wire
from certworker.errors import BadParameter
from certworker.vault.operations import Operation
from certworker.vault.pending import PendingCertificate
from certworker.vault.policy import Policy

RETRY_AFTER_SECONDS = 10


async def create(call: Call) -> Response:
    """POST /certificates/{name}/create."""
    body = await call.body(CreateBody)
    policy = apply_policy(body.policy, Policy()) if body.policy else None
    operation = await call.run(
        call.house.certificates.create,
        call.name,
        policy,
        tags=body.tags or {},
        enabled=body.enabled,
        preserve_order=bool(body.preserve_order and call.api_version.knows_cert_order),
    )
    return answer(begun_wire(call.view, operation), 202, _where_pending(call, operation))


def _where_pending(call: Call, operation: Operation) -> dict[str, str]:
    query = urlencode({"api-version": call.api_version.name, "request_id": operation.id})
    location = f"{call.view.id('certificates', operation.name, 'pending')}?{query}"
    return {"Location": location, "Retry-After": str(RETRY_AFTER_SECONDS)}


async def show(call: Call) -> Response:
    """GET /certificates/{name}, and one version of it; one that has no version yet is shown as it stands."""
    found = await call.read(call.house.certificates.show, call.name, call.version)
    return answer(pending_wire(call.view, found) if isinstance(found, PendingCertificate) else bundle_wire(call.view, found))


async def list_all(call: Call) -> Response:
    """GET /certificates."""
    include_pending = call.flag("includePending")
    method = call.house.certificates.list_
    page = await call.run(method, call.after(), call.max_results(), include_pending=include_pending)
    return call.page(page, partial(item_wire, call.view))


async def list_versions(call: Call) -> Response:
    """GET /certificates/{name}/versions."""
    page = await call.run(call.house.certificates.versions, call.name, call.after(), call.max_results())
    return call.page(page, partial(version_item_wire, call.view))


async def show_policy(call: Call) -> Response:
    """GET /certificates/{name}/policy."""
    return answer(policy_wire(call.view, await call.run(call.house.certificates.policy, call.name)))


async def update_policy(call: Call) -> Response:
    """PATCH /certificates/{name}/policy: what is sent goes over what there is."""
    sent = await call.body(PolicyBody)
    change = partial(apply_policy, sent, knows_uris_and_addresses=call.api_version.knows_uris_and_addresses)
    return answer(policy_wire(call.view, await call.run(call.house.certificates.update_policy, call.name, change)))


async def show_operation(call: Call) -> Response:
    """GET /certificates/{name}/pending."""
    operation = await call.run(call.house.certificates.operation, call.name, operation_id=_request_id(call))
    return answer(operation_wire(call.view, operation))


async def cancel_operation(call: Call) -> Response:
    """PATCH /certificates/{name}/pending."""
    if not (await call.body(CancellationBody)).cancellation_requested:
        message = "cancellation_requested is true, the only change that can be made to a pending certificate."
        raise BadParameter(message, "cancellation_requested")
    method = call.house.certificates.request_cancellation
    return answer(operation_wire(call.view, await call.run(method, call.name, operation_id=_request_id(call))))


async def delete_operation(call: Call) -> Response:
    """DELETE /certificates/{name}/pending."""
    method = call.house.certificates.delete_operation
    return answer(operation_wire(call.view, await call.run(method, call.name, operation_id=_request_id(call))))


def _request_id(call: Call) -> str | None:
    return call.query.get("request_id") or None


async def delete(call: Call) -> Response:
    """DELETE /certificates/{name}."""
    return answer(bundle_wire(call.view, await call.run(call.house.certificates.delete, call.name)))


async def list_deleted(call: Call) -> Response:
    """GET /deletedcertificates."""
    page = await call.run(call.house.certificates.list_deleted, call.after(), call.max_results())
    return call.page(page, partial(deleted_item_wire, call.view))


async def show_deleted(call: Call) -> Response:
    """GET /deletedcertificates/{name}."""
    return answer(bundle_wire(call.view, await call.run(call.house.certificates.deleted, call.name)))


async def recover(call: Call) -> Response:
    """POST /deletedcertificates/{name}/recover."""
    return answer(bundle_wire(call.view, await call.run(call.house.certificates.recover, call.name)))


async def purge(call: Call) -> Response:
    """DELETE /deletedcertificates/{name}."""
    await call.run(call.house.certificates.purge, call.name)
    return Response(status_code=204)


ROUTES = (
    route("GET", "/certificates/{name}", show),
    route("GET", "/certificates/{name}/policy", show_policy),
    route("PATCH", "/certificates/{name}/policy", update_policy),
    route("GET", "/certificates/{name}/pending", show_operation),
    route("PATCH", "/certificates/{name}/pending", cancel_operation),
    route("DELETE", "/certificates/{name}/pending", delete_operation),
    route("GET", "/certificates/{name}/versions", list_versions),
    route("GET", "/certificates/{name}/{version}", show),
    route("POST", "/certificates/{name}/create", create),
    route("GET", "/certificates", list_all),
    route("DELETE", "/certificates/{name}", delete),
    route("GET", "/deletedcertificates", list_deleted),
    route("GET", "/deletedcertificates/{name}", show_deleted),
    route("POST", "/deletedcertificates/{name}/recover", recover),
    route("DELETE", "/deletedcertificates/{name}", purge),
)
