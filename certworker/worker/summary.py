"""The rounds of the summary: it catches up with what has changed, and is looked over once a day."""

from datetime import datetime, timedelta

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.vault.store import Reader
from certworker.vault.summary.keeping import Summary
from certworker.worker.round import Group, Round

CHECK_INTERVAL = timedelta(days=1)


def catching_up(house: House, _owner: str) -> Round:
    """Take what has changed into the counts of the fleet. A scrape does so as well; without one, this keeps the notes few."""
    summary = Summary(house.store)

    def next_due(reader: Reader) -> datetime | None:
        return whole_second(house.clock()) if reader.count_changes() else None

    return Round("summary", Group.UPKEEP, lambda _: summary.catch_up(), next_due)


def checking(house: House, _owner: str) -> Round:
    """Count anew what does not add up."""
    summary = Summary(house.store)
    return Round("summary-check", Group.UPKEEP, lambda _: int(not summary.check()), interval=CHECK_INTERVAL)
