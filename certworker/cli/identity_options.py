"""Options of the directory's commands."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certworker.cli.options import Wire
from certworker.cli.output import show_fields, show_json, show_table

if TYPE_CHECKING:
    from certworker.cli.directory import People

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file: act on this machine's deployment as its operator, without a login."),
]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password and show it, this once; else it is asked for.")]


@contextmanager
def directory(config: Path | None, vault_url: str | None) -> Iterator["People"]:
    """Open the directory that is meant."""
    from certworker.cli.directory import open_directory  # noqa: PLC0415  # `--help` starts without it

    with open_directory(config, vault_url) as people:
        yield people


def show_one(found: Wire, fields: Mapping[str, str], *, as_json: bool) -> None:
    """Print one object: all of it as JSON, or the fields that a person wants, label -> name."""
    if as_json:
        show_json({name: value for name, value in found.items() if name != "@odata.context"})
        return
    show_fields({label: found.get(name) for label, name in fields.items()})


def show_many(found: Sequence[Wire], fields: Mapping[str, str], *, as_json: bool) -> None:
    """Print a list likewise."""
    if as_json:
        show_json({"value": list(found)})
        return
    show_table(tuple(label.upper() for label in fields), [[one.get(name) for name in fields.values()] for one in found])
