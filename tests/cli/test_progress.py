"""Progress on a terminal, and silence everywhere else."""

import re
import sys

import pytest

from certworker.cli.progress import _FINE, _PLAIN, DELAY_SECONDS, Step, amount, bar, is_animated, working
from tests.cli.test_output import Screen


def step(done: float, total: float | None) -> Step:
    """Give a step that is so far."""
    found = Step("Reading", None, total)
    found.reach(done)
    return found


def test_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn is taken away again at the end, and one inside of another shows nothing."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with working("Reading [bold]it[/bold]\x1b[2J", total=4, delay_seconds=0) as outer:
        outer.reach(2)
        with working("Inside", delay_seconds=0) as inner:
            inner.reach(1)
            while "50%" not in screen.getvalue():
                pass
    with working("Afterwards", delay_seconds=0):
        while "Afterwards" not in screen.getvalue():
            pass
    said = screen.getvalue()
    assert re.search(r" 0:0\d", said)
    assert "Reading [bold]it[/bold] [2J" in said
    assert "2 of 4" in said
    assert "Inside" not in said
    assert said.rstrip("\r").endswith("\x1b[2K")


@pytest.mark.parametrize(("is_terminal", "term"), [(False, "xterm"), (True, "dumb"), (True, "")])
def test_elsewhere_nothing_is_shown(monkeypatch: pytest.MonkeyPatch, is_terminal: bool, term: str) -> None:  # noqa: FBT001
    """Neither in a pipe nor on a terminal that cannot draw anew."""
    screen = Screen()
    monkeypatch.setattr(screen, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", term)
    assert not is_animated(screen)
    with working("Reading", delay_seconds=0) as shown:
        shown.reach(1, 2)
    assert not screen.getvalue()


def test_what_is_quick_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that flashes up tells nobody anything; and an error goes through."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(ValueError, match="broken"), working("Reading"):
        raise ValueError("broken")
    assert not screen.getvalue()
    assert 0.3 < DELAY_SECONDS < 1


def test_amounts_are_told_in_their_unit() -> None:
    """A bar where the whole is known, and how much it is."""
    assert bar(step(1, 2), _FINE) == "████████████░░░░░░░░░░░░  50% "
    assert bar(step(9, 2), _PLAIN) == f"{'#' * 24} 100% "
    assert not bar(step(1, None), _FINE)
    assert amount(step(1500, 2000), is_bytes=False) == "1,500 of 2,000"
    assert amount(step(1_500_000, None), is_bytes=True) == "1.5 MB"
    assert amount(step(1_500_000, 3_000_000), is_bytes=True) == "1.5 of 3.0 MB"
    assert not amount(step(0, None), is_bytes=False)
