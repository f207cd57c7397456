"""What goes wrong again and again is said once a minute: a database that is down fails every round at every tick."""

import logging
from datetime import datetime, timedelta
from typing import Final

SILENCE: Final = timedelta(minutes=1)
MOST_TEXTS: Final = 100


class Troubles:
    """Tells errors, each text once in a while, with how often it came meanwhile."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told: dict[str, tuple[datetime, int]] = {}

    def tell(self, what: str, error: Exception, at: datetime) -> None:
        """Tell what went wrong, unless just this was told lately, of whatever round."""
        text = str(error)
        told_at, missed = self._told.get(text, (None, 0))
        # a clock that went back counts as a while, too
        if told_at is not None and timedelta(0) <= at - told_at < SILENCE:
            self._told[text] = told_at, missed + 1
            return
        if len(self._told) >= MOST_TEXTS:
            self._told.clear()
        self._told[text] = at, 0
        self._log.error("%s: %s%s", what, error, f" (so {missed} times more since it was said last)" if missed else "")
