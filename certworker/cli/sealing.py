"""The seal of a service that runs: what was opened or closed is told to its processes, which are replaced."""

import logging
from collections.abc import Callable
from time import monotonic

from certworker.errors import CertworkerError
from certworker.seal.keeper import Keeper

AGAIN_SECONDS = 5.0
"""How long a service waits that was unsealed and could not open its house, because the database does not answer, say."""

_log = logging.getLogger(__name__)


class Sealing:
    """Follows the keeper. `prepare` opens the house once and makes it ready; it is called when the seal was opened."""

    def __init__(self, keeper: Keeper, prepare: Callable[[], None]) -> None:
        self._keeper = keeper
        self._prepare = prepare
        self._was_sealed = True
        self._again_at = 0.0
        self.is_sealed = True

    def has_changed(self) -> bool:
        """Look whether the seal was opened or closed since `settle`, and make ready for it."""
        self._keeper.tend()
        if self._keeper.is_sealed:
            self.is_sealed = True
        elif self._was_sealed and monotonic() >= self._again_at:
            self._open()
        return self.is_sealed != self._was_sealed

    def settle(self) -> None:
        """Note that the processes are those that belong to the seal as it is."""
        self._was_sealed = self.is_sealed
        _log.info("The service is %s.", "sealed" if self.is_sealed else "unsealed and serves")

    def put_off(self) -> None:
        """Note that the processes are still those of before."""
        self.is_sealed = self._was_sealed
        self._again_at = monotonic() + AGAIN_SECONDS

    def close(self) -> None:
        """Forget what was opened."""
        self._keeper.close()

    def _open(self) -> None:
        self._again_at = monotonic() + AGAIN_SECONDS
        try:
            self._prepare()
        except CertworkerError as error:
            _log.error("The seal is open, and the service cannot start: %s", error)
            return
        self.is_sealed = False
