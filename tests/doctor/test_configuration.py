"""The check of the settings, and of what they name."""

from pathlib import Path

import pytest

from certworker.doctor import Verdict
from certworker.doctor.configuration import look_at_named_files, read_configuration
from tests.doctor.patient import Patient, only, worst


def test_settings_that_can_be_read_are_fine(patient: Patient) -> None:
    """The file is named."""
    settings, found = read_configuration(patient.config, {})
    assert settings is not None
    assert only(found).verdict is Verdict.FINE
    assert str(patient.config) in only(found).text


def test_each_setting_that_is_wrong_is_a_line_of_its_own(patient: Patient) -> None:
    """Unknown ones, wrong values and what does not fit together."""
    patient.sections = "[worker]\nparallel = 0\nparalel = 2\n[mail]\nhost = 'relay.example'\n"
    settings, found = read_configuration(patient.config, {})
    assert settings is None
    assert {one.verdict for one in found} == {Verdict.WRONG}
    texts = sorted(one.text for one in found)
    assert texts[0] == "mail: host goes with sender, the address that mail comes from."
    assert texts[1].startswith("worker.paralel: there is no such setting")
    assert texts[2].startswith("worker.parallel: Input should be greater")
    assert all("certworker settings" in one.to_do for one in found)


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("[server", "is not TOML")])
def test_a_file_that_is_none(tmp_path: Path, content: str | None, said: str) -> None:
    """One that is missing, and one that is no TOML."""
    path = tmp_path / "c.toml"
    if content:
        path.write_text(content)
    settings, found = read_configuration(path, {})
    assert settings is None
    assert said in only(found).text


def test_no_settings_at_all_say_how_to_come_by_some() -> None:
    """Neither a file nor a home."""
    settings, found = read_configuration(None, {})
    assert settings is None
    assert "-c" in only(found).to_do


def test_the_environment_is_told_by_name_and_never_by_value(patient: Patient) -> None:
    """What goes before the file is named, and what nobody reads is warned of."""
    _, found = read_configuration(
        patient.config,
        {"CERTWORKER_LOG__LEVEL": "debug", "CERTWORKER_MAIL_PASSWORD": "hunter2", "CERTWORKER_HOME": "/x", "HOME": "/y"},
    )
    _, note, warning = found
    assert (note.verdict, warning.verdict) == (Verdict.NOTE, Verdict.WARNING)
    assert note.text.endswith(": CERTWORKER_LOG__LEVEL.")
    assert "CERTWORKER_MAIL__PASSWORD" in warning.to_do
    assert "hunter2" not in repr(found)


def test_bundles_programs_and_folders_that_are_named_are_looked_at(patient: Patient) -> None:
    """Each that is missing is told by its setting."""
    (patient.folder / "empty.pem").write_text("no certificate\n")
    patient.sections = """
[hook]
command = ["/nowhere/hook"]
[issuers.one]
ca_bundle = "empty.pem"
[issuers.two]
web_root = "nowhere"
[issuers.three]
ca_bundle = "nowhere.pem"
"""
    texts = [one.text for one in worst(look_at_named_files(patient.subject()))]
    assert [text.partition(":")[0] for text in texts] == [
        "issuers.one.ca_bundle",
        "issuers.three.ca_bundle",
        "hook.command",
        "issuers.two.web_root",
    ]


def test_what_is_named_and_there_is_fine(patient: Patient, bundle: Path) -> None:
    """A bundle that can be loaded, a program that can be run."""
    patient.sections = f'[hook]\ncommand = ["/bin/true"]\n[issuers.one]\nca_bundle = "{bundle}"\n'
    assert only(look_at_named_files(patient.subject())).verdict is Verdict.FINE
