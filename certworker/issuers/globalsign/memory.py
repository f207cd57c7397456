"""What one process remembers, in bounds: tokens and policies of accounts, keys of certificates, what it is about to ask for."""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)
Value = TypeVar("Value")


class Memory(Generic[Name, Value]):
    """Values by name, the last `most` of them, each for `lifetime` if there is one. Its `repr` shows none. For any thread."""

    def __init__(self, most: int, lifetime: timedelta | None = None) -> None:
        self._most = most
        self._lifetime = lifetime
        self._kept: OrderedDict[Name, tuple[datetime, Value]] = OrderedDict()
        self._lock = Lock()

    def keep(self, name: Name, value: Value, at: datetime) -> None:
        """Remember a value since `at`."""
        with self._lock:
            self._kept[name] = at, value
            self._kept.move_to_end(name)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def find(self, name: Name, at: datetime) -> Value | None:
        """Give what is remembered, and not too old. A clock that was put back ages everything."""
        with self._lock:
            since, value = self._kept.get(name, (at, None))
            if value is None or (self._lifetime is not None and not since <= at < since + self._lifetime):
                return None
            return value

    def take(self, name: Name) -> Value | None:
        """Give what is remembered, and forget it: of two that ask, one has it."""
        with self._lock:
            _, value = self._kept.pop(name, (None, None))
            return value
