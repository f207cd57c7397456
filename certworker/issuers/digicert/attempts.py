"""Which orders this process was about to place, and has not begun to: only of those it is known that none is out."""

import threading
from datetime import datetime, timedelta

FRESH = timedelta(minutes=1)
MOST = 1000


class Attempts:
    """Attempts by operation and number, for a moment each. Safe for threads; another process knows nothing of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._announced: dict[tuple[str, int], datetime] = {}

    def announce(self, operation_id: str, number: int, at: datetime) -> None:
        """Note that an order will be placed once that is recorded."""
        with self._lock:
            self._announced[operation_id, number] = at
            while len(self._announced) > MOST:
                del self._announced[next(iter(self._announced))]

    def take(self, operation_id: str, number: int, at: datetime) -> bool:
        """Tell whether an order was announced here a moment ago; the first who asks is the only one who may place it."""
        with self._lock:
            announced = self._announced.pop((operation_id, number), None)
            return announced is not None and announced <= at <= announced + FRESH
