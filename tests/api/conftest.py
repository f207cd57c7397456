"""What the tests of the API stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.world import Caller, TestAuthority, World, make_authority, open_world, serve_world
from tests.support.clock import FakeClock


@pytest.fixture
def world(tmp_path: Path, clock: FakeClock) -> Iterator[World]:
    """Give a founded deployment."""
    with open_world(tmp_path, clock) as world:
        yield world


@pytest.fixture
def call(world: World) -> Caller:
    """Call the app in this process, as the administrator."""
    return Caller(world)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """Give the CA that the tests' servers are checked by."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def served(tmp_path: Path, clock: FakeClock, authority: TestAuthority) -> Iterator[World]:
    """Give a founded deployment that is served over TLS."""
    with serve_world(tmp_path, clock, authority) as world:
        yield world
