"""Providers of others, found by entry point."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.issuers.local import LocalProvider
from certworker.issuers.registry import load_providers
from tests.issuers.memory import MemoryAccounts

PLUG_IN = """
class Paper:
    def step(self, request, progress, at):
        raise AssertionError("not asked")

def broken():
    raise RuntimeError("out of paper")

def stepless():
    return object()
"""
ENTRIES = """
[certworker.providers]
Paper = paper_provider:Paper
Broken = paper_provider:broken
Stepless = paper_provider:stepless
Missing = no_such_module:Provider
LOCAL = paper_provider:Paper
"""


@pytest.fixture
def plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution that has good and bad providers."""
    info = tmp_path / "paper_provider-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paper-provider\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "paper_provider.py").write_text(PLUG_IN)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("plug_ins")
def test_a_plug_in_is_found_and_a_broken_one_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """Names are in lower case, the house's own are not replaced, and what does not load is logged."""
    local = LocalProvider(MemoryAccounts(), timedelta(days=1))
    with caplog.at_level(logging.ERROR):
        providers = load_providers({"Local": local})
    assert set(providers) == {"local", "paper"}
    assert providers["local"] is local
    told = " ".join(record.getMessage() for record in caplog.records)
    assert all(name in told for name in ("Broken", "Stepless", "Missing", "LOCAL"))


def test_without_plug_ins_there_are_those_of_the_house() -> None:
    """Nothing else is made up."""
    assert set(load_providers({"Local": LocalProvider(MemoryAccounts(), timedelta(days=1))})) == {"local"}
