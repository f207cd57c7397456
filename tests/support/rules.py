"""The samples for Prometheus, read as its programs read them: alert rules, and the cases in which they are tried."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLES: Final = ROOT / "config" / "prometheus"
ALERTS: Final = SAMPLES / "alerts.yml"
CASES: Final = tuple(sorted((ROOT / "tests" / "prometheus" / "rules").glob("*.yml")))
RUNBOOKS: Final = ROOT / "docs" / "runbooks.md"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert rule."""

    name: str
    severity: str
    expression: str
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """What is expected of one alert at one time: the severities at which it fires, none where it is silent."""

    alert: str
    severities: frozenset[str]

    def is_silent(self, alert: str, severity: str) -> bool:
        """Whether it expects that an alert does not fire at a severity."""
        return alert == self.alert and severity not in self.severities


def alerts() -> tuple[Alert, ...]:
    """Read every alert rule."""
    rules = [rule for group in read_yaml(ALERTS)["groups"] for rule in group["rules"]]
    return tuple(Alert(rule["alert"], rule["labels"]["severity"], rule["expr"], rule["annotations"]) for rule in rules)


def cases() -> Iterator[Case]:
    """Read every case of every file."""
    for file in CASES:
        for test in read_yaml(file)["tests"]:
            for case in test.get("alert_rule_test", ()):
                found = case.get("exp_alerts") or ()
                yield Case(case["alertname"], frozenset(fires["exp_labels"]["severity"] for fires in found))


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - what a file holds, its reader knows
    """Read a file of YAML."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def anchors(page: Path) -> list[str]:
    """List the anchors of the sections of a page, as they are made from headings of the second level."""
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings]


def run_tool(*arguments: str | Path) -> str:
    """Run promtool or amtool; give what it says. Fails with that where it finds something wrong."""
    ended = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, check=False, timeout=100)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
