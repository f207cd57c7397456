"""How many requests an account may make: windows that slide with the clock. A restart forgets what was counted."""

import math
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from ca_sim.digicert.errors import TOO_MANY, ApiError


class RequestLimits:
    """Counts the requests of each account in each of `windows`, which are (how many, seconds); 0 is any number."""

    def __init__(self, windows: Sequence[tuple[int, int]]) -> None:
        self._windows = tuple((count, timedelta(seconds=seconds)) for count, seconds in windows if count)
        self._longest = max((window for _, window in self._windows), default=timedelta())
        self._made: dict[str, deque[datetime]] = {}

    def count(self, account_id: str, at: datetime) -> None:
        """Count one request. Raises ApiError, which says when to come back; what is refused is not counted."""
        if not self._windows:
            return
        made = self._made.setdefault(account_id, deque())
        while made and (made[0] <= at - self._longest or made[0] > at):  # also where the clock was set back
            made.popleft()
        for count, window in self._windows:
            within = [when for when in made if when > at - window]
            if len(within) >= count:
                wait = within[-count] + window - at
                seconds = max(1, math.ceil(wait.total_seconds()))
                raise ApiError(TOO_MANY, "Request limit exceeded: slow down.", retry_after=seconds)
        made.append(at)
