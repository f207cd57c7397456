"""The port of what lies long behind: events that everybody has read, and operations that have ended, can be forgotten."""

from datetime import datetime
from typing import Protocol


class HistoryReader(Protocol):
    """What can be asked of what lies behind."""

    def has_events_before(self, before: datetime) -> bool:
        """Tell whether there are events from before a time, by a look at the first of them."""

    def end_of_operations(self, before: datetime, after: int, limit: int) -> int | None:
        """Give the number of the last of the operations that come after a number, some at the most.

        None where there are no more, or none of these was made before that time.
        """


class HistoryWriter(HistoryReader, Protocol):
    """What can be forgotten, inside one transaction."""

    def forget_events(self, before: datetime, limit: int) -> int:
        """Delete the first events that are from before a time and that every listener has read; give the count.

        The last one that was read stays, whatever its age: the numbers go on from it.
        """

    def forget_operations(self, before: datetime, first: int, last: int) -> int:
        """Delete operations that ended before a time, of those from a number to a number; give the count.

        What is still asked for stays: a certificate's last operation, and that of a version which is current, or has not been
        expired since that time.
        """
