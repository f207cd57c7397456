"""What the commands print: a table for a person, plain columns for a pipe, the wire's JSON for a program."""

import json
import sys
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

Row = Sequence[object]
_NOTE_WIDTH = 60
"""Sentences in less than so many columns are hard to read."""
_BETWEEN = 3
"""So many columns are taken by what is between two of a table."""
_LEAST_NAME = 8


def show_json(value: object) -> None:
    """Print JSON."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def show_table(headers: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows under their headers: as a table on a terminal, else in columns."""
    texts = [[text_of(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _show_on_terminal(headers, texts)
        return
    lines = [list(headers), *texts]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    for line in lines:
        padded = "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        sys.stdout.write(padded.rstrip() + "\n")


def show_notes(headers: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows whose last column is whole sentences: on a terminal these stand below, where beside they would be a thread."""
    texts = [[text_of(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        show_table(headers, rows)
    elif texts:
        _show_notes_on_terminal(headers, texts)


def _show_notes_on_terminal(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console, names = Console(), headers[:-1]
    widths = [max(len(line[column]) for line in (headers, *rows)) for column in range(len(names))]
    # one long name does not push what is beside all the others out of the screen
    widths[0] = min(widths[0], max(console.width - sum(widths[1:]) - 2 * len(widths), _LEAST_NAME))
    # what is still to stand beside it has room, or all is below
    room = console.width - sum(widths) - 2 * len(widths)
    beside = room >= _NOTE_WIDTH
    for number, row in enumerate((headers, *rows)):
        is_long = len(row[0]) > widths[0]
        cells = ("" if is_long else row[0], *row[1:-1])
        line = Text("  ".join(text.ljust(width) for text, width in zip(cells, widths, strict=True)), overflow="fold")
        line.stylize("bold", 0, len(line) if number == 0 else widths[0])
        if is_long:
            console.print(Text(row[0], "bold", overflow="fold"))
        if beside:
            note = Text(row[-1], "bold" if number == 0 else "").wrap(console, room)
            below = Text("\n" + " " * (len(line) + 2))
            console.print(Text("  ").join((line, below.join(note))), soft_wrap=True)
        else:
            line.rstrip()
            console.print(line)
            if number:
                console.print(Padding(Text(row[-1], "dim"), (0, 0, 0, 2), expand=False))


def _show_on_terminal(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415  # the other commands start without it
    from rich.cells import cell_len  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    widths = [max(cell_len(line[column]) for line in (headers, *rows)) for column in range(len(headers))]
    if sum(widths) + _BETWEEN * len(widths) > console.width:
        for number, line in enumerate((headers, *rows)):
            flowing = Text("\n".join(_flow(line, console.width)), overflow="fold")
            flowing.stylize("bold", 0, len(line[0]) if number else len(flowing))
            console.print(flowing)
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")  # nothing of a name or a time is left out
    for row in rows:
        table.add_row(*(Text(value) for value in row))  # never markup
    console.print(table)


def _flow(cells: Sequence[str], width: int) -> list[str]:
    """Put cells beside each other for as long as there is room, and the others below: ids stay whole, to be copied."""
    lines = [cells[0]]
    for cell in cells[1:]:
        if len(lines[-1]) + len(cell) + 2 <= width:
            lines[-1] += f"  {cell}"
        else:
            lines.append(f"    {cell}")
    return lines


def show_fields(fields: Mapping[str, object]) -> None:
    """Print names and values, one on each line; those without a value are left out."""
    known = {name: text_of(value) for name, value in fields.items() if value is not None and value != ""}
    width = max((len(name) for name in known), default=0)
    for name, value in known.items():
        sys.stdout.write(f"{name.ljust(width)}  {value}\n")


def tell(text: str) -> None:
    """Tell a person something, on standard error: standard output is for what was asked for."""
    sys.stderr.write(plain(text) + "\n")


def tell_done(text: str, result: Mapping[str, object], *, as_json: bool) -> None:
    """Tell a person that something is done; a program is given what came of it, as JSON on standard output."""
    if as_json:
        show_json(result)
    else:
        tell(text)


def text_of(value: object) -> str:
    """Show one value on one line."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(text_of(item) for item in value)
    return plain(str(value))


def time_of(seconds: float | None) -> str | None:
    """Show the wire's seconds since 1970 as UTC, in ISO 8601."""
    if seconds is None:
        return None
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def time_left(until: datetime | None, at: datetime) -> str:
    """Say how long it is until then, in the two largest units."""
    if until is None:
        return "-"
    left = until - at
    sign = "-" if left < timedelta(0) else ""
    seconds = abs(int(left.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{sign}{days} d {hours} h"
    if hours:
        return f"{sign}{hours} h {minutes} min"
    return f"{sign}{minutes} min {seconds % 60:02} s"


def hex_of(text: str | None) -> str | None:
    """Show the wire's base64url in hex, as thumbprints are read."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex().upper() if text else None


def plain(text: str) -> str:
    """Make a text fit for one line of a terminal: others wrote it, and it may hold anything."""
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()
