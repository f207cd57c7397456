"""What cannot be undone is asked for again on a terminal."""

import os
import sys
from pathlib import Path

import pytest
import typer

from certworker.cli.objects import confirm


@pytest.mark.parametrize(("typed", "goes_on"), [(b"y\n", True), (b"n\n", False), (b"\n", False)])
def test_a_terminal_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    typed: bytes,
    goes_on: bool,  # noqa: FBT001
) -> None:
    """Only a yes goes on; the question is on standard error."""
    there, here = os.openpty()
    with os.fdopen(here) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(there, typed)
        if goes_on:
            confirm("Revoke it for good?", yes=False)
        else:
            with pytest.raises(typer.Abort):
                confirm("Revoke it for good?", yes=False)
    os.close(there)
    said = capfd.readouterr()
    assert "Revoke it for good?" in said.err


def test_a_yes_that_was_given_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked then, and nobody where there is no terminal."""
    there, here = os.openpty()
    with os.fdopen(here) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        confirm("Revoke it for good?", yes=True)
    os.close(there)
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        confirm("Revoke it for good?", yes=False)
