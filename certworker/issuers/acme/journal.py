"""What the journal of an issuance records between the steps: a flat table of fixed words, counts and URLs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from certworker.issuers.acme.problems import retry_time
from certworker.issuers.acme.resources import Order

LONGEST_POLL = timedelta(hours=1)
QUICK_POLL, QUICK_POLLS, GROWTH = timedelta(minutes=2), 7, 1.15
"""The pauses between looks double up to two minutes; then each is so much longer, a seventh of what was waited already."""


@dataclass(frozen=True, slots=True)
class Journal:
    """How far an issuance has come.

    `step` tells what was done last: account, ordered, presented, answered, cleared, finalized. `presented` counts the
    authorizations whose proof was put up where it is seen only later, since `presented_at` (in seconds since 1970) all of
    them, and `seen` the proofs that were seen; `answered` and `cleared` the authorizations whose challenge was answered, and
    whose proof was taken down; `polls` the looks since the last step forward, `missing` those in a row that found no order, or
    no certificate where it should be; `restarts` how often it began anew, because the CA had forgotten account or order.
    `account_key` is the thumbprint of the account's key, which proofs are made with.
    """

    step: str = ""
    account_url: str = ""
    account_key: str = ""
    order_url: str = ""
    finalize_url: str = ""
    certificate_url: str = ""
    presented: int = 0
    presented_at: int = 0
    seen: int = 0
    answered: int = 0
    cleared: int = 0
    polls: int = 0
    missing: int = 0
    restarts: int = 0

    @classmethod
    def read(cls, progress: Mapping[str, str] | None) -> "Journal":
        """Read what was recorded."""
        texts = {name: value for name, value in (progress or {}).items() if name in _TEXTS}
        counts = {name: int(value) for name, value in (progress or {}).items() if name in _COUNTS}
        return cls(**texts, **counts)  # type: ignore[arg-type]

    def show(self) -> dict[str, str]:
        """Show it as progress; what is empty is left out."""
        return {name: str(value) for name, value in asdict(self).items() if value}

    def forward(self, step: str, order: Order) -> "Journal":
        """Note that the order has come to `step`."""
        return replace(
            self,
            step=step,
            order_url=order.url,
            finalize_url=order.finalize,
            certificate_url=order.certificate or "",
            polls=0,
            missing=0,
        )

    def under_key(self, thumbprint: str) -> "Journal":
        """Note the account's key. Where it is another one than before, what was proven with that is to be proven again."""
        if self.account_key in ("", thumbprint):
            return replace(self, account_key=thumbprint)
        return replace(self, account_key=thumbprint, presented=0, presented_at=0, seen=0, answered=0, cleared=0)

    def polled(self, retry_after: str | None, at: datetime) -> tuple["Journal", datetime]:
        """Note a look that found nothing new, and when the next is due: less and less often, never before the CA says."""
        if self.polls < QUICK_POLLS:
            pause = timedelta(seconds=2**self.polls)
        else:
            pause = min(QUICK_POLL * GROWTH ** min(self.polls - QUICK_POLLS, 100), LONGEST_POLL)
        return replace(self, polls=self.polls + 1, missing=0), max(at + pause, retry_time(retry_after, at) or at)

    def begun_anew(self) -> "Journal":
        """Forget the order."""
        return Journal(restarts=self.restarts + 1)


_COUNTS = frozenset({"presented", "presented_at", "seen", "answered", "cleared", "polls", "missing", "restarts"})
_TEXTS = frozenset({"step", "account_url", "account_key", "order_url", "finalize_url", "certificate_url"})
