"""What is done to a log while it is written, and what comes of it."""

import json
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import pytest
from sqlalchemy import delete

from certworker.audit.outputs import REST_SECONDS, Copied, SyslogLines
from certworker.audit.reading import read_time
from certworker.audit.scanning import log_files, whole_lines
from certworker.audit.verifying import verify, verify_live
from certworker.audit.witness import Witness, parse_witness, read_witness
from certworker.errors import AuditUnavailable
from certworker.store.tables.audit import AUDIT_HEAD
from certworker.store.transactions import SqlWriter
from tests.audit.ledger import HOST, Ledger
from tests.support.clock import START, FakeClock


def cut(path: Path) -> None:
    """Empty a file."""
    os.truncate(path, 0)


@pytest.mark.parametrize("harm", [Path.unlink, cut, lambda path: rmtree(path.parent)], ids=["file", "content", "folder"])
def test_what_is_taken_away_while_it_is_written_is_noticed(ledger: Ledger, harm: Callable[[Path], None]) -> None:
    """Nothing more is recorded where nobody will find it: the answer is refused, and a new chain begun; verify tells."""
    log = ledger.log(sync="each")
    log.append(ledger.record(1))
    harm(ledger.files()[0])
    with pytest.raises(AuditUnavailable, match="deleted or cut"):
        log.append(ledger.record(2))
    log.append(ledger.record(3))
    log.close()
    assert any('"recordId":"00000003' in path.read_text() for path in ledger.files())
    assert not ledger.verify().passed


