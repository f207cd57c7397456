"""What the tests of the rules and their runbooks stand on."""

from collections.abc import Iterator
from functools import cache

import pytest
from typer.main import get_command


@pytest.fixture(scope="module", autouse=True)
def built_once() -> Iterator[None]:
    """Build the tree of commands once, not for each command that a runbook advises: it is only read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.main.get_command", cache(get_command))
        yield
