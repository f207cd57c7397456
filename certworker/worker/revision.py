"""The round of revision: after a start every plan is looked at once."""

from datetime import datetime

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.vault.renewal.revision import Revision
from certworker.vault.store import Reader
from certworker.worker.round import Group, Round


def revision(house: House, _owner: str) -> Round:
    """Plan anew what would be planned otherwise by the settings and the rules of today."""
    walk = Revision(house.store, house.lifecycle.planner)

    def next_due(reader: Reader) -> datetime | None:
        at = whole_second(house.clock())
        return at if walk.is_due(reader, at) else None

    return Round("revision", Group.UPKEEP, walk.go_on, next_due)
