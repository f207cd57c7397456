"""The directory for whoever is on the machine itself: the same routes without HTTP, as the operator."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from certworker.api.graph.call import VERSION, GraphCall
from certworker.api.graph.plane import ROUTES
from certworker.api.graph.routing import GraphRoutes, Handler
from certworker.api.hosts import Place, Plane
from certworker.api.operation_names import operation_name
from certworker.api.threads import Threads
from certworker.bootstrap import House
from certworker.errors import NotFound
from certworker.vault.access import Caller


class Recording(Protocol):
    """Records what is done in a block, under the name of the operation."""

    def __call__(self, operation: str) -> AbstractContextManager[None]:
        """Begin a block."""


class LocalDirectory:
    """Answers as the plane does, to a caller who needs no token. Closed at the end."""

    def __init__(self, house: House, caller: Caller, recording: Recording) -> None:
        self._house = house
        self._caller = caller
        self._recording = recording
        self._threads = Threads(1)
        self._routes = GraphRoutes(ROUTES)

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401 - the wire's JSON
        """Ask for one thing, and give the JSON of the answer. Raises what services raise, NotFound for no path."""
        try:
            found, params = self._routes.find(method, path)
        except HTTPException as error:
            raise NotFound(error.detail) from None
        asking = self._answer(found.handler, method, path, params, query, body)
        if method == "GET":
            return asyncio.run(asking)
        with self._recording(operation_name(method, found.path) or "DirectoryChange"):
            return asyncio.run(asking)

    async def _answer(
        self,
        handler: Handler,
        method: str,
        path: str,
        params: Mapping[str, str],
        query: Mapping[str, str],
        body: object,
    ) -> Any:  # noqa: ANN401
        content = b"" if body is None else json.dumps(body).encode()
        place = Place(Plane.GRAPH, urlsplit(self._house.settings.graph_url).netloc)
        scope = {"type": "http", "method": method, "path": f"/{VERSION}{path}", "headers": [], "query_string": b""}

        async def receive() -> Message:
            return {"type": "http.request", "body": content, "more_body": False}

        request = Request(scope, receive)
        call = GraphCall(self._house, self._threads, place, self._caller, query, request, params)
        call.check_query()
        response = await handler(call)
        return json.loads(bytes(response.body)) if response.body else None

    def close(self) -> None:
        """End the threads."""
        self._threads.close()
