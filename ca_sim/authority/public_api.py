"""What certificates point to, over plain HTTP: the certificates of their issuers."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.routing import Route


def place(_method: str, path: str) -> str:
    """Name the kind of a request, as faults know it: public.issuer, public.crl, public.ocsp."""
    word = path.strip("/").split("/", 1)[0]
    return f"public.{word or 'root'}"


def public_app(routes: Sequence[Route]) -> Starlette:
    """Make the application."""
    return Starlette(routes=list(routes))
