"""Searching: what is asked for is found, the newest first, page by page, each record once."""

import json
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.audit.outputs import StreamLines, SyslogLines
from certworker.audit.reading import read_time
from certworker.audit.searching import search_files
from certworker.vault.audit.record import Result
from certworker.vault.audit.search import Search, Shown, position_of
from tests.audit.ledger import Ledger
from tests.support.clock import START, FakeClock


@pytest.fixture
def full(ledger: Ledger, clock: FakeClock) -> Ledger:
    """Give a log of ten minutes, a record in each, in two chains that overlap."""
    logs = [ledger.log(rotate_bytes=4096), ledger.log()]
    for number in range(10):
        clock.set(START + timedelta(minutes=number))
        failed = {"description": "Forbidden", "correlation_id": f"c-{number}"} if number % 5 == 0 else {}
        record = ledger.record(number, **failed)
        logs[number % 2].append(record)
    for log in logs:
        log.close()
    return ledger


def numbers(ledger: Ledger, **wanted: object) -> list[int]:
    """Search, and list the numbers of what was found."""
    return [int(str(record["recordId"])[:8]) for record in search_files(ledger.folder, Search(**wanted))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"limit": 3}, [9, 8, 7]),
        ({"vault": "CONTOSO", "operation": "secretget", "caller": "AN-APP", "result": "success", "limit": 1}, [9]),
        ({"vault": "another"}, []),
        ({"operation": "SecretSet"}, []),
        ({"caller": "nobody"}, []),
        ({"since": read_time("2026-01-01T00:04:00Z"), "until": read_time("2026-01-01T00:06:00Z")}, [6, 5, 4]),
        ({"object": "secret-7"}, [7]),
        ({"correlation": "c-5"}, [5]),
    ],
)
def test_what_is_asked_for_is_found(full: Ledger, wanted: dict[str, object], found: list[int]) -> None:
    """Each term narrows; the newest come first, over all chains and files."""
    assert numbers(full, **wanted) == found


def test_pages_follow_each_other(full: Ledger) -> None:
    """The position of the last one is where the next page goes on: nothing comes twice, nothing is left out."""
    found: list[Shown] = []
    before = None
    while page := search_files(full.folder, Search(limit=3, before=before)):
        found += page
        before = position_of(page[-1])
    assert [str(record["recordId"])[:8] for record in found] == [f"{number:08d}" for number in range(9, -1, -1)]


def test_a_line_that_is_damaged_hides_no_other(full: Ledger) -> None:
    """What cannot be read is passed over: verify tells of it."""
    path = full.files()[0]
    path.write_bytes(b"\xff\xfe{\n" + path.read_bytes() + b'{"half')
    assert len(numbers(full)) == 10


def test_syslog_and_standard_output_get_the_same_lines(
    ledger: Ledger, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each line goes to syslog as one message of RFC 5424, and to standard output, with files or without."""
    address = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as collector:
        collector.bind(address)
        collector.settimeout(5)
        log = ledger.log(outputs=("stdout", "syslog"), syslog=address)
        log.append(ledger.record(1))
        messages = [collector.recv(1 << 16).decode() for _ in range(2)]
    lines = capfd.readouterr().out.splitlines()
    assert [message.partition(" certworker 1 AuditEvent - ")[2] for message in messages] == lines
    assert messages[1].startswith("<109>1 2026-01-01T00:00:00.000000Z ")
    assert json.loads(lines[1])["resultType"] == Result.SUCCESS
    assert not ledger.folder.exists()
    log.append(ledger.record(2))  # a copy that cannot be sent is a copy lost
    log.close()


def test_an_output_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Where syslog is what counts, a record that cannot be sent is refused."""
    lines = SyslogLines(str(tmp_path / "nobody"), "host", 1)
    with pytest.raises(OSError, match="No such file"):
        lines.write(b"{}\n", START)
    assert not lines.is_torn
    closed = socket.socket()
    descriptor = closed.fileno()
    closed.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        StreamLines(descriptor).write(b"{}\n", START)
