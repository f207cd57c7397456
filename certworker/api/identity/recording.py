"""The record of a request on a port of its own: it is there before the answer leaves, or there is no answer."""

import asyncio
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from certworker.api.addresses import plain_address
from certworker.api.hosts import place_of
from certworker.api.identity.refusals import refusal_of, refusal_response
from certworker.api.trace import TRACE, RequestTrace
from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.errors import AuditUnavailable


class Recorded:
    """Lets an app answer requests once they are recorded."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        self._app = app
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = self._trace_of(scope)
        scope[TRACE] = trace

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._keep(trace, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except AuditUnavailable as error:
            refused = refusal_response(refusal_of(error), trace.request_id, whole_second(self._house.clock()))
            await refused(scope, receive, send)

    def _trace_of(self, scope: Scope) -> RequestTrace:
        headers = dict(reversed(scope["headers"]))
        place = place_of(headers.get(b"host", b"").decode("latin-1"), self._house.settings.server.domain)
        address = plain_address((scope.get("client") or ("",))[0])
        trace = RequestTrace(scope, headers, place, str(uuid4()), address, self._house.clock)
        trace.begin_sign_in()
        return trace

    async def _keep(self, trace: RequestTrace, status: int) -> None:
        record, trail = trace.ended(status), self._house.trail
        if self._house.settings.audit.sync == "each":  # it waits for the disk: others must not
            await asyncio.get_running_loop().run_in_executor(None, trail.append, record)
        else:
            trail.append(record)
