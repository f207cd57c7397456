"""A deployment for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clock import FakeClock
from tests.support.deployment import Deployment, open_deployment


@pytest.fixture
def deployment(tmp_path: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Set up a house with a vault, its administrator, an issuer and a worker."""
    with open_deployment(tmp_path, clock) as opened:
        yield opened