def test_a_file_that_cannot_be_finished_ends_the_chain(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system tells of lines that it lost once; at the next sync it would say that all is well."""
    log = ledger.log(rotate_bytes=4096, group_milliseconds=1000)

    def fail(_file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        log.open()
        patched.setattr("certworker.audit.files.os.fdatasync", fail)
        with pytest.raises(AuditUnavailable, match="Input/output"):
            log.append_texts([ledger.record(number).text() for number in range(30)])
    log.append(ledger.record(30))
    log.close()
    assert len({path.stem.split("-")[1] for path in ledger.files()}) == 2


def test_a_place_for_copies_that_fails_holds_nobody_up(tmp_path: Path) -> None:
    """It is left alone for a while, and then gets copies again."""
    address, times = str(tmp_path / "log"), [0.0]

    class Counts:
        """Takes everything."""

        is_torn = False

        def write(self, lines: bytes, _at: object) -> None:
            """Take lines."""

        def sync(self) -> None:
            """Have nothing to do."""

        try_out = close = sync

    copied = Copied(Counts(), [SyslogLines(address, "host", 1)], lambda: times[0])
    copied.write(b"one\n", START)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(1)
        copied.write(b"two\n", START)
        times[0] = REST_SECONDS
        copied.write(b"three\n", START)
        assert listener.recv(1000).endswith(b" three")
    copied.close()


def test_lines_that_left_in_part_end_the_chain(tmp_path: Path) -> None:
    """The numbers of those that have left are not given out again to others."""
    address = str(tmp_path / "log")
    lines = SyslogLines(address, "host", 1)
    with pytest.raises(OSError, match="No such file"):
        lines.write(b"one\ntwo\n", START)
    assert not lines.is_torn
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        with pytest.raises(OSError, match="too long"):
            lines.write(b"one\n" + b"2" * (16 << 20) + b"\n", START)
    assert lines.is_torn


def test_every_chain_of_a_stop_is_known_to_the_next_start(ledger: Ledger, clock: FakeClock) -> None:
    """Not the one alone that ended last: whoever removes another, and its head with it, is found."""
    logs = [ledger.log(), ledger.log()]
    for log in logs:
        log.append(ledger.record(1))
    for log in logs:
        clock.advance(timedelta(seconds=1))
        log.close()
    with ledger.deployment.house.store.reading() as reader:
        ended_first = min(reader.chain_heads(), key=lambda head: head.at).chain_id
    ledger.write(2)
    assert ledger.verify().passed
    next(path for path in ledger.files() if ended_first in path.name).unlink()
    with ledger.deployment.house.store.writing() as writer:
        assert isinstance(writer, SqlWriter)
        writer._delete(AUDIT_HEAD, {"chain_id": ended_first})  # as a hand in the database does
    assert [finding for finding in ledger.verify().findings if "is gone, and its head too" in finding]


def test_an_empty_folder_beside_an_empty_table_is_no_log(ledger: Ledger) -> None:
    """Before the first start there is nothing; after it there is a key, which has signed something."""
    ledger.folder.mkdir()
    assert ledger.verify().passed
    ledger.write(2)
    ledger.files()[0].unlink()
    with ledger.deployment.house.store.writing() as writer:
        assert isinstance(writer, SqlWriter)
        writer._change(delete(AUDIT_HEAD))  # likewise
    assert not ledger.verify().passed


def test_a_chain_that_is_opened_meanwhile_is_no_forgery(ledger: Ledger) -> None:
    """The database is read before the files: what is found has to be so a second time."""
    looks = 0

    def read() -> Witness:
        nonlocal looks
        looks += 1
        known = read_witness(ledger.deployment.house.store)
        if looks == 1:
            ledger.write(3)
        return known

    found = verify_live(ledger.folder, read, HOST)
    assert (looks, found.passed, found.records) == (2, True, 5)
    (path,) = ledger.files()
    path.write_bytes(path.read_bytes().replace(b"SecretGet", b"SecretSet", 1))
    assert not verify_live(ledger.folder, read, HOST).passed


def test_chains_that_began_after_the_heads_were_printed_are_no_forgeries(ledger: Ledger, clock: FakeClock) -> None:
    """They are signed by a key that was known then; whoever has none, or an older chain, is found."""
    store = ledger.deployment.house.store
    ledger.write(2)
    clock.advance(timedelta(minutes=1))
    witness = parse_witness(read_witness(store).as_json(clock()))
    ledger.write(2, 10)
    found = verify(ledger.folder, witness, HOST)
    assert found.passed, found
    assert [len(chain.notes) for chain in found.chains] == [0, 1]
    assert not verify(ledger.folder, Witness({}, witness.heads, {}, (), witness.at), HOST).passed


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        json.dumps({"operationName": "AuditChainOpen", "properties": {"keyId": [], "publicKey": 1}}).encode(),
        b'{"operationName":"AuditChainOpen","properties":[],"signature":"1"}',
    ],
)
def test_what_is_no_record_is_found_and_breaks_nothing(ledger: Ledger, line: bytes) -> None:
    """Verifying comes to its end, with the database and without."""
    ledger.write(2)
    (path,) = ledger.files()
    path.write_bytes(line + b"\n" + path.read_bytes())
    assert not ledger.verify().passed
    assert not verify(ledger.folder, None, HOST).passed


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "yesterday", ""])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    """So are those that are none in UTC."""
    with pytest.raises(ValueError, match=r"\w"):
        read_time(text)


def test_the_first_years_have_four_digits() -> None:
    """Times are compared as texts."""
    assert read_time("0300-01-01") == "0300-01-01T00:00:00.000000Z"


@pytest.mark.parametrize("block", [1, 7, 400, 1 << 18])
@pytest.mark.parametrize("tail", [b"", b'{"half"}}', b"\n"])
def test_the_newest_lines_are_read_first(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, block: int, tail: bytes) -> None:
    """Each whole line comes once, whatever pieces the file is read in; half a line at its end does not."""
    monkeypatch.setattr("certworker.audit.scanning._BLOCK", block)
    ledger.write(2)
    (path,) = ledger.files()
    written = path.read_bytes()
    path.write_bytes(written + tail)
    ((file,),) = log_files(ledger.folder).values()
    assert list(whole_lines(file)) == written.splitlines(keepends=True)[::-1]
    path.write_bytes(b"")
    assert not list(whole_lines(file))
