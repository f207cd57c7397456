"""The samples that come along: settings, Prometheus, dashboards."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from certworker.cli.sample import sample_settings
from certworker.metrics import Metrics
from certworker.settings import Settings, load_settings
from tests.support.clock import FakeClock
from tests.support.deployment import open_deployment

ROOT = Path(__file__).parents[1]
DASHBOARDS = sorted((ROOT / "dashboards").glob("*.json"))


def test_the_settings_sample_is_what_the_command_prints() -> None:
    """`config/certworker.toml` is what `certworker settings` prints, and changes no default."""
    sample = ROOT / "config/certworker.toml"
    assert sample.read_text() == sample_settings()
    loaded, defaults = load_settings(sample, {}).model_dump(), Settings().model_dump()
    anchored = ("database_url", "seal", "audit")  # paths, which are relative to the file
    assert {name: loaded[name] for name in loaded if name not in anchored} == {
        name: defaults[name] for name in defaults if name not in anchored
    }


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_asks_for_metrics_that_there_are(path: Path, tmp_path: Path, clock: FakeClock) -> None:
    """Every panel has an expression, and each names metrics that a scrape has."""
    with open_deployment(tmp_path, clock) as deployment:
        text = Metrics(deployment.house.store, deployment.house.clock, 1000).text()[0].decode()
    known = {sample for family in text_string_to_metric_families(text) for sample in (family.name, family.name + "_total")}
    for panel in json.loads(path.read_text())["panels"]:
        expressions = [target["expr"] for target in panel["targets"]]
        assert expressions, panel["title"]
        for expression in expressions:
            asked = set(re.findall(r"certworker_\w+", expression))
            assert asked, expression
            assert asked <= known, expression
