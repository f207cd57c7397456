"""What the tests of the commands stand on."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from tests.api.world import TestAuthority, World, make_authority, serve_world
from tests.cli.terminal import Terminal
from tests.support.clock import FakeClock


@pytest.fixture(scope="session", autouse=True)
def built_once() -> Iterator[None]:
    """Build the tree of commands once, as a process does: it takes longer than most commands, and holds nothing of a call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """Give the CA that the tests' server is checked by."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def served(tmp_path: Path, clock: FakeClock, authority: TestAuthority) -> Iterator[World]:
    """Give a founded deployment that is served over TLS."""
    with serve_world(tmp_path, clock, authority) as world:
        yield world


@pytest.fixture
def terminal(served: World, authority: TestAuthority, tmp_path: Path) -> Terminal:
    """Give a command line with a configuration of its own."""
    return Terminal(served, authority, tmp_path)
