"""What every provider's journal is: a flat table of fixed words, ids, counts and times, which goes from one step to the next.

It is recorded as the operation's progress, so it holds nothing secret.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Self

from certworker.issuers.wording import retry_time

LONGEST_POLL = timedelta(hours=1)
QUICK_POLL, QUICK_POLLS, GROWTH = timedelta(minutes=2), 7, 1.15
"""The pauses between looks double up to two minutes; then each is so much longer, a seventh of what was waited already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatJournal:
    """How far an issuance has come: texts and counts, all of them empty at first.

    `polls` are the looks since the last step forward, `missing` those in a row that did not find what must be there.
    """

    polls: int = 0
    missing: int = 0

    @classmethod
    def read(cls, progress: Mapping[str, str] | None) -> Self:
        """Read what was recorded; what is not of this journal is left alone."""
        recorded = progress or {}
        found = {field.name: recorded[field.name] for field in fields(cls) if field.name in recorded}
        counts = {field.name for field in fields(cls) if field.type is int}
        return cls(**{name: int(value) if name in counts else value for name, value in found.items()})  # type: ignore[arg-type]

    def show(self) -> dict[str, str]:
        """Show it as progress; what is empty is left out."""
        return {name: str(value) for name, value in asdict(self).items() if value}

    def polled(self, retry_after: str | None, at: datetime) -> tuple[Self, datetime]:
        """Note a look that found nothing new, and when the next is due: less and less often, never before the CA says."""
        if self.polls < QUICK_POLLS:
            pause = timedelta(seconds=2**self.polls)
        else:
            pause = min(QUICK_POLL * GROWTH ** min(self.polls - QUICK_POLLS, 100), LONGEST_POLL)
        return replace(self, polls=self.polls + 1, missing=0), max(at + pause, retry_time(retry_after, at) or at)
