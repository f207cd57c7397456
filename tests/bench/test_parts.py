"""The parts of the benchmark that need no other service still run: nobody looks at them between two measurements."""

import json
from pathlib import Path

import pytest

from tests.bench import __main__ as bench


def test_the_parts_in_process_give_a_ratio_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One short turn of each; the result is in a file."""
    for name, value in (("TURNS", 1), ("TURN_SECONDS", 0.01), ("LARGE", 30), ("RESULT", tmp_path / "bench.json")):
        monkeypatch.setattr(bench, name, value)
    assert bench.main(["issuance", "decisions", "scrapes"]) == 0
    found = json.loads((tmp_path / "bench.json").read_text())
    assert [one["name"].split()[0] for one in found] == ["self-signed", "certificate", "decision", "scrape"]
    assert all(one["ratio"] > 0 for one in found)


def test_a_part_that_there_is_not_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are."""
    with pytest.raises(SystemExit):
        bench.main(["scrape"])
    assert "there is no part 'scrape'; there are requests, issuance, decisions, scrapes" in capsys.readouterr().err
