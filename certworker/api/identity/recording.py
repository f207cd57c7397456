"""The record of a request on a port of its own: it is there before the answer leaves, or there is no answer."""

from time import perf_counter
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from certworker.api.addresses import plain_address
from certworker.api.counting import MANAGED, CountedRequests
from certworker.api.hosts import place_of
from certworker.api.identity.refusals import refusal_of, refusal_response
from certworker.api.trace import TRACE, RequestTrace, append_record
from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.errors import AuditUnavailable


class Recorded:
    """Lets an app answer requests once they are recorded."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        self._app = app
        self._house = house
        self._counted = CountedRequests(house.measures, MANAGED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace, begun = self._trace_of(scope), perf_counter()
        scope[TRACE] = trace

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await append_record(self._house, trace.ended(message["status"]))
                self._count(trace, message["status"], begun)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except AuditUnavailable as error:
            refused = refusal_response(refusal_of(error), trace.request_id, whole_second(self._house.clock()))
            await refused(scope, receive, send)
            self._count(trace, refused.status_code, begun)

    def _count(self, trace: RequestTrace, status: int, begun: float) -> None:
        self._counted.answered(trace, "identity", status, perf_counter() - begun)

    def _trace_of(self, scope: Scope) -> RequestTrace:
        headers = dict(reversed(scope["headers"]))
        place = place_of(headers.get(b"host", b"").decode("latin-1"), self._house.settings.server.domain)
        address = plain_address((scope.get("client") or ("",))[0])
        trace = RequestTrace(scope, headers, place, str(uuid4()), address, self._house.clock)
        trace.begin_sign_in()
        return trace
