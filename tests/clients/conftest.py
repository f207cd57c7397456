"""A vault that serves over TLS in real time, with a worker at work, for programs that others wrote."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from certworker.clock import utc_now
from certworker.worker.rounds import Rounds
from tests.api.world import TestAuthority, World, make_authority, serve_world
from tests.support.clock import FakeClock

ROUND_SECONDS = 0.05


@dataclass(frozen=True)
class Served:
    """A deployment that is served, and the CA that its server is checked by."""

    world: World
    authority: TestAuthority


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a founded deployment whose clock shows today, since what others sign is valid from today."""
    folder = tmp_path_factory.mktemp("served")
    authority = make_authority(folder)
    with serve_world(folder, FakeClock(utc_now().replace(microsecond=0)), authority) as world, working(world):
        yield Served(world, authority)


@contextmanager
def working(world: World) -> Iterator[None]:
    """Let a worker do what is due, over and over, until the block ends."""
    stop, rounds = threading.Event(), Rounds(world.house, "test-worker")

    def work() -> None:
        while not stop.wait(ROUND_SECONDS):
            rounds.run_due(world.clock())

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder for what a client writes."""
    return tmp_path
