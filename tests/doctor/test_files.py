"""The check of modes and owners."""

import pytest

from certworker.doctor import Verdict
from certworker.doctor.files import look_at_files
from tests.doctor.patient import Patient, only


def test_what_is_closed_to_others_is_fine(patient: Patient) -> None:
    """One line for all of it."""
    assert only(look_at_files(patient.subject())).verdict is Verdict.FINE


@pytest.mark.parametrize(
    ("name", "mode", "command"),
    [
        ("master.key", 0o640, "chmod 600"),
        ("certworker.db", 0o604, "chmod 600"),
        ("certworker.toml", 0o620, "chmod go-w"),
        ("administrator.json", 0o644, "chmod 600"),
        ("audit", 0o750, "chmod 700"),
        ("audit/x.jsonl", 0o640, "chmod 600"),
        (".", 0o770, "chmod go-w"),
    ],
)
def test_what_is_open_to_others_is_told_with_the_command(patient: Patient, name: str, mode: int, command: str) -> None:
    """Keys, database, settings, the audit log, and the folder that another file could be put into."""
    path = patient.folder / name
    if name.startswith("audit"):
        (patient.folder / "audit").mkdir(mode=0o700)
    if not path.exists() and not path.is_dir():
        path.touch(mode=0o600)
    config = patient.config
    path.chmod(mode)
    found = only(look_at_files(patient.subject()))
    assert found.verdict is Verdict.WRONG
    assert found.to_do == f"Run: {command} {path}"
    assert f"{mode:04o}" in found.text
    assert config.exists()


def test_what_others_put_into_a_sticky_folder_takes_nobodys_place(patient: Patient) -> None:
    """As it is with /tmp: each removes and renames what is theirs."""
    patient.folder.chmod(0o1777)
    assert only(look_at_files(patient.subject())).verdict is Verdict.FINE


def test_settings_with_a_password_are_for_their_owner(patient: Patient) -> None:
    """The password is not shown."""
    patient.database_url = "postgresql://bob:hunter2@127.0.0.1:1/db"
    subject = patient.subject()
    patient.config.chmod(0o644)
    found = only(look_at_files(subject))
    assert (found.verdict, found.to_do) == (Verdict.WRONG, f"Run: chmod 600 {patient.config}")
    assert "hunter2" not in repr(found)


def test_what_is_no_file_gets_no_command_that_closes_it(patient: Patient) -> None:
    """A folder in the place of the database: of the mode of a file, nobody could look into it."""
    (patient.folder / "certworker.db").unlink()
    (patient.folder / "certworker.db").mkdir(mode=0o755)
    found = only(look_at_files(patient.subject()))
    assert found.text == f"The database: {patient.folder / 'certworker.db'} is no ordinary file."
    assert "chmod" not in found.to_do


def test_a_secret_that_a_setting_names_is_there(patient: Patient) -> None:
    """Else what is missing is told by the setting."""
    patient.sections = "[webhooks.chat]\nurl = 'https://hooks.example'\nsecret_file = 'chat.secret'\n"
    found = only(look_at_files(patient.subject()))
    assert found.text == f"webhooks.chat.secret_file: there is no file {patient.folder / 'chat.secret'}."
