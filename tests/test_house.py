"""The rules of the house, read from the source of the whole tree; and each rule is shown to be able to fail."""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

from tests.support import house
from tests.support.source import Finding, Source, python_files, texts

ROOT = Path(__file__).resolve().parent.parent


@cache
def product() -> list[Source]:
    """Read the source of the two products."""
    return python_files(ROOT, "certworker", "ca_sim")


def assert_no_findings(findings: Iterable[Finding]) -> None:
    """Fail with one line for each thing that is wrong."""
    lines = [str(finding) for finding in findings]
    assert not lines, "\n" + "\n".join(lines)


@pytest.mark.parametrize(
    "rule", [house.check_stair, house.check_libraries, house.check_state, house.check_size, house.check_exceptions]
)
def test_the_source_keeps_the_rule(rule: Callable[[Source], list[Finding]]) -> None:
    """Stair, libraries, state, sizes and exceptions are as the house wants them in certworker and ca_sim."""
    assert_no_findings(finding for source in product() for finding in rule(source))


def test_there_is_a_source_to_read() -> None:
    """Both products are found, so that no rule passes for want of files."""
    assert {"certworker", "ca_sim"} <= {source.module for source in product()}


def test_no_module_imports_itself_by_way_of_others() -> None:
    """There is no import cycle in either product."""
    assert_no_findings(house.find_cycles(product()))


def test_only_the_rooms_of_the_layout_stand_on_the_top_level() -> None:
    """A new room is a decision, not an accident."""
    names = [entry.name for entry in sorted((ROOT / "certworker").iterdir()) if entry.name != "__pycache__"]
    assert_no_findings(house.check_layout(names))


def test_no_file_has_a_vague_name() -> None:
    """Every module and folder is named after what it holds."""
    sources = [*product(), *python_files(ROOT, "tests")]
    assert_no_findings(finding for source in sources for finding in house.check_name(source.path))


def test_every_test_says_what_it_shows() -> None:
    """Every test function has a docstring of one line."""
    assert_no_findings(found for source in python_files(ROOT, "tests") for found in house.check_docstrings(source))


def test_nothing_is_left_unfinished() -> None:
    """No file of text holds a mark of unfinished work."""
    assert_no_findings(finding for path, text in texts(ROOT) for finding in house.check_finished(path, text))
