"""Messages as mail: a subject, a text and HTML. Pure; every fact is taken for what somebody else wrote, a CA say."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Final

from certworker.vault.notification.explanation import Explanation, explain
from certworker.vault.notification.facts import fact, one_line
from certworker.vault.notification.message import Message, Severity

WIDTH: Final = 76
LONGEST_SUBJECT: Final = 150
MOST_PARTS: Final = 200
"""So many parts of a digest are listed; the rest is counted."""

_PREFIX: Final[Mapping[Severity, str]] = MappingProxyType(
    {Severity.INFO: "", Severity.WARNING: "Warning: ", Severity.CRITICAL: "CRITICAL: "}
)
# dark enough for white letters on them, whatever is around
_COLOUR: Final[Mapping[Severity, str]] = MappingProxyType(
    {Severity.INFO: "#1f5fa8", Severity.WARNING: "#8a5a00", Severity.CRITICAL: "#b3261e"}
)
# no colour of its own for text and page: a client that shows mail in the dark keeps its own, and a grey veil suits both
_PAGE: Final = "margin:0;padding:16px;font:15px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif"
_CODE: Final = (
    "margin:4px 0 12px;padding:8px 10px;border-radius:4px;background:rgba(127,127,127,.16);white-space:pre-wrap;"
    "word-break:break-word;font-family:ui-monospace,Consolas,Menlo,monospace;font-size:13px"
)
_CELL: Final = "padding:3px 14px 3px 0;vertical-align:top;text-align:left;border-bottom:1px solid rgba(127,127,127,.25)"
_VALUE: Final = f"{_CELL};word-break:break-word"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as a mail has it. `subject` is one line, of any letters."""

    subject: str
    text: str
    html: str


def render(message: Message, vault_suffix: str) -> Rendered:
    """Render a message. It comes out the same however often it is sent: times left are counted from when it came about."""
    explanation = explain(message, vault_suffix)
    where = f" [{one_line(message.vault)}]" if message.vault else ""
    subject = one_line(f"{_PREFIX[message.severity]}{explanation.title}{where}", LONGEST_SUBJECT)
    return Rendered(subject, _text(message, explanation), _html(message, explanation, subject))


# --- text -------------------------------------------------------------------------------------------------------------


def _text(message: Message, explanation: Explanation) -> str:
    blocks = [_wrap(f"{_PREFIX[message.severity]}{explanation.title}"), _wrap(explanation.why)]
    if message.parts:
        blocks.append("\n".join(_part_lines(message)))
    if explanation.steps:
        blocks.append("What to do")
        blocks += ["\n".join(filter(None, (_wrap(step.text), _indent(step.command)))) for step in explanation.steps]
    blocks.append("\n".join(_fact_lines(explanation)))
    blocks.append("-- \n" + _wrap(_footer(message)))
    return "\n\n".join(blocks) + "\n"


def _wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _indent(command: str) -> str:
    """Give a command on a line of its own, however long: it is to be copied."""
    return f"    {command}" if command else ""


def _fact_lines(explanation: Explanation) -> Iterator[str]:
    width = max((len(label) for label, _ in explanation.facts), default=0) + 2
    for label, value in explanation.facts:
        yield _wrap(f"{label + ':':<{width}}{value}", " " * width)


def _part_lines(message: Message) -> Iterator[str]:
    for part in message.parts[:MOST_PARTS]:
        severity, title, place, detail = _part(part)
        yield _wrap(f"* {severity}{title} ({place}){f': {detail}' if detail else ''}", "  ")
    if (more := len(message.parts) - MOST_PARTS) > 0:
        yield f"* and {more} more"


def _part(part: Message) -> tuple[str, str, str, str]:
    """Give what is told of a part of a digest: how grave it is, what, where, and what else is worth a glance."""
    detail = fact(part, "error") or fact(part, "exp") or fact(part, "reason")
    return _PREFIX[part.severity], explain(part, "").title, one_line(part.vault), detail


def _footer(message: Message) -> str:
    of = f" of the vault {one_line(message.vault)}" if message.vault else ""
    return f"Told by certworker{of}; message {one_line(message.id)}."


# --- HTML -------------------------------------------------------------------------------------------------------------


def _html(message: Message, explanation: Explanation, subject: str) -> str:
    body = "\n".join(_body(message, explanation))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\n'
        '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">\n'
        f"<style>:root{{color-scheme:light dark}}</style><title>{escape(subject)}</title></head>\n"
        f'<body style="{_PAGE}"><div style="max-width:680px">\n{body}\n</div></body></html>\n'
    )


def _body(message: Message, explanation: Explanation) -> Iterator[str]:
    head = f"{_PREFIX[message.severity]}{explanation.title}"
    colour = _COLOUR[message.severity]
    yield f'<h1 style="margin:0 0 14px;padding:10px 14px;border-radius:4px;font-size:18px;background:{colour};color:#fff">'
    yield f"{escape(head)}</h1>"
    yield f'<p style="margin:0 0 14px">{escape(explanation.why)}</p>'
    if message.parts:
        yield from _part_rows(message)
    if explanation.steps:
        yield '<h2 style="margin:0 0 6px;font-size:15px">What to do</h2>'
    for step in explanation.steps:
        yield f'<p style="margin:0 0 4px">{escape(step.text)}</p>'
        if step.command:
            yield f'<pre style="{_CODE}">{escape(step.command)}</pre>'
    yield '<table style="border-collapse:collapse;margin:14px 0;font-size:14px">'
    for label, value in explanation.facts:
        head = f'<th scope="row" style="{_CELL};white-space:nowrap">{escape(label)}</th>'
        yield f'<tr>{head}<td style="{_VALUE}">{escape(value)}</td></tr>'
    yield f'</table>\n<p style="margin:0;font-size:12px;opacity:.7">{escape(_footer(message))}</p>'


def _part_rows(message: Message) -> Iterator[str]:
    yield '<table style="border-collapse:collapse;margin:0 0 14px;font-size:14px;width:100%">'
    columns = (("What", "width:42%"), ("Vault", "width:12%"), ("Detail", "width:46%"))
    heads = "".join(f'<th scope="col" style="{_CELL};{width}">{label}</th>' for label, width in columns)
    yield f"<tr>{heads}</tr>"
    for part in message.parts[:MOST_PARTS]:
        severity, title, place, detail = _part(part)
        mark = f"border-left:4px solid {_COLOUR[part.severity]};padding-left:8px"
        cells = f'<td style="{_VALUE};{mark}">{escape(severity + title)}</td>'
        cells += f'<td style="{_CELL};white-space:nowrap">{escape(place)}</td><td style="{_VALUE}">{escape(detail)}</td>'
        yield f"<tr>{cells}</tr>"
    if (more := len(message.parts) - MOST_PARTS) > 0:
        yield f'<tr><td style="{_CELL}" colspan="3">and {more} more</td></tr>'
    yield "</table>"
