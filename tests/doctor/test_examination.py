"""The examination as a whole: nothing stops it, nothing is changed by it, and nothing secret is told."""

import hashlib
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Barrier, Event

from certworker.doctor import CHECKS, Examination, Verdict, examine, is_well
from certworker.doctor.examination import _carry_out
from certworker.doctor.finding import Findings
from certworker.doctor.machine import look_at_machine
from certworker.doctor.side_by_side import Late, outcomes
from certworker.doctor.subject import Subject
from tests.doctor.patient import Patient, only, worst


def content(folder: Path) -> dict[str, str]:
    """Give what lies in a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_deployment_that_is_well_is_well(patient: Patient) -> None:
    """Each check has something to say, in its order, and not a byte is changed."""
    _ = patient.config
    before = content(patient.folder)
    found = patient.examined()
    assert is_well(found)
    assert content(patient.folder) == before
    order = [name for name in dict.fromkeys(one.check for one in found) if name in CHECKS]
    assert order == [name for name in CHECKS if name in order]
    assert {"configuration", "files", "database", "master key", "audit log", "service", "worker"} <= set(order)


def test_settings_that_cannot_be_used_end_it_early(tmp_path: Path) -> None:
    """One line for each that is wrong, and one for all else."""
    path = tmp_path / "c.toml"
    path.write_text("nonsense = 1\n")
    wrong, rest = examine(Examination(path, {}))
    assert (wrong.verdict, rest.verdict) == (Verdict.WRONG, Verdict.SKIPPED)


def test_one_failure_stops_no_other_check(patient: Patient) -> None:
    """All that depends on the database says so, and the rest is looked at."""
    (patient.folder / "certworker.db").write_bytes(b"x" * 4096)
    found = patient.examined()
    assert [one.check for one in found if one.verdict is Verdict.WRONG] == ["database"]
    skipped = [one for one in found if one.verdict is Verdict.SKIPPED]
    assert all("since the database cannot be read" in one.text for one in skipped)
    assert {"CAs", "worker", "notices", "master key"} <= {one.check for one in skipped}
    assert any(one.check == "machine" and one.verdict is Verdict.FINE for one in found)


def test_no_secret_is_told(patient: Patient) -> None:
    """Neither of the database's URL, nor of a webhook's, nor what lies in files."""
    key = (patient.folder / "master.key").read_text().strip()
    patient.database_url = "postgresql://bob:hunter2secret@127.0.0.1:1/db"
    patient.sections = "[webhooks.chat]\nurl = 'https://hooks.invalid/T0/pathsecret?token=querysecret'\n"
    patient.environment = {"CERTWORKER_MAIL_PASSWORD": "envsecret"}
    told = repr(patient.examined())
    for secret in (key, "hunter2secret", "pathsecret", "querysecret", "envsecret"):
        assert secret not in told
    assert "webhook chat" in told


def test_work_side_by_side_has_an_end() -> None:
    """What comes too late is left behind, what fails is given back, and the order is kept."""
    released = Event()

    def fail() -> str:
        raise KeyError("x")

    def dawdle() -> str:
        released.wait(60)
        return "late"

    works: list[Callable[[], str]] = [dawdle, fail, partial(str, 7)]
    late, failed, done = outcomes(works, 0.3)
    released.set()
    assert isinstance(late, Late)
    assert isinstance(failed, KeyError)
    assert done == "7"


def test_many_that_are_silent_take_no_longer_than_one() -> None:
    """A hundred CAs are asked all at once: each of these waits for all of the others."""
    everybody = Barrier(100)
    assert sorted(outcomes([partial(everybody.wait, 60)] * 100, 60)) == list(range(100))  # type: ignore[type-var]


def test_limits_of_the_machine_are_looked_at(patient: Patient) -> None:
    """Few files that may be open are warned of."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    core = resource.getrlimit(resource.RLIMIT_CORE)
    subject = patient.subject()
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, core[1]))
    try:
        (found,) = worst(look_at_machine(subject))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_CORE, core)
    assert "LimitNOFILE=4096" in found.to_do


def test_a_check_that_fails_by_itself_tells_its_kind_alone(patient: Patient) -> None:
    """The words of an error that nobody has foreseen may hold a password."""

    def check(_: Subject) -> Findings:
        raise ZeroDivisionError("hunter2")

    found = only(_carry_out("files", check, patient.subject()))
    assert found.verdict is Verdict.WARNING
    assert found.text == "This check itself failed (ZeroDivisionError)."
    assert "hunter2" not in repr(found)
