"""The round that lets what is counted of issuers begin at 0, as soon as there are any."""

from datetime import datetime, timedelta

from certworker.bootstrap import House
from certworker.measures import Measure
from certworker.worker.round import Group, Round

LOOK_INTERVAL = timedelta(minutes=1)


def issuers(house: House, _owner: str) -> Round:
    """Let the series of issuers begin: PromQL sees no increase in one that begins with its first event."""
    measures = house.measures

    def begin(_: datetime) -> int:
        with house.store.reading() as reader:
            names = {issuer for _, issuer in reader.issuer_names()}
        for name in sorted(names):
            measures.count(Measure.CA_RATE_LIMITED, name, by=0)
            measures.count(Measure.ARI_FETCHES, name, "failed", by=0)
            measures.count(Measure.DEFERRALS, name, "back_off", by=0)
            measures.count(Measure.ISSUANCE_FAILURES, name, "unexpected", by=0)
        return 0

    return Round("issuer-series", Group.UPKEEP, begin, interval=LOOK_INTERVAL)
