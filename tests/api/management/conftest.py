"""What the tests of the management plane stand on."""

import pytest

from tests.api.management.arm import Arm
from tests.api.world import Caller, World


@pytest.fixture
def arm(world: World, call: Caller) -> Arm:
    """Call the management plane in this process."""
    return Arm(world, call)
