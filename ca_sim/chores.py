"""What is due is done before anything is looked at: so no timer is needed, whatever way the clock goes."""

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send


class ChoresFirst:
    """Wraps an application; `chores` are carried out before each request."""

    def __init__(self, app: ASGIApp, chores: Callable[[], None]) -> None:
        self._app = app
        self._chores = chores

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry out what is due, then pass the request on."""
        if scope["type"] == "http":
            self._chores()
        await self._app(scope, receive, send)
