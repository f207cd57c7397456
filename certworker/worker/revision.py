"""The round of revision: after a start every plan is looked at once."""

from certworker.bootstrap import House
from certworker.clock import whole_second
from certworker.vault.renewal.revision import Revision
from certworker.worker.round import Group, Round


def revision(house: House, _owner: str) -> Round:
    """Plan anew what would be planned otherwise by the settings and the rules of today."""
    walk = Revision(house.store, house.lifecycle.planner)
    return Round("revision", Group.UPKEEP, walk.go_on, lambda _reader: None if walk.is_done else whole_second(house.clock()))
