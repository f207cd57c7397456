"""What is known of a CA's advice when to renew a certificate (RFC 9773): read from a watch, kept in it, and asked for again.

Of a window one point is drawn, once, and kept: who draws at every look may pass it by for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final, Protocol

from certworker.clock import whole_second
from certworker.vault.issuance import Advice, NoAdvice
from certworker.vault.renewal.situation import Window
from certworker.vault.watches import Watch, WatchKind

SHORTEST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(days=1)
"""A CA may say when it wants to be asked again, within these bounds (RFC 9773 section 4.3.2)."""
USUAL_PAUSE: Final = timedelta(hours=6)
"""When to ask again where the CA did not say, and after what does not pass soon (section 4.3.3); no back-off is longer."""
PAUSE_WITHOUT_OFFER: Final = timedelta(days=1)
"""A CA that has no advice at all may have some another day."""
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the advice about one version, which came from the issuer of that name.

    `since` is since when the CA has given no advice, `last_error` why, and `failures` how often in a row that was its own
    trouble. The window that it told last stays in force meanwhile. `asked_at` is when it was asked last.
    """

    issuer: str
    window: Window | None = None
    explanation_url: str | None = None
    failures: int = 0
    last_error: str | None = None
    since: datetime | None = None
    asked_at: datetime | None = None

    @classmethod
    def read(cls, state: Mapping[str, str]) -> "Known":
        """Read the state of a watch."""
        start, end, point = (_time(state.get(name)) for name in ("start", "end", "point"))
        return cls(
            issuer=state.get("issuer", ""),
            window=Window(start, end, point) if start and end and point else None,
            explanation_url=state.get("explanation_url"),
            failures=int(state.get("failures", "0")),
            last_error=state.get("last_error"),
            since=_time(state.get("since")),
            asked_at=_time(state.get("asked_at")),
        )

    def show(self) -> dict[str, str]:
        """Show it as the state of a watch; what is empty is left out."""
        window = self.window
        times = {"start": window.start, "end": window.end, "point": window.point} if window else {}
        found: dict[str, object | None] = {
            "issuer": self.issuer,
            "explanation_url": self.explanation_url,
            "failures": self.failures or None,
            "last_error": self.last_error,
        }
        found |= {name: at.isoformat() if at else None for name, at in times.items()}
        found |= {name: at.isoformat() if at else None for name, at in (("since", self.since), ("asked_at", self.asked_at))}
        return {name: str(value) for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Unwatched:
    """The current version of a live certificate that came out of an operation, and over which there is no watch of a kind.

    `issuer` is whose operation that was; none where an earlier release recorded it.
    """

    vault_id: str
    name: str
    version: str
    issuer: str | None


class AdviceReader(Protocol):
    """What can be asked for the sake of advice; a part of the port to the database."""

    def unwatched(self, kind: WatchKind) -> tuple[Unwatched, ...]:
        """List what no watch of a kind is over; what is known to be self-signed, or signed outside, is left out."""


def window_of(watch: Watch | None, version: str) -> Window | None:
    """Give the window that is known of a version; none where nothing is, or the watch is about another one."""
    return Known.read(watch.state).window if watch and watch.version == version else None


def first_watch(vault_id: str, name: str, version: str, issuer: str, at: datetime) -> Watch:
    """Begin to ask about a version, at once."""
    return Watch(WatchKind.ADVICE, vault_id, name, version, whole_second(at), Known(issuer).show())


def after(known: Known, answer: Advice | NoAdvice, random: Random, at: datetime) -> Known:
    """Put what a CA answered to what is known. What it told of a window before stays, unless it tells none any more."""
    if isinstance(answer, Advice):
        same = known.window is not None and (known.window.start, known.window.end) == (answer.start, answer.end)
        window = known.window if same else draw(answer.start, answer.end, random)
        return Known(known.issuer, window, answer.explanation_url, asked_at=at)
    failed = replace(
        known,
        failures=known.failures + 1 if answer.passing else 0,
        last_error=answer.message,
        since=known.since or at,
        asked_at=at,
    )
    return failed if answer.offered else replace(failed, window=None, explanation_url=None)


def draw(start: datetime, end: datetime, random: Random) -> Window:
    """Choose a point of a window, each with the same chance (RFC 9773 section 4.2)."""
    point = start + (end - start) * random.random()
    # whole seconds, as the plan has them; what was cut off would lie before the window
    rounded = whole_second(point + _SECOND)
    return Window(start, end, rounded if rounded <= end else point)


def next_look(answer: Advice | NoAdvice, failures: int, at: datetime, not_after: datetime) -> datetime | None:
    """Say when to ask again, after so many failures in a row; never, once the certificate has expired."""
    match answer:
        case Advice():
            pause = _clamped(answer.retry_at, at) or USUAL_PAUSE
        case NoAdvice(offered=False):
            pause = PAUSE_WITHOUT_OFFER
        case NoAdvice(passing=True):
            pause = max(back_off(failures), _clamped(answer.retry_at, at) or SHORTEST_PAUSE)
        case NoAdvice():
            pause = max(USUAL_PAUSE, _clamped(answer.retry_at, at) or USUAL_PAUSE)
    due_at = whole_second(at + pause + _SECOND - timedelta(microseconds=1))
    return due_at if due_at < not_after else None


def back_off(failures: int) -> timedelta:
    """Say how long to leave a CA alone that failed so many times in a row: twice as long each time, up to the usual pause."""
    return min(SHORTEST_PAUSE * (1 << min(max(failures - 1, 0), 10)), USUAL_PAUSE)


def moved_earlier(before: Window | None, now: Window | None) -> bool:
    """Whether a window was pulled in."""
    return before is not None and now is not None and (now.start < before.start or now.end < before.end)


def _clamped(retry_at: datetime | None, at: datetime) -> timedelta | None:
    return min(max(retry_at - at, SHORTEST_PAUSE), LONGEST_PAUSE) if retry_at else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
