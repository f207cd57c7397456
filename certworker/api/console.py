"""The live view: one page without a script, which reads itself again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from types import MappingProxyType
from typing import Final

from certworker.vault.summary.records import EXPIRED, NOT_YET_VALID, Member, State

REFRESH_SECONDS = 5
_SOON = timedelta(days=7)
_HEADINGS = ("Vault", "Name", "Issuer", "State", "Expires", "Renews", "Last error")
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
.soon { background: #b7791f33; } .failed { background: #c5303033; }
"""


def render_console(members: Sequence[Member], number: int, at: datetime) -> str:
    """Draw the page as it stands at `at`, with some of `number` certificates. What somebody else wrote is escaped."""
    only = f"; these {len(members):,} need somebody first" if len(members) < number else ""
    heading = "".join(f'<th scope="col">{name}</th>' for name in _HEADINGS)
    rows = (
        "\n".join(_row(member, at) for member in members)
        or f'<tr><td colspan="{len(_HEADINGS)}">No certificates yet.</td></tr>'
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
<p>{number:,} certificate{"" if number == 1 else "s"}, as of {_time(at)}{only}</p>
<table>
<thead><tr>{heading}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def _row(member: Member, at: datetime) -> str:
    word = member.word_at(at)
    style = _STYLES.get(word) or ("soon" if _ends_soon(member, at) else "valid")
    texts = (member.vault, member.name, member.issuer)
    cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
    cells += f'<td><span class="state {style}">{word.replace("_", " ")}</span></td>'
    cells += "".join(f'<td class="time">{_time(time)}</td>' for time in (member.not_after, member.due_at))
    return f"<tr>{cells}<td>{escape(member.last_error or '')}</td></tr>"


def _ends_soon(member: Member, at: datetime) -> bool:
    """Say whether its end is near; what lives for days alone is not in need of anybody while its renewal is still ahead."""
    near = member.not_after is not None and member.not_after - at <= _SOON
    return near and not (member.due_at and at < member.due_at)


_STYLES: Final = MappingProxyType(
    {
        **dict.fromkeys((EXPIRED, State.REVOKED.value, State.FAILED.value, State.EMPTY.value), "failed"),
        **dict.fromkeys((State.RENEWING.value, State.BEING_ISSUED.value), "issuing"),
        **dict.fromkeys((State.RENEWAL_FAILED.value, State.PAUSED.value, State.WAITS_FOR_SIGNATURE.value), "soon"),
        **dict.fromkeys((State.DISABLED.value, NOT_YET_VALID), "soon"),
    }
)


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "&ndash;"
