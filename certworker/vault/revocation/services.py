"""The services of revocation, put together."""

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from certworker.clock import Clock
from certworker.measures import Measures
from certworker.vault.access import Access
from certworker.vault.issuances import Issuances
from certworker.vault.renewal.planning import Planner
from certworker.vault.revocation.authorities import Authorities
from certworker.vault.revocation.checking import Checks
from certworker.vault.revocation.consequences import Consequences
from certworker.vault.revocation.lists import Lists
from certworker.vault.revocation.responders import Responders
from certworker.vault.revocation.sources import Fetcher
from certworker.vault.revocation.statuses import RevocationStatuses
from certworker.vault.revocation.watching import RevocationWatching
from certworker.vault.store import Store


@dataclass(frozen=True, slots=True)
class RevocationServices:
    """What finds revocations out, acts on them, and shows them."""

    lists: Lists
    watching: RevocationWatching
    statuses: RevocationStatuses


def revocation_services(
    store: Store,
    access: Access,
    planner: Planner,
    issuances: Issuances,
    fetcher: Fetcher,
    clock: Clock,
    random: Random,
    check_every: timedelta,
    measures: Measures,
) -> RevocationServices:
    """Put them together; `fetcher` is the way out."""
    lists = Lists(store, fetcher, random, check_every)
    checks = Checks(lists, Responders(store, fetcher), Authorities(store, fetcher))
    watching = RevocationWatching(store, checks, Consequences(planner), issuances, clock, random, check_every, measures)
    return RevocationServices(lists, watching, RevocationStatuses(store, access, watching))
