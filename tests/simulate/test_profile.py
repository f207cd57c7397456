"""The profile of a run."""

from pathlib import Path

import pytest

from certworker.errors import SettingsError
from certworker.simulate.profile import profiled


def test_a_profile_names_what_was_called(tmp_path: Path) -> None:
    """It is written twice, sorted by own and by cumulative time, even where the run fails."""
    path = tmp_path / "run.txt"
    with pytest.raises(ValueError, match="no number"), profiled(path):
        int("no number", base=min(10, 36))
    text = path.read_text()
    assert "Ordered by: internal time" in text
    assert "Ordered by: cumulative time" in text
    assert text.count("built-in method builtins.min}") == 2


def test_a_profile_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """It is found out before the run and not after it."""
    with pytest.raises(SettingsError, match="cannot be written: No such file"), profiled(tmp_path / "nowhere" / "run.txt"):
        pytest.fail("it ran")
