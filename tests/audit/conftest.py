"""What the tests of the audit log stand on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit.ledger import Ledger
from tests.support.clock import FakeClock
from tests.support.deployment import open_deployment


@pytest.fixture
def ledger(tmp_path: Path, clock: FakeClock) -> Iterator[Ledger]:
    """Give a deployment with an empty log."""
    with open_deployment(tmp_path, clock) as deployment:
        yield Ledger(deployment, tmp_path / "audit")
