"""The rounds of resilience: what is stuck at an issuer goes to the next one, and what is over is forgotten."""

from datetime import datetime, timedelta

from certworker.bootstrap import House
from certworker.worker.round import Group, Round

FAILOVER_INTERVAL = timedelta(minutes=1)
FORGETTING_INTERVAL = timedelta(hours=1)


def budgets(house: House, _owner: str) -> Round:
    """Forget what is remembered of budgets that are full again, and of failures of a year ago."""

    def forget(at: datetime) -> int:
        with house.store.writing() as writer:
            return writer.forget_spent(at)

    return Round("budgets", Group.UPKEEP, forget, interval=FORGETTING_INTERVAL)


def failover(house: House, _owner: str) -> Round:
    """Send renewals and orders that are stuck to issuers that stand in."""
    return Round("failover", Group.ISSUANCE, house.failover.run, interval=FAILOVER_INTERVAL)
