"""The runbooks: each alert has its section, and what a section says to type exists."""

import re

import pytest
import typer
from typer.core import TyperGroup

from certworker.cli.main import app
from certworker.metrics.catalogue import catalogue
from tests.support.promql import problems
from tests.support.rules import RUNBOOKS, alerts, anchors

SERVED = "{{ $externalURL }}/user/"
CODE = re.findall(r"`([^`\n]+)`", RUNBOOKS.read_text(encoding="utf-8"))
ADVICE = re.sub(r"\{\{.*?\}\}", "NAME", " ".join(alert.annotations["summary"] for alert in alerts()))
COMMANDS = sorted({code for code in (*CODE, *re.findall(r"`([^`]+)`", ADVICE)) if code.startswith("certworker ")})
EXPRESSIONS = sorted({code for code in CODE if "certworker_" in code})


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    """An alert links to the section of its name, on the page that Prometheus serves from docs."""
    for alert in alerts():
        page, _, anchor = alert.annotations["runbook_url"].removeprefix(SERVED).partition("#")
        assert RUNBOOKS.parent / page == RUNBOOKS
        assert anchor == alert.name.lower()
    assert sorted(anchors(RUNBOOKS)) == sorted({alert.name.lower() for alert in alerts()})


def test_every_section_answers_the_same_questions() -> None:
    """What it means, how bad it is, where to look, what to do, and when it resolves; links go to sections that there are."""
    text = RUNBOOKS.read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:]:
        for part in ("**Means:**", "- Look", "do:", "**Resolves**"):
            assert part.lower() in section.lower(), section
    assert set(re.findall(r"\(#([^)]+)\)", text)) <= set(anchors(RUNBOOKS))


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_that_is_advised_exists(line: str) -> None:
    """Its verb is one of ours, and so is each option of it; what the alerts say to type is among them."""
    command, words = typer.main.get_command(app), line.split()[1:]
    while words and isinstance(command, TyperGroup):
        command = command.commands[words.pop(0)]
    assert not isinstance(command, TyperGroup), "a verb is missing"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known
    takes_arguments = any(parameter.param_type_name == "argument" for parameter in command.params)
    assert takes_arguments or not words or words[0].startswith("-")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_of_a_runbook_asks_for_what_there_is(expression: str) -> None:
    """Its metrics and labels are those of the catalogue."""
    assert problems(expression, catalogue()) == []
