"""The check of the audit log."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from certworker.bootstrap import open_house
from certworker.doctor import Verdict
from certworker.doctor.audit_log import look_at_audit_log
from certworker.settings import load_settings
from certworker.vault.audit.port import ChainCut
from tests.doctor.patient import Patient, only
from tests.support.clock import START


@pytest.fixture
def logged(patient: Patient) -> Patient:
    """Let a process write a chain of the log, and end it in order."""
    with open_house(load_settings(patient.config, {}), patient.clock, role="worker"):
        pass
    return patient


def test_a_log_that_is_whole_is_fine(logged: Patient) -> None:
    """Its files have come as far as their heads."""
    assert only(look_at_audit_log(logged.subject())).verdict is Verdict.FINE
    assert only(look_at_audit_log(logged.subject())).text.startswith("The audit log can be written (files)")


def test_records_that_are_missing_at_the_end_are_found(logged: Patient) -> None:
    """A file that was cut, and one that is gone."""
    (file,) = (logged.folder / "audit").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.index(b"\n") + 1])
    found = only(look_at_audit_log(logged.subject()))
    assert found.verdict is Verdict.WRONG
    assert f"certworker audit verify -c {logged.config}" in found.to_do
    file.unlink()
    assert only(look_at_audit_log(logged.subject())).verdict is Verdict.WRONG
    file.write_bytes(whole + b'{"half": ')
    assert only(look_at_audit_log(logged.subject())).verdict is Verdict.FINE


def test_a_chain_whose_time_was_over_lacks_nothing(logged: Patient) -> None:
    """Its files were deleted up to a cut that is signed; up to an earlier one, the rest is missing."""
    (file,) = (logged.folder / "audit").iterdir()
    file.unlink()
    subject = logged.subject()
    assert subject.records is not None
    (head,) = subject.records.heads
    for sequence, verdict in ((head.sequence - 1, Verdict.WRONG), (head.sequence, Verdict.FINE)):
        cut = ChainCut(head.chain_id, "k", START, sequence, "", b"")
        seen = replace(subject, records=replace(subject.records, cuts=(cut,)))
        assert only(look_at_audit_log(seen)).verdict is verdict


def test_records_that_nobody_writes_are_told(logged: Patient) -> None:
    """After a while in which a service would have done it."""
    with logged.writing() as writer:
        writer.add_pending_record(json.dumps({"time": START.isoformat()}))
    assert only(look_at_audit_log(logged.subject())).verdict is Verdict.FINE
    logged.clock = lambda: START + timedelta(minutes=5)
    found = only(look_at_audit_log(logged.subject()))
    assert found.verdict is Verdict.WARNING
    assert "Records wait since 2026-01-01T00:00:00Z" in found.text


def test_a_file_in_the_folders_place_is_told(patient: Patient) -> None:
    """Nothing can be written into it."""
    (patient.folder / "audit").write_text("")
    assert only(look_at_audit_log(patient.subject())).verdict is Verdict.WRONG


def test_without_a_database_the_folder_is_looked_at(patient: Patient) -> None:
    """A folder whose parent is missing is told."""
    (patient.folder / "certworker.db").unlink()
    patient.sections = "[audit]\nfolder = 'nowhere/audit'\n"
    missing, skipped = look_at_audit_log(patient.subject())
    assert (missing.verdict, skipped.verdict) == (Verdict.WRONG, Verdict.SKIPPED)
    assert str(patient.folder / "nowhere") in missing.text
