"""The live picture of `certworker dev`: each certificate, and what just happened."""

import sys
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from certworker.bootstrap import House
from certworker.cli.output import time_left
from certworker.errors import Unavailable
from certworker.vault.events import Event, EventType
from certworker.vault.fleet import Standing, standing
from certworker.vault.summary.records import FleetEntry
from certworker.vault.vaults import SYSTEM_VAULT

NEWS_LINES = 12
REDRAWS_PER_SECOND = 4


def show_live(house: House, rounds: Iterable[None], headline: str, hints: Sequence[str], after: int) -> None:
    """Show the fleet at every turn of `rounds`: as a picture on a terminal, as lines of news elsewhere.

    While the database does not answer, the picture stays as it is: it is no reason to stop what it shows.
    """
    news = News(house, after)
    if not sys.stdout.isatty():
        for _ in rounds:
            with suppress(Unavailable):
                for event in news.read():
                    print(describe(event), flush=True)  # noqa: T201  # the terminal is this command's business
        return
    console = Console()
    with Live(console=console, refresh_per_second=REDRAWS_PER_SECOND, screen=False) as live:
        for _ in rounds:
            with suppress(Unavailable):
                news.read()
                live.update(picture(house.fleet.entries(), news.lines, headline, hints, house.clock()))


class News:
    """A cursor over the events, and the last lines of it."""

    def __init__(self, house: House, after: int) -> None:
        self._house = house
        self._after = after
        self.lines: deque[str] = deque(maxlen=NEWS_LINES)

    def read(self) -> tuple[Event, ...]:
        """Read what is new."""
        events = self._house.fleet.events(self._after)
        if events:
            self._after = events[-1].sequence
        self.lines.extend(describe(event) for event in events if _is_news(event))
        return tuple(event for event in events if _is_news(event))


def picture(fleet: tuple[FleetEntry, ...], news: Iterable[str], headline: str, hints: Sequence[str], at: datetime) -> Group:
    """Draw the fleet as a table, with the news below."""
    table = Table(title=Text(headline), title_justify="left", expand=True)
    for column in ("Vault", "Certificate", "Issuer", "State", "Expires in", "Renews in"):
        table.add_column(column, overflow="fold")
    for entry in fleet:
        if entry.vault == SYSTEM_VAULT:
            continue  # the service's own certificate is in the metrics; this picture is the user's
        stands = standing(entry, at)
        expires, renews = time_left(entry.not_after, at), time_left(entry.renewal.due_at, at)
        table.add_row(entry.vault, entry.name, entry.issuer, Text(stands, _STYLES[stands]), expires, renews)
    footer = [*hints, "Ctrl-C stops everything; the next start goes on from here."]
    lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in news]
    return Group(table, *lines, Text(), *(Text(line, "dim") for line in footer))


_STYLES = MappingProxyType(
    {
        Standing.EXPIRED: "bold red",
        Standing.DISABLED: "dim",
        Standing.RENEWING: "cyan",
        Standing.PAUSED: "yellow",
        Standing.RENEWAL_FAILED: "red",
        Standing.VALID: "green",
        Standing.WAITS_FOR_SIGNATURE: "yellow",
        Standing.BEING_ISSUED: "yellow",
        Standing.FAILED: "bold red",
        Standing.EMPTY: "bold red",
    }
)

_SENTENCES = {
    EventType.CERTIFICATE_NEW_VERSION: "has a new version, issued by {issuer} (reason: {reason})",
    EventType.KEY_NEW_VERSION: "has a new version (reason: {reason})",
    EventType.SECRET_NEW_VERSION: "has a new version (reason: {reason})",
    EventType.CERTIFICATE_NEAR_EXPIRY: "is near its expiry (threshold: {threshold})",
    EventType.CERTIFICATE_EXPIRED: "has expired",
    EventType.KEY_NEAR_EXPIRY: "is near its expiry",
    EventType.SECRET_NEAR_EXPIRY: "is near its expiry",
    EventType.KEY_EXPIRED: "has expired",
    EventType.SECRET_EXPIRED: "has expired",
    EventType.KEY_RELEASED: "was released for an attestation of {authority}",
    EventType.OPERATION_CREATED: "is asked for from {issuer}",
    EventType.OPERATION_RETRY: "was not issued: {error} It is tried again at {next}",
    EventType.OPERATION_FAILED: "failed: {error}",
    EventType.OPERATION_CANCELLED: "was cancelled",
    EventType.OPERATION_STEP: "is on its way: {step}",
    EventType.RENEWAL_ADVISED: "is to be renewed between {start} and {end}, says {issuer} {explanation_url}",
    EventType.RENEWAL_PLANNED: "will be renewed at {renewal_at}",
    EventType.RENEWAL_OVERDUE: "should have been renewed since {renewal_at} ({threshold} of the time is gone)",
    EventType.RENEWAL_STARTED: "falls due for renewal (reason: {reason})",
    EventType.RENEWAL_PAUSED: "is not renewed until it is resumed: paused by {by}: {why}",
    EventType.RENEWAL_RESUMED: "is renewed again: resumed by {by}",
    EventType.ISSUER_DOWN: "finds {issuer} down: nothing more is asked of it before {until}",
    EventType.ISSUER_UP: "finds {issuer} up again, which was down since {since}",
    EventType.ISSUER_THROTTLED: "is told by {issuer} that it was asked too much: nothing more is asked before {until}",
    EventType.ISSUER_FAILED_OVER: "is renewed by {to}, in the place of {issuer}",
    EventType.CERTIFICATE_REVOKED: "was revoked by {issuer} (reason: {reason})",
    EventType.CERTIFICATE_FOUND_REVOKED: "is REVOKED by what {source} tells (reason: {reason}, since {revoked_at})",
    EventType.KEY_COMPROMISED: "has a key that is known to be compromised since {since}",
    EventType.REVOCATION_UNKNOWN: "may be revoked, nobody can tell since {since}: {why}",
    EventType.OBJECT_DELETED: "was deleted",
    EventType.OBJECT_RECOVERED: "was recovered",
    EventType.OBJECT_PURGED: "was purged",
}


def _is_news(event: Event) -> bool:
    # the companions' events say the same again, and the service's own certificate is not the user's
    companion = event.type in (EventType.KEY_NEW_VERSION, EventType.SECRET_NEW_VERSION) and "issuer" in event.detail
    return not companion and event.detail.get("vault") != SYSTEM_VAULT


def describe(event: Event) -> str:
    """Tell an event in one line."""
    sentence = _SENTENCES[event.type].format_map(_Detail(event.detail))
    return f"{event.at:%H:%M:%S}  {event.kind} {event.detail.get('vault', '')}/{event.name} {sentence}"


class _Detail(dict[str, str]):
    """The detail of an event; what an older release did not write is shown as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"
