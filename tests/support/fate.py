"""The fate of a process: it is killed at the n-th thing that happens to it, and nothing happens to it any more.

Things that happen: a transaction is about to be committed, or has been; a request is about to be sent, or was answered.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import httpx

from certworker.network.egress import EgressRules
from certworker.network.http import Budget, Connect, EgressClient
from certworker.vault.store import HotReader, Reader, Store, Writer


class KilledError(BaseException):
    """The process is gone: nothing catches this."""


@dataclass
class Fate:
    """Counts what happens, and kills at the n-th thing, in whatever way; `happened` tells what came to pass."""

    dies_at: int | None = None
    happened: list[str] = field(default_factory=list)
    kill: Callable[[], None] = lambda: None

    @property
    def is_dead(self) -> bool:
        """Whether it has come to that."""
        return self.dies_at is not None and len(self.happened) >= self.dies_at

    def pass_(self, what: str) -> None:
        """Let something happen."""
        if not self.is_dead:
            self.happened.append(what)
        if self.is_dead:
            self.kill()
            raise KilledError


class MortalStore:
    """A store of a mortal process. What was read is of no consequence, and is not counted."""

    def __init__(self, store: Store, fate: Fate) -> None:
        self._store = store
        self._fate = fate

    @property
    def inline_reads(self) -> bool:
        """As the store says."""
        return self._store.inline_reads

    def glance(self) -> AbstractContextManager[HotReader]:
        """Look things up."""
        return self._store.glance()

    def reading(self) -> AbstractContextManager[Reader]:
        """Open a consistent view."""
        return self._store.reading()

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Open a transaction, perhaps the last one."""
        with self._store.writing() as writer:
            yield writer
            self._fate.pass_("before a commit")
        self._fate.pass_("after a commit")

    def close(self) -> None:
        """Close every connection."""
        self._store.close()


class MortalTransport(httpx.BaseTransport):
    """The way out of a mortal process."""

    def __init__(self, inner: httpx.BaseTransport, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and hear the answer."""
        self._fate.pass_(f"before {request.method} {request.url.path}")
        answer = self._inner.handle_request(request)
        self._fate.pass_(f"after {request.method} {request.url.path}")
        return answer


def mortal_connect(transport: httpx.BaseTransport, fate: Fate) -> Connect:
    """Build what builds the HTTP clients of a mortal process, all of them over one transport."""

    def build(rules: EgressRules, _ca_bundle: str | None, timeout_seconds: float) -> EgressClient:
        return EgressClient(rules, MortalTransport(transport, fate), Budget(rules.total.total_seconds()), timeout_seconds)

    return build
