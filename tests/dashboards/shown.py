"""The dashboards as they are read: their panels and queries, and what is put in where Grafana puts in its variables."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FILES = tuple(sorted((ROOT / "dashboards").glob("*.json")))
VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)[^}]*\}")
IN_LEGEND = re.compile(r"\{\{(\w+)\}\}")
LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+), (?P<label>\w+)\)")


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a panel, and the labels that the panel needs of what comes back."""

    panel: str
    expression: str
    labels: frozenset[str]


def read(file: Path) -> dict[str, Any]:
    """Read a dashboard."""
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def queries(file: Path) -> Iterator[Query]:
    """List the queries of all panels."""
    for panel in read(file)["panels"]:
        for target in panel.get("targets", ()):
            labels = {*IN_LEGEND.findall(target.get("legendFormat", "")), *_across(panel)}
            yield Query(panel["title"], target["expr"], frozenset(labels))


def _across(panel: Mapping[str, Any]) -> set[str]:
    """Name the labels that bars are drawn by."""
    return set(panel["options"]["xField"].split("\\")) if panel["type"] == "barchart" else set()


def filled(expression: str, values: Mapping[str, str]) -> str:
    """Put in values for the variables. Raises KeyError for one that there is none of."""
    return VARIABLE.sub(lambda found: values[found[1] or found[2]], expression)
