"""Options for what keys and secrets have in common: times, tags, and whether they may be used."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from certworker.cli.options import Wire

Expires = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="When it ends: 2027-01-31 or 2027-01-31T12:00:00Z.")
]
NotBefore = Annotated[str | None, typer.Option("--not-before", metavar="TIME", help="When it begins, likewise.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="NAME=VALUE", help="A tag; can be repeated.")]
Version = Annotated[str | None, typer.Option("--version", help="A version; the current one without it.")]


def attributes_of(expires: str | None, not_before: str | None, *, enabled: bool | None) -> Wire:
    """Say in the wire's words what was given of the attributes; nothing where nothing was. Raises typer's BadParameter."""
    given = {"enabled": enabled, "exp": seconds_of("--expires", expires), "nbf": seconds_of("--not-before", not_before)}
    attributes = {name: value for name, value in given.items() if value is not None}
    return {"attributes": attributes} if attributes else {}


def tags_of(given: list[str] | None, *, none: bool = False) -> Wire:
    """Say likewise what was given of tags; with `none` that all of them go. Raises typer's BadParameter."""
    if given and none:
        raise typer.BadParameter("only one of --tag and --no-tags can be given")
    tags = {}
    for tag in given or ():
        name, equals, value = tag.partition("=")
        if not (name and equals):
            raise typer.BadParameter("a tag reads NAME=VALUE", param_hint="--tag")
        tags[name] = value
    return {"tags": tags} if tags or none else {}


def seconds_of(option: str, text: str | None) -> int | None:
    """Read a time that was given, in Unix seconds. Raises typer's BadParameter."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        message = "a time reads 2027-01-31, in UTC, or 2027-01-31T12:00:00Z"
        raise typer.BadParameter(message, param_hint=option) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
