"""Readiness: whether what a request needs works, found out by doing the least of it.

Whoever asks, and however often, it is tried at most every few seconds, by a thread that may hang: a disk can.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event, Lock, Thread
from time import monotonic
from types import MappingProxyType
from typing import Final

from certworker.errors import CertworkerError
from certworker.vault.audit.trail import AuditTrail
from certworker.vault.store import Store

KEPT_SECONDS: Final = 3.0
"""For so long holds what was found out."""
PATIENCE_SECONDS: Final = 2.0
"""What has not worked after so long does not work."""

_log = logging.getLogger(__name__)


class Part(StrEnum):
    """What a request needs to be answered."""

    DATABASE = "database"
    AUDIT_LOG = "audit_log"


@dataclass(slots=True)
class _Trial:
    """One trial of all parts. `why` says, once it is known, what is wrong with a part; empty where nothing is."""

    begun: float
    why: dict[Part, str] = field(default_factory=dict)
    done: Event = field(default_factory=Event)


class Readiness:
    """Tries the parts. Each of them raises a CertworkerError where it does not work."""

    def __init__(self, parts: Mapping[Part, Callable[[], None]], now: Callable[[], float] = monotonic) -> None:
        self._parts = MappingProxyType(dict(parts))
        self._now = now
        self._lock = Lock()
        self._trial: _Trial | None = None
        self._failing: frozenset[Part] = frozenset()

    def standing(self) -> Mapping[Part, bool]:
        """Tell which parts work, after a trial that may take some seconds; what has hung until then does not."""
        trial = self._current()
        trial.done.wait(max(0.0, trial.begun + PATIENCE_SECONDS - self._now()))
        standing = {part: trial.why.get(part) == "" for part in self._parts}
        self._tell(trial, frozenset(part for part, works in standing.items() if not works))
        return standing

    def _current(self) -> _Trial:
        """Give the trial that counts now, or begin one. One that hangs counts until it is done: no other would get further."""
        with self._lock:
            trial = self._trial
            if trial is None or (trial.done.is_set() and self._now() - trial.begun > KEPT_SECONDS):
                trial = self._trial = _Trial(self._now())
                for part in self._parts:
                    Thread(target=self._try_out, args=(part, trial), name=f"readiness-{part}", daemon=True).start()
        return trial

    def _try_out(self, part: Part, trial: _Trial) -> None:
        why = ""
        try:
            self._parts[part]()
        except CertworkerError as error:
            why = str(error) or error.code
        except Exception as error:  # noqa: BLE001  # whatever it is, a request would meet it as well
            why = type(error).__name__
        with self._lock:
            trial.why[part] = why
            if len(trial.why) == len(self._parts):
                trial.done.set()

    def _tell(self, trial: _Trial, failing: frozenset[Part]) -> None:
        """Say in the log what has changed, with the reason that the answer does not give."""
        with self._lock:
            before, self._failing = self._failing, failing
        for part in sorted(failing - before):
            _log.error("Not ready, for %s: %s", word_of(part), trial.why.get(part) or "it does not answer in time.")
        if before and not failing:
            _log.info("Ready again.")


def parts_of(store: Store, trail: AuditTrail) -> Mapping[Part, Callable[[], None]]:
    """Say how the parts are tried: by a write to each that leaves nothing."""

    def write() -> None:
        with store.writing() as writer:
            writer.try_out()

    return {Part.DATABASE: write, Part.AUDIT_LOG: trail.try_out}


def word_of(part: Part) -> str:
    """Name a part in plain words."""
    return part.value.replace("_", " ")
