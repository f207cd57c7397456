"""What is told of notices: how far they have come, and by which channel they do not arrive."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from prometheus_client.metrics_core import Metric as Family

from certworker.metrics import catalogue
from certworker.metrics.families import told
from certworker.metrics.fleet import OTHER
from certworker.vault.notification.audience import WEBHOOK, Place
from certworker.vault.notification.ledger import NoticeStatus

MOST_WEBHOOKS: Final = 100
"""So many are told apart, those that are set up first: the ledger knows of those of former times as well."""


def notice_families(
    counts: Mapping[tuple[str, NoticeStatus], int],
    undelivered: Mapping[tuple[str, str, NoticeStatus], int],
    configured: Collection[Place],
) -> Iterable[Family]:
    """Tell the entries of the ledger, and those that have failed by the webhook that they are for."""
    yield told(catalogue.NOTICES, {(channel, status.value): count for (channel, status), count in sorted(counts.items())})
    former = {(channel, webhook) for channel, webhook, _ in undelivered}
    former |= {(channel, "") for channel, _ in counts if channel != WEBHOOK}
    every = sorted(former.union(configured), key=lambda place: (bool(place[1]), place not in configured, place))
    places = {place: place if number < MOST_WEBHOOKS else (WEBHOOK, OTHER) for number, place in enumerate(every)}
    for metric, status in (
        (catalogue.NOTICES_RETRYING, NoticeStatus.RETRYING),
        (catalogue.NOTICES_DEAD, NoticeStatus.DEAD),
    ):
        numbers: Counter[tuple[str, ...]] = Counter(dict.fromkeys(places.values(), 0))
        for (channel, webhook), place in places.items():
            numbers[place] += undelivered.get((channel, webhook, status), 0)
        yield told(metric, numbers)
    # one that is set up is enough for those that are told together: their alert is not to be silent for it
    kept = {places[place] for place in configured}
    yield told(catalogue.CHANNEL_CONFIGURED, {place: float(place in kept) for place in places.values()})
