"""The round of failover: what is stuck at an issuer goes to the next one."""

from datetime import timedelta

from certworker.bootstrap import House
from certworker.worker.round import Group, Round

FAILOVER_INTERVAL = timedelta(minutes=1)


def failover(house: House, _owner: str) -> Round:
    """Send renewals and orders that are stuck to issuers that stand in."""
    return Round("failover", Group.ISSUANCE, house.failover.run, interval=FAILOVER_INTERVAL)
