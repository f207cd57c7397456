"""The port of what lies long behind: events that everybody has read, and operations that have ended, can be forgotten."""

from datetime import datetime
from typing import Protocol


class HistoryReader(Protocol):
    """What can be asked of what lies behind."""

    def end_of_events(self, before: datetime, at: datetime, after: int, limit: int) -> int | None:
        """Give the number of the last of the next events after a number, some at the most, that all listeners have read.

        None where there are no more, or all of these are from between `before` and `at`, which is now. The last one that was
        read is not among them, whatever its age: the numbers go on from it.
        """

    def end_of_operations(self, before: datetime, at: datetime, after: int, limit: int) -> int | None:
        """Give the number of the last of the operations that come after a number, some at the most; none as for events."""


class HistoryWriter(HistoryReader, Protocol):
    """What can be forgotten, inside one transaction."""

    def forget_events(self, before: datetime, first: int, last: int) -> int:
        """Delete events that are from before a time, of those from a number to a number; give the count."""

    def forget_operations(self, before: datetime, first: int, last: int) -> int:
        """Delete operations that ended before a time, of those from a number to a number; give the count.

        What is still asked for stays: a certificate's last operation, and that of a version which is current, or has not been
        expired since that time.
        """
