"""What the metrics tell of revocation."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.metrics.fleet import OTHER
from certworker.metrics.issuers import MOST_PLACES
from certworker.vault.revocation.sources import Source, SourceKind
from certworker.vault.revocation.standing import Standing, Status, write_status
from certworker.vault.watches import Watch, WatchKind
from tests.support.clock import START, FakeClock
from tests.support.deployment import ISSUER, Deployment, open_deployment, policy_for
from tests.support.scraping import of, scrape

WEB = {"vault": "contoso", "name": "web", "issuer": ISSUER}


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set up a house with a certificate."""
    with open_deployment(tmp_path, clock) as opened:
        opened.create("web", policy_for("web.test"))
        opened.work()
        yield opened


@pytest.mark.parametrize(
    ("status", "revoked", "unknown"),
    [
        (Status(Standing.GOOD, START), 0, None),
        (Status(Standing.REVOKED, START), 1, None),
        (Status(Standing.UNKNOWN, START, looked_at=START), 0, START.timestamp()),
        (Status(Standing.UNKNOWN, START), 0, None),
        (Status(Standing.UNCHECKED, START), None, None),
    ],
    ids=["good", "revoked", "unknown", "not looked at", "unchecked"],
)
def test_a_certificate_tells_how_it_stands(
    deployment: Deployment, status: Status, revoked: float | None, unknown: float | None
) -> None:
    """What cannot be checked has no series; unknown has the time since when."""
    version = deployment.get("web").version.version
    with deployment.house.store.writing() as writer:
        writer.put_watch(Watch(WatchKind.REVOCATION, deployment.vault.id, "web", version, None, write_status(status)))
    found = scrape(deployment)
    assert found.get("certworker_certificate_revoked", {}).get(of(**WEB)) == revoked
    since = found.get("certworker_certificate_revocation_unknown_since_timestamp_seconds", {}).get(of(**WEB))
    assert since == unknown


def test_the_lists_of_an_issuer_are_told_together(deployment: Deployment) -> None:
    """By host and issuer: when the first runs out, the highest number, how many are stale; no URL and no serial."""
    root = deployment.authority.root
    one = Source(SourceKind.LIST, "http://ca.test:80/1", START, START, "a", root, b"x", number=7, next_update=START)
    with deployment.house.store.writing() as writer:
        writer.put_source(one)
        writer.put_source(replace(one, url="http://ca.test:80/2", number=9, next_update=START + timedelta(days=1), failures=3))
        writer.put_source(replace(one, url="http://ca.test:80/3", number=None, next_update=None))
    found, labels = scrape(deployment), of(host="ca.test:80", issuer="CN=Scripted root")
    assert found["certworker_crl_next_update_timestamp_seconds"] == {labels: START.timestamp()}
    assert found["certworker_crl_number"] == {labels: 9}
    assert found["certworker_crl_stale"] == {labels: 1}


def test_any_number_of_hosts_makes_few_series(deployment: Deployment) -> None:
    """Whoever imports certificates names the hosts; a list that is stale is told of all the same."""
    root = deployment.authority.root
    one = Source(SourceKind.LIST, "http://ca.test/1", START, START, "a", root, b"x", next_update=START)
    with deployment.house.store.writing() as writer:
        for number in range(MOST_PLACES + 20):
            writer.put_source(replace(one, url=f"http://h{number:03}.test/", failures=1))
    stale = scrape(deployment)["certworker_crl_stale"]
    assert len(stale) == MOST_PLACES + 1
    assert stale[of(host=OTHER, issuer=OTHER)] == 20
