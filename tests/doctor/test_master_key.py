"""The check of the master key."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from certworker.crypto.sealing import key_id
from certworker.doctor import Verdict
from certworker.doctor.master_key import is_sealed, look_at_master_key
from certworker.hsm.token import open_token
from certworker.seal.enclosing import Enclosed, NewSeal, enclose
from certworker.seal.keeper import Keeper
from certworker.seal.master_file import next_of
from certworker.settings import Seal, SealKind
from tests.doctor.patient import Patient, only
from tests.support.softhsm import SoftToken


def write_key(path: Path) -> str:
    """Write another master key, and give its id."""
    key = secrets.token_bytes(32)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(key.hex() + "\n")
    return key_id(key)


def test_the_databases_key_is_fine(patient: Patient) -> None:
    """What it wrapped opens, and it is not shown."""
    found = only(look_at_master_key(patient.subject()))
    assert found.verdict is Verdict.FINE
    assert "opens what the database holds" in found.text
    assert (patient.folder / "master.key").read_text().strip() not in repr(found)


def test_another_key_is_wrong(patient: Patient) -> None:
    """Both are named by their ids."""
    name = write_key(patient.folder / "master.key")
    found = only(look_at_master_key(patient.subject()))
    assert found.verdict is Verdict.WRONG
    assert name in found.text
    assert "belongs to the database" in found.to_do


def test_a_rotation_that_was_broken_off_is_told_and_not_finished(patient: Patient) -> None:
    """The next start does that."""
    path = patient.folder / "master.key"
    path.rename(next_of(path))
    write_key(path)
    found = only(look_at_master_key(patient.subject()))
    assert found.verdict is Verdict.WARNING
    assert "broken off" in found.text
    assert next_of(path).exists()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), ("no key", "does not hold 32 bytes"), ("{", "is damaged")]
)
def test_a_file_that_holds_no_key(patient: Patient, content: str | None, said: str) -> None:
    """Missing, or something else."""
    path = patient.folder / "master.key"
    path.unlink()
    if content:
        path.touch(mode=0o600)
        path.write_text(content)
    found = only(look_at_master_key(patient.subject()))
    assert found.verdict is Verdict.WRONG
    assert said in found.text


def test_a_vault_key_that_was_altered_is_found(patient: Patient) -> None:
    """The master key is right, and what lies in the database is not."""
    subject = patient.subject()
    records = subject.records
    assert records is not None
    assert records.wrapped_key is not None
    wrapped = records.wrapped_key.wrapped
    altered = replace(records.wrapped_key, wrapped=wrapped[:-1] + bytes([wrapped[-1] ^ 1]))
    found = only(look_at_master_key(replace(subject, records=replace(records, wrapped_key=altered))))
    assert found.verdict is Verdict.WRONG
    assert "was altered" in found.text
    assert found.to_do.startswith("Restore a backup of the database: ")


def test_without_a_database_it_is_said_that_it_was_not_compared(patient: Patient) -> None:
    """The key itself is looked at."""
    (patient.folder / "certworker.db").unlink()
    found = only(look_at_master_key(patient.subject()))
    assert found.verdict is Verdict.SKIPPED
    assert "not looked at, since there is no database yet" in found.text


def test_a_wrapped_key_waits_for_a_service(patient: Patient) -> None:
    """No service, a sealed one, and one that was opened: then what it wrapped opens."""
    seal = Seal(master_key_file=patient.folder / "master.key", kind=SealKind.SHAMIR, socket=patient.folder / "seal.sock")
    shown: list[Enclosed] = []
    enclose(seal, NewSeal(SealKind.SHAMIR, shares=2, threshold=2), shown.append)
    patient.sections = "[seal]\nkind = 'shamir'\n"
    closed = only(look_at_master_key(patient.subject()))
    assert closed.verdict is Verdict.NOTE
    assert "no service has opened it here" in closed.text
    keeper = Keeper(seal)
    keeper.start()
    try:
        sealed = only(look_at_master_key(patient.subject()))
        assert (sealed.verdict, sealed.to_do) == (
            Verdict.WARNING,
            f"Open it: certworker seal unseal -c {patient.config}",
        )
        assert is_sealed(patient.subject().settings)
        for share in shown[0].shares:
            keeper.answer({"ask": "unseal", "share": share})
        assert not is_sealed(patient.subject().settings)
        assert only(look_at_master_key(patient.subject())).verdict is Verdict.FINE
    finally:
        keeper.close()


def test_a_wrapped_key_of_another_database_is_wrong(patient: Patient) -> None:
    """That is told though it is shut: its id lies beside it."""
    name = write_key(patient.folder / "master.key")
    seal = Seal(master_key_file=patient.folder / "master.key", kind=SealKind.SHAMIR)
    enclose(seal, NewSeal(SealKind.SHAMIR, shares=2, threshold=2), lambda _: None)
    patient.sections = "[seal]\nkind = 'shamir'\n"
    found = only(look_at_master_key(patient.subject()))
    assert found.verdict is Verdict.WRONG
    assert name in found.text
    assert "belongs to the database" in found.to_do


def test_a_variable_that_is_not_set_is_told(patient: Patient) -> None:
    """By its name."""
    patient.sections = "[seal]\nmaster_key_env = 'NOWHERE_KEY'\n"
    found = only(look_at_master_key(patient.subject()))
    assert found.verdict is Verdict.WRONG
    assert "NOWHERE_KEY, which is not set" in found.text


@pytest.mark.system("softhsm2-util")
def test_a_token_is_opened_with_its_pin(patient: Patient, soft_token: SoftToken) -> None:
    """One that is there, and one that is not."""
    found = soft_token.settings
    section = f"[hsm]\nmodule = '{found.module}'\npin_file = '{found.pin_file}'\n"
    patient.sections = f"{section}token_label = '{found.token_label}'\n"
    token, key = look_at_master_key(patient.subject())
    assert (token.verdict, key.verdict) == (Verdict.FINE, Verdict.FINE)
    patient.sections = f"{section}token_label = 'nowhere'\n"
    token, key = look_at_master_key(patient.subject())
    assert (token.verdict, key.verdict) == (Verdict.WRONG, Verdict.FINE)
    assert "has no token nowhere" in token.text


@pytest.mark.system("softhsm2-util")
def test_a_token_that_has_seen_wrong_pins_is_left_alone(patient: Patient, soft_token: SoftToken, tmp_path: Path) -> None:
    """A look a day must not lock it: the wrong PIN is tried once, and not again."""
    found = soft_token.settings
    wrong = tmp_path / "wrong-pin"
    wrong.touch(0o600)
    wrong.write_text("not-the-pin\n")
    section = f"[hsm]\nmodule = '{found.module}'\ntoken_label = '{found.token_label}'\n"
    try:
        patient.sections = f"{section}pin_file = '{wrong}'\n"
        first, again = (next(iter(look_at_master_key(patient.subject()))) for _ in range(2))
        assert (first.verdict, again.verdict) == (Verdict.WRONG, Verdict.WARNING)
        assert "is not tried here" in again.text
    finally:
        with open_token(found):
            pass  # the right one lets it forget
    patient.sections = f"{section}pin_file = '{found.pin_file}'\n"
    assert next(iter(look_at_master_key(patient.subject()))).verdict is Verdict.FINE
