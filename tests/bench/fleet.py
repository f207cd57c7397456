"""A fleet of any size in a database of its own, whose metrics are scraped."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random

from certworker.clock import utc_now
from certworker.metrics import Metrics
from certworker.store.engine import open_store
from certworker.store.migrate import migrate
from certworker.vault.objects import ObjectKind
from certworker.vault.operations import OperationReason, Renewal
from certworker.vault.store import Writer
from certworker.vault.summary.keeping import Summary
from tests.support.records import (
    VAULT_ID,
    a_certificate,
    a_certificate_version,
    a_head,
    a_policy,
    a_vault,
    some_attributes,
)

SERIES = 1000
_BATCH = 1000
_ISSUERS = 4
_FAILING = 0.02


@contextmanager
def scraped_fleet(folder: Path, size: int) -> Iterator[Metrics]:
    """Fill a database with certificates of a few issuers that expire within 90 days, some of which fail to renew."""
    folder.mkdir()
    url, random = f"sqlite:///{folder / 'fleet.db'}", Random(size)
    migrate(url)
    store = open_store(url, utc_now, durable=False)
    try:
        with store.writing() as writer:
            writer.add_vault(a_vault())
        for begin in range(0, size, _BATCH):
            with store.writing() as writer:
                for number in range(begin, min(begin + _BATCH, size)):
                    _add(writer, number, random)
        summary = Summary(store)
        while summary.catch_up():
            pass
        yield Metrics(store, utc_now, SERIES, _ISSUERS)
    finally:
        store.close()


def _add(writer: Writer, number: int, random: Random) -> None:
    name, policy = f"web-{number}", a_policy(f"ca-{number % _ISSUERS}")
    end = utc_now() + timedelta(seconds=random.randrange(90 * 86400))
    renewal = Renewal(end - timedelta(days=30), OperationReason.DEFAULT, 0.5, failures=int(random.random() < _FAILING))
    attributes = some_attributes(not_before=end - timedelta(days=90), expires=end)
    writer.put_head(a_head(ObjectKind.CERTIFICATE, name, vault_id=VAULT_ID))
    writer.put_certificate(a_certificate(name, renewal=renewal, policy=policy))
    writer.add_certificate_version(a_certificate_version(name, attributes=attributes))
