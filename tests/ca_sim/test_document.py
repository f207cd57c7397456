"""docs/ca-sim.md tells of every request of management and of every fault, and tells the truth."""

import re
from pathlib import Path
from typing import Any

from ca_sim.faults.rules import FaultKind
from ca_sim.in_process import in_process
from ca_sim.planes import PlaneName
from ca_sim.settings import Settings
from tests.support.clock import FakeClock

DOCUMENT = (Path(__file__).parents[2] / "docs" / "ca-sim.md").read_text()


def served() -> set[str]:
    """List what management serves."""
    with in_process(Settings(), FakeClock()) as authority:
        app: Any = authority.house.planes[PlaneName.MANAGEMENT].app
        while not hasattr(app, "routes"):
            app = app._app
        return {f"{method} {route.path}" for route in app.routes for method in route.methods - {"HEAD"}}


def test_every_request_of_management_is_told() -> None:
    """Each has its row, and each row is served."""
    told = re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", DOCUMENT, re.MULTILINE)
    assert sorted(told) == sorted(served())


def test_every_fault_is_told() -> None:
    """Each kind has its row."""
    told = re.findall(r"^\| `([a-z-]+)` \|", DOCUMENT, re.MULTILINE)
    assert told == [kind.value for kind in FaultKind]
