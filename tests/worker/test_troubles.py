"""Errors that come at every tick."""

import logging
from datetime import timedelta

import pytest

from certworker.errors import Unavailable
from certworker.worker.troubles import Troubles
from tests.support.clock import START


def test_what_comes_at_every_tick_is_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """With how often it came meanwhile; something else is said at once."""
    troubles, down = Troubles(logging.getLogger("certworker.test")), Unavailable("The database does not answer.")
    with caplog.at_level(logging.ERROR):
        for second in range(61):
            for name in ("renewals", "operations"):
                troubles.tell(f"The round {name} failed", down, START + timedelta(seconds=second))
        troubles.tell("The round advice failed", Unavailable("The disk is full."), START + timedelta(seconds=30))
        troubles.tell("The round advice failed", down, START)  # the clock went back
    assert caplog.messages == [
        "The round renewals failed: The database does not answer.",
        "The round renewals failed: The database does not answer. (so 119 times more since it was said last)",
        "The round advice failed: The disk is full.",
        "The round advice failed: The database does not answer. (so 1 times more since it was said last)",
    ]
