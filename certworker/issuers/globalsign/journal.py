"""What the journal of an issuance records between the steps: a flat table of fixed words, ids, counts and times."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from certworker.issuers.journal import FlatJournal

PATIENCE = (timedelta(seconds=15), timedelta(seconds=45), timedelta(minutes=1), timedelta(minutes=3))
"""How long is waited after each look for a certificate whose issuance was not heard of: five minutes in all.

The CA's statistics tell of an issuance only after a while.
"""


@dataclass(frozen=True, slots=True)
class Journal(FlatJournal):
    """How far an issuance has come. Times are seconds since 1970.

    `step` is ordering, looking or ordered. `since` is when a certificate was asked for first, at the earliest. `intent` names
    the request that is about to be sent, made at `intended` for a validity from `not_before` to `not_after`. `looks` counts
    the looks through the CA's statistics, `rounds` how often all of them found nothing, `page` and `row` tell where the one
    under way has come to. `serial` is that of what was issued, `polls` counts the looks at it, `missing` those that did not
    find it.
    """

    step: str = ""
    intent: str = ""
    serial: str = ""
    since: int = 0
    intended: int = 0
    not_before: int = 0
    not_after: int = 0
    looks: int = 0
    rounds: int = 0
    page: int = 0
    row: int = 0

    def ordering(self, intent: str, validity: tuple[int, int], at: datetime) -> "Journal":
        """Note that a certificate is about to be asked for."""
        now = int(at.timestamp())
        return Journal("ordering", intent, "", self.since or now, now, *validity, rounds=self.rounds)

    def looking(self) -> "Journal":
        """Note that a certificate may have been issued without our hearing of it."""
        return self if self.step == "looking" else replace(self, step="looking", looks=0, page=0, row=0)

    def looked(self, page: int, row: int) -> "Journal":
        """Note where a look has come to."""
        return replace(self, page=page, row=row)

    def looked_through(self) -> "Journal":
        """Note that a look has come to its end."""
        return replace(self, looks=self.looks + 1, page=0, row=0)

    def ordered(self, serial: str) -> "Journal":
        """Note what was issued."""
        return replace(self, step="ordered", serial=serial, looks=0, page=0, row=0, polls=0, missing=0)

    @property
    def begun(self) -> datetime:
        """Tell since when a certificate may have been issued."""
        return datetime.fromtimestamp(self.since, UTC)
