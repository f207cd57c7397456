"""Readiness: what a full disk keeps requests from is told before they come, cheaply, and in a word."""

import logging
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from shutil import rmtree
from threading import Event

import pytest

from certworker.api.ops import build_ops_app
from certworker.bootstrap import House, open_house
from certworker.errors import Unavailable
from certworker.settings import AuditSettings, Seal, Settings
from certworker.vault.readiness import KEPT_SECONDS, PATIENCE_SECONDS, Part, Readiness, parts_of
from tests.api.test_ops import get
from tests.audit.test_log import no_room
from tests.support.clock import FakeClock
from tests.support.templates import put_database, put_deployment


@contextmanager
def serving(database: Path, audit: Path, clock: FakeClock) -> Iterator[House]:
    """Open the house of an API process, with an audit log of its own."""
    settings = Settings(
        database_url=f"sqlite:///{database}/certworker.db",
        seal=Seal(master_key_file=database / "master.key"),
        audit=AuditSettings(folder=audit),
    )
    put_deployment(database, clock)
    put_database(database / "certworker.db")
    with open_house(settings, clock, Random(1), role="api") as house:
        yield house


def told(house: House) -> tuple[int, str]:
    """Ask whether it is ready, as one who was not asked before."""
    fresh = replace(house, readiness=Readiness(parts_of(house.store, house.trail)))
    answer = get(build_ops_app(fresh, lambda: (b"", "text/plain")), "/readyz")
    return answer.status_code, answer.text


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of a few megabytes, where this user may."""
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", place], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> Path:
    """Use up all room of a file system; give what has it."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                continue
        except OSError:
            pass
    return filler


@pytest.mark.system("mount")
@pytest.mark.parametrize("part", ["audit log", "database", "database, audit log"])
def test_a_full_file_system_is_told_until_there_is_room(part: str, small: Path, tmp_path: Path, clock: FakeClock) -> None:
    """Whatever is on it is named, by no path; the process lives all the while."""
    (other := tmp_path / "other").mkdir()
    with serving(small if "database" in part else other, small / "log" if "audit" in part else other / "log", clock) as house:
        assert told(house) == (200, "ready\n")
        filler = fill(small)
        assert told(house) == (503, f"not ready: {part}\n")
        assert get(build_ops_app(house, lambda: (b"", "text/plain")), "/healthz").status_code == 200
        filler.unlink()
        assert told(house) == (200, "ready\n")


def test_where_no_file_can_grow_nothing_is_ready(tmp_path: Path, clock: FakeClock) -> None:
    """It is the same where the system's limit is met; and a log that is gone is told by itself."""
    with serving(tmp_path, tmp_path / "log", clock) as house:
        with no_room(Path("/dev/null"), 0):
            assert told(house) == (503, "not ready: database, audit log\n")
        assert told(house) == (200, "ready\n")
        rmtree(tmp_path / "log")
        assert told(house) == (503, "not ready: audit log\n")


def test_a_trial_leaves_nothing(tmp_path: Path, clock: FakeClock) -> None:
    """Neither a file nor a row; but SQLite has written pages."""
    with serving(tmp_path, tmp_path / "log", clock) as house:
        wal = tmp_path / "certworker.db-wal"
        before, size = sorted(path.name for path in (tmp_path / "log").iterdir()), wal.stat().st_size
        lines = [path.read_bytes() for path in (tmp_path / "log").iterdir()]
        assert house.readiness.standing() == {Part.DATABASE: True, Part.AUDIT_LOG: True}
        assert wal.stat().st_size > size
        assert sorted(path.name for path in (tmp_path / "log").iterdir()) == before
        assert [path.read_bytes() for path in (tmp_path / "log").iterdir()] == lines
        with house.store.reading() as reader:
            assert reader.heartbeats() == ()


class Patient:
    """A part that works, fails or hangs, and counts how often it is tried."""

    def __init__(self) -> None:
        self.tries = 0
        self.error: Exception | None = None
        self.goes_on = Event()
        self.goes_on.set()

    def __call__(self) -> None:
        """Be tried."""
        self.tries += 1
        self.goes_on.wait(10)
        if self.error:
            raise self.error


def test_it_is_tried_once_in_some_seconds_however_often_it_is_asked() -> None:
    """What was found out holds for a while; then it is found out anew."""
    part, times = Patient(), [0.0]
    readiness = Readiness({Part.DATABASE: part}, lambda: times[0])
    with ThreadPoolExecutor(8) as threads:
        assert all(found[Part.DATABASE] for found in threads.map(lambda _: readiness.standing(), range(50)))
    assert part.tries == 1
    part.error = Unavailable("It is away.")
    times[0] = 2.5
    assert readiness.standing()[Part.DATABASE]
    assert part.tries == 1
    times[0] += KEPT_SECONDS + 1
    assert not readiness.standing()[Part.DATABASE]
    assert part.tries == 2


def test_what_hangs_does_not_work_and_nobody_waits_for_it_twice(caplog: pytest.LogCaptureFixture) -> None:
    """Of two parts the other one is told as it is; no further try is begun behind one that hangs; the log says so once."""
    caplog.set_level(logging.INFO)
    hangs, works, times = Patient(), Patient(), iter([0.0, PATIENCE_SECONDS - 0.1])
    readiness = Readiness({Part.AUDIT_LOG: hangs, Part.DATABASE: works}, lambda: next(times, 100.0))
    hangs.goes_on.clear()
    for _ in range(4):
        assert readiness.standing() == {Part.AUDIT_LOG: False, Part.DATABASE: True}
    assert (hangs.tries, works.tries) == (1, 1)
    hangs.goes_on.set()
    while not readiness.standing()[Part.AUDIT_LOG]:
        continue
    told = [record.message for record in caplog.records]
    assert told == ["Not ready, for audit log: it does not answer in time.", "Ready again."]


def test_the_log_says_what_the_answer_does_not(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the error is, one without a word too, at the change and not at each question; nothing where all is well."""
    caplog.set_level(logging.INFO)
    for error, said in ((RuntimeError("nobody thought of this"), "RuntimeError"), (Unavailable(""), "unavailable")):
        part, times = Patient(), [0.0]
        readiness = Readiness({Part.DATABASE: part}, partial(times.__getitem__, 0))
        assert readiness.standing()[Part.DATABASE]
        part.error = error
        for _ in range(3):
            times[0] += KEPT_SECONDS + 1
            assert not readiness.standing()[Part.DATABASE]
        assert [record.message for record in caplog.records] == [f"Not ready, for database: {said}"]
        caplog.clear()
