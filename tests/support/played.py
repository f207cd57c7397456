"""What a deployment tells while it is played, as a case for promtool: its series minute by minute, from 0 on."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path

import yaml  # type: ignore[import-untyped]

from tests.support.deployment import Deployment
from tests.support.promql import SCRAPED
from tests.support.rules import ALERTS
from tests.support.scraping import Labels, scrape

STEP = timedelta(minutes=1)
TARGET = (("instance", "127.0.0.1:9464"), ("job", "certworker"))


@dataclass
class Played:
    """A recording of scrapes. Promtool's time begins at 0: what is a time is told from the first scrape on."""

    begin: datetime
    scrapes: int = 0
    series: dict[tuple[str, Labels], list[str]] = field(default_factory=dict)
    expected: list[dict[str, object]] = field(default_factory=list)

    def take(self, deployment: Deployment) -> None:
        """Scrape as Prometheus does, with what it adds and renames."""
        found = {
            (name, as_scraped(labels)): value - self.begin.timestamp() * ("_timestamp_" in name)
            for name, told in scrape(deployment).items()
            for labels, value in told.items()
        }
        for key, values in self.series.items():
            if key not in found:
                values.append("stale" if values[-1] not in ("stale", "_") else "_")
        for key, value in found.items():
            self.series.setdefault(key, ["_"] * self.scrapes).append(f"{value:g}" if value.is_integer() else repr(value))
        self.scrapes += 1

    def minute(self, at: datetime) -> int:
        """Tell by which scrape a time is first known to be past."""
        return ceil((at - self.begin) / STEP)

    def series_of(self, name: str, **labels: str) -> list[str]:
        """Give what the one series of a metric with these labels was at each scrape."""
        wanted = set(labels.items())
        (found,) = (values for (told, had), values in self.series.items() if told == name and wanted <= set(had))
        return found

    def expect(self, expression: str, minute: int, found: Iterable[str]) -> None:
        """Expect that an expression has these series, each with the value 1, at a minute."""
        samples = [{"labels": one, "value": 1} for one in found]
        self.expected.append({"expr": expression, "eval_time": f"{minute}m", "exp_samples": samples})

    def write(self, path: Path) -> None:
        """Write the case."""
        lines = [
            {"series": f"{name}{{{written(labels)}}}", "values": " ".join(values)}
            for (name, labels), values in self.series.items()
        ]
        case = {"interval": "1m", "input_series": lines, "promql_expr_test": self.expected}
        told = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [case]}
        path.write_text(yaml.safe_dump(told, width=1_000_000), encoding="utf-8")


def as_scraped(labels: Labels) -> Labels:
    """Give the labels that Prometheus keeps: its own names go before those of the metric."""
    own = tuple((f"exported_{label}" if label in SCRAPED else label, value) for label, value in labels)
    return tuple(sorted((*own, *TARGET)))


def written(labels: Labels) -> str:
    """Write labels as an expression has them."""
    return ", ".join(f'{label}="{value}"' for label, value in labels)
