"""The routes of the API in the style of GlobalSign Atlas."""

from starlette.applications import Starlette


def place(_method: str, path: str) -> str:
    """Name the kind of a request, as faults know it."""
    return f"globalsign.{path.strip('/').split('/')[-1]}"


def globalsign_app() -> Starlette:
    """Make the application."""
    return Starlette(routes=[])
