"""Two years of a key that rotates by its policy; and workers that die at every write of it, on both databases."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from certworker.settings import HistorySettings
from certworker.vault.events import EventType
from certworker.vault.key_creation import WantedKey
from certworker.vault.key_settings import KeySettings
from certworker.vault.objects import KeyVersion
from certworker.vault.rotation_policy import RotationPolicy
from certworker.vault.store import Store
from tests.stories.test_crash import Killed, MortalStore
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment
from tests.support.postgresql import Server, database_name

pytestmark = pytest.mark.long

DAY: Final = timedelta(days=1)
POLICY: Final = RotationPolicy(rotate_before_expiry="P10D", notify_before_expiry="P30D", expiry_time="P90D")
MOST_WRITES: Final = 20
WHOLE_HISTORY: Final = MappingProxyType({"history": HistorySettings(keep_days=0)})
"""Two years are longer than events are kept."""

Copy = Callable[[], str]


@pytest.fixture(params=["sqlite", "postgresql"])
def copy(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Copy]:
    """Make databases, as many as are asked for, with a key in them that has a rotation policy and ends in 90 days."""
    server: Server | None = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    first, urls = server.create() if server else f"sqlite:///{tmp_path}/first.db", []
    with open_deployment(tmp_path, clock, first) as deployment:
        life, who = deployment.house.key_life, (deployment.administrator, deployment.vault)
        life.creation.create(*who, "k", WantedKey("EC"), KeySettings(expires=START + 90 * DAY, tags={"team": "web"}))
        life.rotations.set_policy(*who, "k", POLICY)

    def make() -> str:
        if server:
            urls.append(server.create(database_name(first)))
        else:
            urls.append(f"sqlite:///{shutil.copy(tmp_path / 'first.db', tmp_path / f'copy-{len(urls)}.db')}")
        return urls[-1]

    yield make
    if server:
        for url in (first, *urls):
            server.drop(url)


def versions(deployment: Deployment) -> list[KeyVersion]:
    """List the key's versions, the oldest first."""
    found = deployment.house.keys.versions(deployment.administrator, deployment.vault, "k", None, 25).items
    return sorted(found, key=lambda key: key.attributes.created)


def live(deployment: Deployment, clock: FakeClock, end: int) -> None:
    """Let the worker wake whenever something is due, until so many days have passed."""
    due = deployment.work()
    while due is not None and due <= START + end * DAY:
        clock.set(max(due, clock() + timedelta(seconds=1)))
        due = deployment.work()


def bury(url: str, folder: Path, clock: FakeClock) -> None:
    """End the leases of the worker that is dead, as the next one does that starts."""
    with open_deployment(folder, clock, url) as deployment, deployment.house.store.writing() as writer:
        for owner in writer.lease_owners():
            writer.release_leases(owner)


def live_until_killed(url: str, folder: Path, clock: FakeClock, end: int, n: int, *, committed: bool) -> bool:
    """Live until the n-th write; say whether it came to that."""

    def wrap(store: Store) -> Store:
        return MortalStore(store, n, committed=committed)

    try:
        with open_deployment(folder, clock, url, wrap=wrap, sections=WHOLE_HISTORY) as deployment:
            live(deployment, clock, end)
    except Killed:
        bury(url, folder, clock)
        return True
    return False


def check_rotations(deployment: Deployment, end: int) -> None:
    """Check that the versions follow each other in 80 days, and that each was told of once."""
    found = versions(deployment)
    days = [(key.attributes.created - START) // DAY for key in found]
    assert days == list(range(0, end + 1, 80))
    assert all(key.attributes.expires == key.attributes.created + 90 * DAY for key in found)
    assert all((key.kty, key.key_ops, key.tags) == ("EC", ("sign", "verify"), {"team": "web"}) for key in found)
    assert len({key.public_key for key in found}) == len(found)
    told = Counter((event.type, event.version) for event in deployment.events())
    near = [key.version for key in found if (key.attributes.created - START) // DAY + 60 <= end]
    assert told == Counter(
        [(EventType.KEY_NEW_VERSION, key.version) for key in found] + [(EventType.KEY_NEAR_EXPIRY, version) for version in near]
    )
    for key in found:
        private = deployment.house.materials.use(key)
        digest = b"d" * 32
        assert private.verify("ES256", digest, private.sign("ES256", digest))


def test_two_years_of_a_key(copy: Copy, tmp_path: Path, clock: FakeClock) -> None:
    """Ten versions, each told of once when it comes and once when it nears its end; a worker dies on the way."""
    url = copy()
    assert live_until_killed(url, tmp_path, clock, 730, 30, committed=False)
    assert START + 100 * DAY < clock() < START + 700 * DAY
    with open_deployment(tmp_path, clock, url, sections=WHOLE_HISTORY) as deployment:
        live(deployment, clock, 730)
        check_rotations(deployment, 730)


@pytest.mark.parametrize("committed", [False, True])
def test_a_worker_may_die_at_every_write(copy: Copy, tmp_path: Path, clock: FakeClock, *, committed: bool) -> None:
    """Before its commit or right after it: no version and no notice is lost, and none is there twice."""
    for n in range(1, MOST_WRITES):
        clock.set(START)
        url = copy()
        died = live_until_killed(url, tmp_path, clock, 100, n, committed=committed)
        with open_deployment(tmp_path, clock, url) as deployment:
            live(deployment, clock, 100)
            check_rotations(deployment, 100)
        if not died:
            break
    assert 4 < n < MOST_WRITES - 1
