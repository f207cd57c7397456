"""The log of one process: its chain, appended to by any thread, brought to disk for many at once.

A record is with the operating system when `append` comes back; with `each`, on disk. With `group` it is on disk some
milliseconds later, and no more than so many records ever wait: that is what a power cut may cost. A process that is killed
costs nothing that had come back.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import Final, Protocol
from uuid import uuid4

from certworker.audit.lines import NO_HASH, seal_line
from certworker.audit.notary import Notary, Signer
from certworker.audit.statements import Instance, closing_text, opening_text
from certworker.clock import Clock, whole_second
from certworker.errors import AuditUnavailable, CertworkerError
from certworker.vault.audit.port import ChainHead
from certworker.vault.audit.record import AuditRecord
from certworker.vault.audit.trail import untraced

RETRY_AFTER: Final = timedelta(seconds=5)
_log = logging.getLogger(__name__)


class Lines(Protocol):
    """Where the lines of one chain go."""

    @property
    def is_torn(self) -> bool:
        """Whether half a line could not be taken back: what follows needs a chain of its own."""

    def write(self, lines: bytes, at: datetime) -> None:
        """Give whole lines away, all or none. Raises OSError."""

    def sync(self) -> None:
        """Bring what was written to where it stays. Raises OSError."""

    def try_out(self) -> None:
        """Find out whether lines could be written, and write none. Raises OSError."""

    def close(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Durability:
    """How soon records are on disk: with `each` before `append` comes back, else after a time; only so many ever wait."""

    each: bool
    group_seconds: float
    most_unsynced: int


@dataclass(frozen=True, slots=True)
class _Mark:
    """A record's sequence number and hash, which belong together: replaced whole, so that no thread sees half of it."""

    sequence: int = 0
    hash: bytes = NO_HASH


@dataclass(slots=True)
class _Chain:
    id: str
    signer: Signer
    lines: Lines
    opened: datetime
    written: _Mark = _Mark()
    synced: _Mark = _Mark()
    told: int = 0
    failed: bool = False
    turn: Lock = field(default_factory=Lock)
    """Whose turn it is to bring the chain to disk."""


