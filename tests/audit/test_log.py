"""The log of a process: its lines, its chain, how soon it is on disk, and what becomes of it when the disk fails."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from certworker.errors import AuditUnavailable
from tests.audit.ledger import FailingFiles, Ledger
from tests.support.clock import FakeClock


def assert_whole(ledger: Ledger, records: int) -> None:
    """Check that the log passes, with so many records beside openings and closings."""
    found = ledger.verify()
    assert found.passed, found
    lines = [json.loads(line) for path in ledger.files() for line in path.read_bytes().splitlines()]
    assert sum(line["category"] == "AuditEvent" for line in lines) == records


@pytest.mark.parametrize("sync", ["group", "each"])
def test_a_record_is_in_the_file_when_append_comes_back(ledger: Ledger, sync: str) -> None:
    """What was appended can be read at once by anybody else; the file is its owner's alone."""
    log = ledger.log(sync=sync)
    log.append(ledger.record(1))
    (path,) = ledger.files()
    record = json.loads(path.read_bytes().splitlines()[-1])
    assert record["recordId"] == ledger.record(1).id
    assert record["integrity"]["sequence"] == 2
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    log.close()
    assert_whole(ledger, 1)


def test_the_hash_is_as_the_format_says(ledger: Ledger) -> None:
    """Anybody can follow the chain: SHA-256 over the hash before and the line's bytes before its own digits."""
    ledger.write(3)
    previous = bytes(32)
    for line in ledger.files()[0].read_bytes().splitlines(keepends=True):
        assert line[-68:-4].decode() == sha256(previous + line[:-68]).hexdigest()
        assert json.loads(line)["integrity"]["hash"] == line[-68:-4].decode()
        previous = bytes.fromhex(line[-68:-4].decode())


def test_many_threads_write_one_chain(ledger: Ledger) -> None:
    """Threads that append at once, with a sync for each, lose nothing and break nothing."""
    log = ledger.log(sync="each")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: log.append(ledger.record(number)), range(200)))
    log.close()
    assert_whole(ledger, 200)


def test_only_so_many_records_wait_for_the_disk(ledger: Ledger) -> None:
    """Beyond the bound an append brings the rest to disk itself, so that a power cut costs no more than was said."""
    synced: list[int] = []

    class Counted(FailingFiles):
        """Counts how often the disk was waited for."""

        def sync(self) -> None:
            synced.append(1)
            super().sync()

    clock = ledger.deployment.house.clock
    assert isinstance(clock, FakeClock)
    log = ledger.log(
        lambda chain_id, _: Counted(ledger.folder, chain_id, clock, lambda: False), unsynced_records=5, group_milliseconds=1000
    )
    for number in range(5):
        log.append(ledger.record(number))
    before = len(synced)
    for number in range(5, 25):
        log.append(ledger.record(number))
    assert len(synced) - before >= 3
    log.close()
    assert_whole(ledger, 25)


