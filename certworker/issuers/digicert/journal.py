"""What the journal of an order records between the steps: a flat table of fixed words, counts and ids."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from certworker.issuers.wording import retry_time

LONGEST_POLL = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Journal:
    """How far an order has come.

    `step` tells what was done last: ordering (an order may be out, or not), ordered, issued. `since` is when it was ordered
    first, `begun` when last (both in seconds since 1970), `attempts` how often. While an order is looked for, `offset` is the
    place in the CA's list, and `candidates` are the ids that are still to be looked at. `polls` are the looks since the last
    step forward, `missing` those that found no order, `unreadable` the downloads that held no certificate.
    """

    step: str = ""
    order_id: str = ""
    certificate_id: str = ""
    candidates: str = ""
    since: int = 0
    begun: int = 0
    attempts: int = 0
    offset: int = 0
    polls: int = 0
    missing: int = 0
    unreadable: int = 0

    @classmethod
    def read(cls, progress: Mapping[str, str] | None) -> "Journal":
        """Read what was recorded."""
        texts = {name: value for name, value in (progress or {}).items() if name in _TEXTS}
        counts = {name: int(value) for name, value in (progress or {}).items() if name in _COUNTS}
        return cls(**texts, **counts)  # type: ignore[arg-type]

    def show(self) -> dict[str, str]:
        """Show it as progress; what is empty is left out."""
        return {name: str(value) for name, value in asdict(self).items() if value}

    @property
    def begun_at(self) -> datetime:
        """Tell when it was ordered last."""
        return datetime.fromtimestamp(self.begun, UTC)

    @property
    def since_at(self) -> datetime:
        """Tell when it was ordered first."""
        return datetime.fromtimestamp(self.since, UTC)

    def ordering(self, at: datetime) -> "Journal":
        """Note that an order is about to be placed."""
        now = int(at.timestamp())
        return Journal(step="ordering", since=self.since or now, begun=now, attempts=self.attempts + 1)

    def lost(self, at: datetime) -> "Journal":
        """Note that an order was placed now, and its answer did not come."""
        return replace(self, begun=int(at.timestamp()), offset=0, candidates="")

    def looked(self, candidates: list[str], offset: int) -> "Journal":
        """Note which orders are still to be looked at, and where in the list to go on; 0 is its end."""
        return replace(self, candidates=",".join(candidates), offset=offset)

    def ordered(self, order_id: str) -> "Journal":
        """Note the order."""
        return Journal(step="ordered", order_id=order_id, since=self.since)

    def issued(self, certificate_id: str) -> "Journal":
        """Note that the order has a certificate."""
        return replace(self, step="issued", certificate_id=certificate_id, polls=0, missing=0)

    def polled(self, retry_after: str | None, at: datetime) -> tuple["Journal", datetime]:
        """Note a look that found nothing new, and when the next is due: when the CA says, or less and less often."""
        pause = min(timedelta(seconds=2 ** min(self.polls, 10)), LONGEST_POLL)
        return replace(self, polls=self.polls + 1, missing=0), retry_time(retry_after, at) or at + pause


_COUNTS = frozenset({"since", "begun", "attempts", "offset", "polls", "missing", "unreadable"})
_TEXTS = frozenset({"step", "order_id", "certificate_id", "candidates"})
