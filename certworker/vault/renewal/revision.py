"""The revision: after a start every plan is looked at once, for the settings and the rules may be other ones than before.

So it is when the clock has gone back: what was planned by a time that never came would wait until it comes.
"""

from datetime import datetime, timedelta
from typing import Final

from certworker.vault.objects import ObjectHead, ObjectKind
from certworker.vault.renewal.planning import Planner
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import Vault

PAGE = 100
LEAP: Final = timedelta(minutes=5)
"""A clock that is set right by less than this has led nothing far astray."""


class Revision:
    """Goes through all certificates, some at a time. Where it has come to is known to this process alone: it is done again."""

    def __init__(self, store: Store, planner: Planner) -> None:
        self._store = store
        self._planner = planner
        self._vaults: tuple[Vault, ...] | None = None
        self._after: str | None = None
        self._seen: datetime | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has come to the end."""
        return self._vaults == ()

    def is_due(self, reader: Reader, at: datetime) -> bool:
        """Tell whether there is something to look at: it has not come to the end, or begins anew since the clock went back."""
        return not self.is_done or self._has_gone_back(reader, at)

    def go_on(self, at: datetime) -> int:
        """Look at some plans, and put right those that would be made otherwise today; count them."""
        self._begin_anew(at)
        looked = revised = 0
        while not self.is_done and looked < PAGE:
            with self._store.reading() as reader:
                heads = self._next(reader, PAGE - looked)
                stale = [head for head in heads if self._is_stale(reader, head, at)]
            for head in stale:
                with self._store.writing() as writer:
                    # its name is held first, as by everybody: of two that wait for each other, the database gives one up
                    writer.head(head.vault_id, ObjectKind.CERTIFICATE, head.name)
                    self._planner.replan(writer, head.vault_id, head.name, at)
            looked, revised = looked + len(heads), revised + len(stale)
        return revised

    def _begin_anew(self, at: datetime) -> None:
        with self._store.reading() as reader:
            seen = self._latest(reader, at)
        if seen > at + LEAP:
            with self._store.writing() as writer:
                writer.forget_future(at, seen)
            self._vaults, self._after = None, None
        self._seen = at

    def _has_gone_back(self, reader: Reader, at: datetime) -> bool:
        seen = self._latest(reader, at)
        if seen <= at + LEAP:
            self._seen = at
        return seen > at + LEAP

    def _latest(self, reader: Reader, at: datetime) -> datetime:
        """Tell the latest time at which a worker was known to be alive; before its first look, by what it has written."""
        if self._seen:
            return max(self._seen, at)
        return max((beat.at for beat in reader.heartbeats()), default=at)

    def _next(self, reader: Reader, limit: int) -> tuple[ObjectHead, ...]:
        if self._vaults is None:
            self._vaults = reader.vaults()
        if not self._vaults:
            return ()
        page = reader.heads(self._vaults[0].id, ObjectKind.CERTIFICATE, self._after, limit, deleted=False)
        self._after = page.next
        if page.next is None:
            self._vaults = self._vaults[1:]
        return page.items

    def _is_stale(self, reader: Reader, head: ObjectHead, at: datetime) -> bool:
        certificate = reader.certificate(head.vault_id, head.name)
        current = reader.certificate_version(head.vault_id, head.name, None)
        if certificate is None or current is None:
            return False
        situation = self._planner.situation(reader, certificate, current, at)
        return self._planner.plan(situation, certificate.renewal) != certificate.renewal