class AuditLog:
    """An audit trail with a chain of its own, which begins with the first record."""

    def __init__(
        self,
        begin: Callable[[str, datetime], Lines],
        notary: Notary,
        instance: Instance,
        durability: Durability,
        clock: Clock,
    ) -> None:
        self._begin = begin
        self._notary = notary
        self._instance = instance
        self._durability = durability
        self._clock = clock
        self._chain: _Chain | None = None
        self._failed: list[_Chain] = []
        self._writing = Lock()
        self._unsynced = Event()
        self._closed = False
        self._syncer: Thread | None = None

    def append(self, record: AuditRecord) -> None:
        """Append a record. Raises AuditUnavailable, and then it is not there, or was not brought to disk."""
        self.append_texts((record.text(),))

    def append_texts(self, texts: Sequence[str], *, synced: bool = False) -> None:
        """Append records that are JSON already, one after the other; come back when they are on disk, where `synced`."""
        with self._writing:
            chain = self._chain or self._open()
            self._write(chain, texts)
            last = chain.written.sequence
        if synced or self._durability.each:
            self._sync_to(chain, last)
        elif last - chain.synced.sequence > self._durability.most_unsynced:
            self._sync_to(chain, last - self._durability.most_unsynced)
        elif chain.failed:
            raise _unavailable(None)
        elif not self._unsynced.is_set():
            self._unsynced.set()

    def open(self) -> None:
        """Begin the chain now, where it has not begun. Raises AuditUnavailable."""
        with self._writing:
            if self._chain is None:
                self._open()

    def try_out(self) -> None:
        """Find out whether a record could be appended, and append none. Raises AuditUnavailable."""
        with self._writing:
            chain = self._chain or self._open()
            try:
                chain.lines.try_out()
            except OSError as error:
                raise _unavailable(error) from error

    def sync(self) -> None:
        """Bring all that was appended before this to disk. Raises AuditUnavailable."""
        if chain := self._chain:
            self._sync_to(chain, chain.written.sequence)

    def put_head(self) -> None:
        """Sign how far the chain is on disk, and put that into the database, unless it was told already."""
        chain = self._chain
        if chain is None:
            return
        if chain.synced.sequence > chain.told:
            self._put_head(chain, chain.synced)

    def close(self) -> None:
        """End the chain in order: a signed last record, and a head that says so. What fails is logged."""
        self._closed = True
        self._unsynced.set()
        if self._syncer:
            self._syncer.join()
        with self._writing:
            chain, self._chain = self._chain, None
            if chain:
                self._end(chain)

    def _open(self) -> _Chain:
        """Begin a chain. Its head is in the database before its second record: a whole file that is missing is missed."""
        if self._closed:
            raise AuditUnavailable("The audit log of this process is closed.", RETRY_AFTER)
        self._let_go()
        try:
            with untraced():
                self._chain = self._opened(uuid4().hex, self._clock())
        except OSError as error:
            raise _unavailable(error) from error
        except CertworkerError as error:
            raise AuditUnavailable(f"The audit log cannot be opened: {error}", RETRY_AFTER) from error
        self._start()
        return self._chain

    def _opened(self, chain_id: str, at: datetime) -> _Chain:
        signer, known = self._notary.signer(), self._notary.newest_heads()
        chain = _Chain(chain_id, signer, self._begin(chain_id, at), at)
        text = opening_text(chain_id, self._instance, at, (signer.id, signer.public_key), known, signer.sign)
        try:
            self._write(chain, (text,))
            self._sync_to(chain, chain.written.sequence)
            self._put_head(chain, chain.synced)
        except CertworkerError:
            chain.lines.close()
            raise
        return chain

    def _let_go(self) -> None:
        """Close what could not be gone on with. Nobody writes to it any more, and whoever syncs it has the turn."""
        while self._failed:
            failed = self._failed.pop()
            with failed.turn:
                failed.lines.close()

    def _start(self) -> None:
        if self._syncer is None and not self._durability.each:
            self._syncer = Thread(target=self._sync_groups, name="audit-sync", daemon=True)
            self._syncer.start()

    def _write(self, chain: _Chain, texts: Sequence[str]) -> None:
        sequence, digest, sealed = chain.written.sequence, chain.written.hash, []
        for text in texts:
            sequence += 1
            line, digest = seal_line(digest, text, chain.id, sequence)
            sealed.append(line)
        try:
            chain.lines.write(b"".join(sealed), self._clock())
        except OSError as error:
            if chain.lines.is_torn:
                self._give_up(chain)
            _log.error("The audit log could not be written: %s.", error.strerror)
            raise _unavailable(error) from error
        chain.written = _Mark(sequence, digest)

    def _sync_to(self, chain: _Chain, sequence: int) -> None:
        """Wait until a record is on disk; whoever comes first brings all others with it."""
        with chain.turn:
            if chain.synced.sequence >= sequence:
                return
            if chain.failed:
                raise _unavailable(None)
            # before the sync: what is written meanwhile may not be on disk after it
            written = chain.written
            try:
                chain.lines.sync()
            except OSError as error:
                # what the disk did not take may be gone from memory as well: nothing more can be promised of this chain
                self._give_up(chain)
                _log.error("The audit log could not be brought to disk: %s. A new chain is begun.", error.strerror)
                raise _unavailable(error) from error
            chain.synced = written

    def _give_up(self, chain: _Chain) -> None:
        """Leave a chain that cannot be gone on with; the next record begins another."""
        chain.failed = True
        if self._chain is chain:
            self._chain = None
            self._failed.append(chain)

    def _sync_groups(self) -> None:
        pause = Event()
        while not self._closed:
            self._unsynced.wait()
            pause.wait(self._durability.group_seconds)
            self._unsynced.clear()
            try:
                self.sync()
            except AuditUnavailable:
                _log.error("Records of the last %s ms may not be on disk.", round(self._durability.group_seconds * 1000))

    def _put_head(self, chain: _Chain, mark: _Mark, *, closed: bool = False) -> None:
        at, opened = whole_second(self._clock()), whole_second(chain.opened)
        host, digest = self._instance.host, mark.hash.hex()
        head = ChainHead(chain.id, host, chain.signer.id, opened, at, mark.sequence, digest, b"", closed=closed)
        self._notary.put_head(chain.signer, head)
        chain.told = mark.sequence

    def _end(self, chain: _Chain) -> None:
        try:
            self._write(chain, (closing_text(chain.id, self._clock(), chain.written.hash, chain.signer.sign),))
            self._sync_to(chain, chain.written.sequence)
            self._put_head(chain, chain.synced, closed=True)
        except CertworkerError as error:
            _log.error("The audit log's chain %s could not be closed in order: %s", chain.id, error)
        finally:
            chain.lines.close()


def _unavailable(error: OSError | None) -> AuditUnavailable:
    why = f": {error.strerror}" if error and error.strerror else ""
    return AuditUnavailable(f"The audit log cannot be written{why}. Nothing is answered that is not recorded.", RETRY_AFTER)
