"""Operations of Key Vault's that this release does not serve: it says so, instead of leaving a client to guess."""

from starlette.responses import Response

from certworker.api.call import Call, route
from certworker.api.errors import NotServed

_OPERATIONS = (
    ("POST", "/keys/{name}/{operation}"),
)


async def refuse(call: Call) -> Response:
    """Say that the operation is known and not served."""
    scope = call.request.scope
    raise NotServed(f"This release does not serve the operation {scope['method']} {scope['path']}.")


ROUTES = tuple(route(methods, path, refuse) for methods, path in _OPERATIONS)