@contextmanager
def no_room(path: Path, more: int) -> Iterator[None]:
    """Let no file of this process grow beyond this one's size and some bytes: the system's own limit, as a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("more", [0, 100])
def test_a_full_disk_refuses_and_heals(ledger: Ledger, more: int) -> None:
    """Where not all of a line fits, none of it stays; when there is room again, the same chain goes on."""
    log = ledger.log()
    log.append(ledger.record(1))
    (path,) = ledger.files()
    before = path.read_bytes()
    with no_room(path, more), pytest.raises(AuditUnavailable, match="too large"):
        log.append(ledger.record(2))
    assert path.read_bytes() == before
    log.append(ledger.record(3))
    log.close()
    assert len(ledger.files()) == 1
    assert_whole(ledger, 2)


@pytest.mark.parametrize("sync", ["group", "each"])
def test_a_disk_that_cannot_sync_ends_the_chain(ledger: Ledger, sync: str) -> None:
    """What may not be on disk is not built upon: whoever waited is refused, and the next record begins a new chain."""
    failing: list[bool] = []
    clock = ledger.deployment.house.clock
    assert isinstance(clock, FakeClock)
    log = ledger.log(
        lambda chain_id, _: FailingFiles(ledger.folder, chain_id, clock, lambda: bool(failing)),
        sync=sync,
        group_milliseconds=1000,
    )
    log.append(ledger.record(1))
    log.sync()
    failing.append(True)
    if sync == "group":
        log.append(ledger.record(2))
    with pytest.raises(AuditUnavailable):
        log.sync() if sync == "group" else log.append(ledger.record(2))
    failing.clear()
    log.append(ledger.record(3))
    log.close()
    assert len(ledger.files()) == 2
    assert_whole(ledger, 3)


def test_the_database_has_a_chains_head_before_its_first_record(ledger: Ledger) -> None:
    """A chain's head is there from its opening on, follows what is on disk, and tells of a clean end."""
    log = ledger.log(group_milliseconds=1000)

    def head() -> tuple[int, bool]:
        with ledger.deployment.house.store.reading() as reader:
            (found,) = reader.chain_heads()
        return found.sequence, found.closed

    log.open()
    assert head() == (1, False)
    log.append(ledger.record(1))
    log.put_head()
    assert head() == (1, False)  # it may not be on disk
    log.sync()
    log.put_head()
    assert head() == (2, False)
    log.close()
    assert head() == (3, True)
    with pytest.raises(AuditUnavailable, match="closed"):
        log.append(ledger.record(2))


def test_files_follow_each_other_by_size_and_age(ledger: Ledger, clock: FakeClock) -> None:
    """A full or an old file is followed by the next one, which carries the chain on."""
    log = ledger.log(rotate_bytes=4096, rotate_hours=1)
    for number in range(12):
        log.append(ledger.record(number))
    by_size = len(ledger.files())
    assert by_size > 1
    clock.advance(timedelta(hours=1))
    log.append(ledger.record(12))
    assert len(ledger.files()) == by_size + 1
    log.close()
    assert_whole(ledger, 13)


_WRITER = """
import os, sys
from pathlib import Path
from datetime import datetime, UTC
from certworker.bootstrap import open_house
from certworker.settings import AuditSettings, Seal, Settings
from certworker.vault.audit.record import AuditRecord, Result
folder = Path(sys.argv[1])
settings = Settings(database_url=f"sqlite:///{folder}/certworker.db", seal=Seal(master_key_file=folder / "master.key"),
                    audit=AuditSettings(folder=folder / "audit"))
with open_house(settings, role="api") as house:
    for number in range(1_000_000):
        identifier = f"{number:08d}-0000-4000-8000-000000000000"
        house.trail.append(AuditRecord(identifier, datetime.now(UTC), "SecretGet", "", Result.SUCCESS, 200))
        os.write(1, f"{number}\\n".encode())
"""


def test_a_process_that_is_killed_loses_nothing_that_came_back(ledger: Ledger) -> None:
    """Every record whose append came back is in the file after kill -9, and the log passes."""
    command = [sys.executable, "-c", _WRITER, str(ledger.folder.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(300)]
        os.kill(process.pid, signal.SIGKILL)
        told += process.stdout.readlines()
    last = int([line for line in told if line.endswith(b"\n")][-1])
    found = ledger.verify(all_hosts=True)
    assert found.passed, found
    (chain,) = found.chains
    assert chain.last >= last + 2
    assert (chain.closed, chain.at_risk) == (False, 1000)


def test_half_a_line_at_the_end_is_a_crash_and_no_forgery(ledger: Ledger) -> None:
    """A line that was being written when the power went is told of; it was never answered for."""
    log = ledger.log()
    log.append(ledger.record(1))
    log.sync()
    log.put_head()
    (path,) = ledger.files()
    with path.open("ab") as file:
        file.write(b'{"recordId":"half a')
    found = ledger.verify()
    assert found.passed
    assert "half a line" in found.chains[0].notes[0]
    log.close()


def test_times_are_those_of_the_log_schema(ledger: Ledger) -> None:
    """A record's time can be read back as it was."""
    ledger.write(1)
    record = json.loads(ledger.files()[0].read_bytes().splitlines()[1])
    assert datetime.fromisoformat(record["time"]) == ledger.deployment.house.clock()
