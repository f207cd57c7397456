"""What is counted of requests: how many, how long they took, what they were for and how they ended.

No label is a client's own text: what is not known here is called other.
"""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from certworker.api.identity.tokens import DEVICE_CODE, GRANTS, JWT_BEARER
from certworker.api.operation_names import AUTHENTICATION
from certworker.api.trace import RequestTrace
from certworker.measures import Measure, Measures

OTHER: Final = "other"
MANAGED: Final = "managed_identity"
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS"})
_TOKENS: Final = "TokenIssue"
"""The operation that a request for a token is."""
_GRANTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: name for name in GRANTS if ":" not in name},
        DEVICE_CODE: "device_code",
        JWT_BEARER: "on_behalf_of",
        MANAGED: MANAGED,
    }
)
_WAITS: Final = "authorization_pending"
"""How the error begins that a device is told whose user has not signed in yet."""


class CountedRequests:
    """Counts requests as they end."""

    def __init__(self, measures: Measures, grant: str = OTHER) -> None:
        """`grant` is what a token was asked by where the request does not say."""
        self._measures = measures
        self._grant = grant
        for known in {*_GRANTS.values(), grant}:
            measures.count(Measure.SIGN_INS, known, "refused", by=0)

    def answered(self, trace: RequestTrace, plane: str, status: int, seconds: float) -> None:
        """Count a request that was answered with `status`; where it is 0, nobody was there any more to answer to."""
        if not status:
            return
        measures, method = self._measures, trace.scope["method"]
        measures.count(Measure.HTTP_REQUESTS, plane, method if method in _METHODS else OTHER, _text_of(status))
        measures.time(Measure.HTTP_SECONDS, seconds, plane)
        if trace.signs_in:
            if trace.operation == _TOKENS:
                grant = _GRANTS.get(trace.details.get("grantType", ""), self._grant)
                measures.count(Measure.SIGN_INS, grant, _sign_in_result(trace, status))
            return
        result = result_of(status)
        operation = AUTHENTICATION if status == HTTPStatus.UNAUTHORIZED else trace.operation
        measures.count(Measure.VAULT_OPERATIONS, operation, result)
        if trace.vault:
            measures.count(Measure.VAULT_REQUESTS, trace.vault.name, result)


@cache
def result_of(status: int) -> str:
    """Say how a request ended."""
    if status < HTTPStatus.BAD_REQUEST:
        return "success"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "failed"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled"
    return "refused" if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) else "invalid"


def _sign_in_result(trace: RequestTrace, status: int) -> str:
    if status < HTTPStatus.BAD_REQUEST and not trace.refusal:
        return "success"
    return "pending" if trace.refusal.startswith(_WAITS) else "refused"


@cache
def _text_of(status: int) -> str:
    return str(status)
