"""What the journal of an order records between the steps: a flat table of fixed words, counts and ids."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from certworker.issuers.journal import FlatJournal


@dataclass(frozen=True, slots=True)
class Journal(FlatJournal):
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
    unreadable: int = 0

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
