"""What the journal of an issuance records between the steps: a flat table of fixed words, counts and URLs."""

from dataclasses import dataclass, replace

from certworker.issuers.acme.resources import Order
from certworker.issuers.journal import FlatJournal


@dataclass(frozen=True, slots=True)
class Journal(FlatJournal):
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
    restarts: int = 0

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

    def begun_anew(self) -> "Journal":
        """Forget the order."""
        return Journal(restarts=self.restarts + 1)
