"""`certworker doctor`: what it prints, for a person and for a program, and what it ends with."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from certworker.cli.doctor import draw
from certworker.cli.main import app
from tests.doctor.patient import Patient, new_patient


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """Give a deployment that is well."""
    return new_patient(tmp_path)


def test_one_that_is_well_is_a_line_for_each_check_and_a_summary(patient: Patient) -> None:
    """In a pipe: columns, and exit code 0."""
    said = CliRunner().invoke(app, ["doctor", "-c", str(patient.config)])
    assert said.exit_code == 0, said.output
    lines = said.stdout.splitlines()
    assert lines[-1].startswith("Nothing is wrong")
    assert any(line.startswith("fine") and "master key" in line for line in lines)
    assert "\x1b" not in said.stdout


def test_json_tells_all_of_it_and_the_exit_code_whether_something_is_wrong(patient: Patient) -> None:
    """A key that is open to others."""
    (patient.folder / "master.key").chmod(0o644)
    said = CliRunner().invoke(app, ["doctor", "-c", str(patient.config), "--json"])
    assert said.exit_code == 1
    told = json.loads(said.stdout)
    assert told["well"] is False
    assert told["counts"]["wrong"] == len([one for one in told["findings"] if one["verdict"] == "wrong"]) > 0
    (wrong,) = [one for one in told["findings"] if one["verdict"] == "wrong" and one["check"] == "files"]
    assert wrong["to_do"] == f"Run: chmod 600 {patient.folder / 'master.key'}"


def test_without_settings_the_home_of_dev_is_looked_for(patient: Patient) -> None:
    """One that is there, and none."""
    _ = patient.config
    there = CliRunner().invoke(app, ["doctor"], env={"CERTWORKER_HOME": str(patient.folder)})
    assert there.exit_code == 0, there.output
    none = CliRunner().invoke(app, ["doctor"], env={"CERTWORKER_HOME": str(patient.folder / "nowhere")})
    assert none.exit_code == 1
    assert "start `certworker dev`" in none.stdout


def test_on_a_terminal_it_is_drawn_with_what_to_do_below(patient: Patient) -> None:
    """In colours, each check named once."""
    (patient.folder / "master.key").chmod(0o644)
    page = StringIO()
    draw(patient.examined(), Console(file=page, force_terminal=True, color_system="standard", width=200, no_color=False))
    text = page.getvalue()
    assert "\x1b[" in text
    assert f"→ Run: chmod 600 {patient.folder / 'master.key'}" in text
    assert text.count("configuration") == 1
    plain = StringIO()
    draw(patient.examined(), Console(file=plain, width=200))
    assert "\x1b" not in plain.getvalue()
