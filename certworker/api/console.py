"""The live view: one page without a script, which reads itself again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from certworker.vault.operations import OperationStatus
from certworker.vault.summary.records import FleetEntry

REFRESH_SECONDS = 5
_SOON = timedelta(days=7)
_HEADINGS = ("Vault", "Name", "Issuer", "State", "Expires", "Renews", "Last details")
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin: 0; }
p { margin: .2rem 0 1.2rem; opacity: .7; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8884; padding: .4rem .7rem; text-align: left; vertical-align: top; }
th { font-weight: 600; opacity: .7; }
td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
.state { border-radius: .6rem; padding: .1rem .5rem; white-space: nowrap; }
.valid { background: #2a7d4633; } .issuing { background: #2b6cb033; }
.soon, .disabled { background: #b7791f33; } .expired, .failed { background: #c5303033; }
"""


def render_console(entries: Sequence[FleetEntry], at: datetime) -> str:
    """Draw the page as it stands at `at`. Everything that somebody else wrote is escaped."""
    heading = "".join(f'<th scope="col">{name}</th>' for name in _HEADINGS)
    rows = (
        "\n".join(_row(entry, at) for entry in entries) or f'<tr><td colspan="{len(_HEADINGS)}">No certificates yet.</td></tr>'
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{REFRESH_SECONDS}">
<title>certworker</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>certworker</h1>
<p>{len(entries)} certificate{"" if len(entries) == 1 else "s"}, as of {_time(at)}</p>
<table>
<thead><tr>{heading}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _row(entry: FleetEntry, at: datetime) -> str:
    word = state_of(entry, at)
    texts = (entry.vault, entry.name, entry.issuer)
    cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
    cells += f'<td><span class="state {word}">{word}</span></td>'
    cells += "".join(f'<td class="time">{_time(time)}</td>' for time in (entry.not_after, entry.renewal.due_at))
    return f"<tr>{cells}<td>{escape(entry.operation_details or entry.renewal.last_error or '')}</td></tr>"


def state_of(entry: FleetEntry, at: datetime) -> str:
    """Say in one word how a certificate does; the word that asks for the most comes first."""
    if entry.not_after is not None and entry.not_after <= at:
        return "expired"
    if entry.operation_status is OperationStatus.FAILED:
        return "failed"
    if entry.operation_status is OperationStatus.IN_PROGRESS:
        return "issuing"
    if entry.version is None:
        return "empty"
    if not entry.enabled:
        return "disabled"
    return "soon" if entry.not_after is not None and entry.not_after - at <= _SOON else "valid"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "&ndash;"
