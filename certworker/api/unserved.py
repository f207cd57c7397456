"""Operations of Key Vault's that this release does not serve: it says so, instead of leaving a client to guess."""

from starlette.responses import Response

from certworker.api.call import Call, route
from certworker.api.errors import NotServed

_BEFORE_NAMES = (("GET PUT", "/keys/{name}/rotationpolicy"),)
_OPERATIONS = (
    ("PUT PATCH DELETE", "/keys/{name}"),
    ("PATCH", "/keys/{name}/{version}"),
    ("POST", "/keys/{name}/{operation}"),
    ("GET", "/keys/{name}/{version}/attestation"),
    ("POST", "/keys/{name}/{version}/release"),
    ("GET", "/deletedkeys"),
    ("GET DELETE", "/deletedkeys/{name}"),
    ("POST", "/deletedkeys/{name}/recover"),
)


async def refuse(call: Call) -> Response:
    """Say that the operation is known and not served."""
    scope = call.request.scope
    raise NotServed(f"This release does not serve the operation {scope['method']} {scope['path']}.")


FIRST_ROUTES = tuple(route(methods, path, refuse) for methods, path in _BEFORE_NAMES)
"""Paths whose fixed words would pass for names: these stand before the routes of names."""
ROUTES = tuple(route(methods, path, refuse) for methods, path in _OPERATIONS)
