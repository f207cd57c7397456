"""The keeper: what a process does for its chain at short intervals, in a thread of its own."""

import logging
from threading import Event, Thread
from typing import Final

from certworker.audit.draining import Drain
from certworker.audit.log import AuditLog
from certworker.errors import CertworkerError

LOOK_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


class Keeper:
    """Puts signed heads into the database; and drains records that a worker should have drained, where none is at it."""

    def __init__(self, log: AuditLog, drain: Drain, head_seconds: float) -> None:
        self._log = log
        self._drain = drain
        self._looks = max(1, round(head_seconds / LOOK_SECONDS))
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="audit-keeper", daemon=True)
        self._seen: int | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what is under way."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        look = 0
        while not self._stopping.wait(LOOK_SECONDS):
            look += 1
            try:
                self._take_over()
                if look % self._looks == 0:
                    self._log.put_head()
            except CertworkerError as error:
                _log.warning("The audit log could not be looked after: %s", error)
            except Exception:  # noqa: BLE001  # the next look may go well, and without this thread there would be none
                _log.exception("The audit log could not be looked after.")

    def _take_over(self) -> None:
        """Drain what was there at the last look already: whoever should have drained it is not there."""
        oldest = self._drain.oldest()
        if oldest is not None and oldest == self._seen:
            self._drain.run()
        self._seen = oldest
