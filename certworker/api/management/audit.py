"""The audit log as it is read over the management plane."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from starlette.responses import Response

from certworker.api.call import answer
from certworker.api.management.call import ArmCall
from certworker.api.management.routing import ResourceType, route
from certworker.audit.reading import read_time
from certworker.audit.verifying import shown_verification
from certworker.errors import InvalidResource
from certworker.vault.audit.search import Search, Shown, position_of

AUDIT: Final = ResourceType("Certworker.Audit/auditEvents", ("2026-11-01",))
_STORE: Final = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{account}"
_WHOLE: Final = "/subscriptions/{subscription}/providers/Certworker.Audit"
_PAGE: Final = 100
_TERM: Final = re.compile(r"\s*(\w+)\s+(eq|ge|le)\s+'((?:[^']|'')*)'\s*(?:and(?=\s)|$)")
_NAMES: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("eventtimestamp", "ge"): "since",
        ("eventtimestamp", "le"): "until",
        ("vault", "eq"): "vault",
        ("operationname", "eq"): "operation",
        ("caller", "eq"): "caller",
        ("resulttype", "eq"): "result",
        ("object", "eq"): "object",
        ("correlationid", "eq"): "correlation",
    }
)


def search_of(call: ArmCall) -> Search:
    """Read what is looked for: `$filter`, `$top` and `$skiptoken`. Raises InvalidResource."""
    terms, text, at = {}, call.query.get("$filter", ""), 0
    while at < len(text):
        found = _TERM.match(text, at)
        name = _NAMES.get((found[1].lower(), found[2])) if found else None
        if found is None or name is None:
            raise _wrong(text)
        value = found[3].replace("''", "'")
        try:
            terms[name] = read_time(value) if name in {"since", "until"} else value
        except ValueError:
            raise _wrong(text) from None
        at = found.end()
    time, _, record_id = (call.skip_token() or "").partition(" ")
    before = (time, record_id) if time else None
    return Search(**terms, limit=call.top() or _PAGE, before=before)


def _wrong(text: str) -> InvalidResource:
    names = ", ".join(sorted({f"{name} {operator}" for name, operator in _NAMES}))
    message = f"$filter is {text[:200]!r}: it has terms like operationName eq 'SecretGet', joined by and. There are: {names}."
    return InvalidResource("InvalidFilter", message, "$filter")


def _page(call: ArmCall, search: Search, found: tuple[Shown, ...]) -> Response:
    content: dict[str, Any] = {"value": list(found)}
    if len(found) == search.limit:
        content["nextLink"] = call.next_link(" ".join(position_of(found[-1])))
    return answer(content)


async def _store_events(call: ArmCall) -> Response:
    search, place = search_of(call), (call["subscription"], call["group"], call["account"])
    return _page(call, search, await call.run(call.house.audit_events.of_store, *place, search))


async def _all_events(call: ArmCall) -> Response:
    search = search_of(call)
    return _page(call, search, await call.run(call.house.audit_events.of_subscription, call["subscription"], search))


async def _store_verification(call: ArmCall) -> Response:
    place = call["subscription"], call["group"], call["account"]
    return answer(shown_verification(await call.run(call.house.audit_events.verify_for_store, *place)))


async def _verification(call: ArmCall) -> Response:
    return answer(shown_verification(await call.run(call.house.audit_events.verify_for_subscription, call["subscription"])))


ROUTES = (
    route("GET", f"{_STORE}/certworker/auditEvents", _store_events, AUDIT),
    route("GET", f"{_STORE}/certworker/auditVerification", _store_verification, AUDIT),
    route("GET", f"{_WHOLE}/auditEvents", _all_events, AUDIT),
    route("GET", f"{_WHOLE}/auditVerification", _verification, AUDIT),
)
