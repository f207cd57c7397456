"""Draining and pruning: records of transactions reach the log in order and once, and old files go without a trace of theft."""

import json
import os
from datetime import timedelta

import pytest

from certworker.audit.draining import Drain
from certworker.audit.log import AuditLog
from certworker.audit.pruning import prune
from certworker.audit.searching import search_files
from certworker.vault.audit.search import Search
from certworker.vault.audit.trail import Trace, tracing
from tests.audit.ledger import Ledger
from tests.support.clock import FakeClock


def change(ledger: Ledger, number: int) -> None:
    """Change something in a transaction that has its record in it."""
    house = ledger.deployment.house
    with tracing(Trace(lambda: ledger.record(number))), house.store.writing() as writer:
        writer.set_contacts(ledger.deployment.vault.id, ())


def drain_of(ledger: Ledger, log: AuditLog, owner: str = "a worker") -> Drain:
    """Make what drains into a log."""
    return Drain(ledger.deployment.house.store, log, owner, ledger.deployment.house.clock)


def drained(ledger: Ledger) -> list[int]:
    """List the numbers of the records of changes in the log, as readers see them, the oldest first."""
    found = [json.loads(line) for path in ledger.files() for line in path.read_bytes().splitlines()]
    ids = [record["recordId"] for record in found if record["operationName"] == "SecretGet"]
    return [int(one[:8]) for one in dict.fromkeys(ids)]


def settle(ledger: Ledger) -> None:
    """Let what the set-up has recorded go, so that what follows is alone."""
    with ledger.deployment.house.store.writing() as writer:
        writer.delete_pending_records(tuple(record.number for record in writer.pending_records(1000)))


def test_records_of_transactions_are_drained_in_order(ledger: Ledger) -> None:
    """What waits goes into the log, the oldest first, and waits no longer."""
    settle(ledger)
    for number in range(20):
        change(ledger, number)
    log = ledger.log()
    assert drain_of(ledger, log).run() == 20
    assert drain_of(ledger, log).run() == 0
    assert drained(ledger) == list(range(20))
    log.close()
    assert ledger.verify().passed


def test_a_crash_before_the_log_loses_nothing(ledger: Ledger) -> None:
    """A process that is gone after it claimed the records has written none: the next one drains them when the lease is over."""
    settle(ledger)
    change(ledger, 1)
    house, clock = ledger.deployment.house, ledger.deployment.house.clock
    with house.store.writing() as writer:
        assert writer.claim_audit_drain("a worker that is gone", clock(), timedelta(seconds=5))
    log = ledger.log()
    assert drain_of(ledger, log).run() == 0
    assert isinstance(clock, FakeClock)
    clock.advance(timedelta(seconds=5))
    assert drain_of(ledger, log).run() == 1
    assert drained(ledger) == [1]
    log.close()


def test_a_crash_after_the_log_counts_once(ledger: Ledger) -> None:
    """Killed between the log and the deletion, a record is drained again: it stands in two lines, and readers see one."""
    settle(ledger)
    change(ledger, 1)
    house = ledger.deployment.house
    with house.store.reading() as reader:
        (waiting,) = reader.pending_records(10)
    killed = ledger.log()
    killed.append_texts([waiting.text], synced=True)
    log = ledger.log()
    assert drain_of(ledger, log).run() == 1
    log.close()
    killed.close()
    found = ledger.verify()
    assert found.passed
    assert found.twice == 1
    assert "1 records come twice" in found.notes[0]
    assert len(search_files(ledger.folder, Search(operation="SecretGet"))) == 1


def test_what_a_hand_in_the_database_puts_there_breaks_no_line(ledger: Ledger) -> None:
    """Text that is no record is quoted: it cannot forge a line, or end one."""
    settle(ledger)
    wrong = ['{"a":1}\n{"recordId":"forged"}', "no json", "[1]", '{"a":"\u202e"}', '{"a":1} ']
    with ledger.deployment.house.store.writing() as writer:
        for text in wrong:
            writer.add_pending_record(text)
    log = ledger.log()
    assert drain_of(ledger, log).run() == len(wrong)
    log.close()
    assert ledger.verify().passed
    lines = [json.loads(line) for line in ledger.files()[0].read_bytes().splitlines()]
    assert [line["properties"]["text"] for line in lines if line["operationName"] == "AuditRecordBroken"] == wrong


@pytest.mark.parametrize("crash", [False, True])
def test_old_files_go_and_the_rest_still_passes(ledger: Ledger, clock: FakeClock, *, crash: bool) -> None:
    """Up to where was deleted is signed before a file goes; killed between the two, the next round goes on."""
    log = ledger.log(rotate_bytes=4096)
    for number in range(20):
        log.append(ledger.record(number))
    log.sync()
    log.put_head()
    files, house = ledger.files(), ledger.deployment.house
    assert len(files) >= 4
    for path in files[:2]:
        os.utime(path, (clock().timestamp() - 1e6, clock().timestamp() - 1e6))
    for path in files[2:]:
        os.utime(path, (clock().timestamp(), clock().timestamp()))
    kept = files[1].read_bytes() if crash else b""
    assert prune(ledger.folder, house.store, ledger.notary, clock(), timedelta(days=7)) == 2
    if crash:
        files[1].write_bytes(kept)
        os.utime(files[1], (clock().timestamp() - 1e6, clock().timestamp() - 1e6))
        assert ledger.verify().passed, ledger.verify()
        assert prune(ledger.folder, house.store, ledger.notary, clock(), timedelta(days=7)) == 1
    assert ledger.files() == files[2:]
    assert ledger.verify().passed, ledger.verify()
    log.close()
    assert ledger.verify().passed
    ledger.files()[0].unlink()
    assert not ledger.verify().passed


def test_a_file_that_was_changed_is_kept_as_evidence(ledger: Ledger, clock: FakeClock) -> None:
    """Pruning deletes what is whole and covered by a signed head, and nothing else."""
    ledger.write(20, rotate_bytes=4096)
    first, *_ = files = ledger.files()
    first.write_bytes(first.read_bytes().replace(b"SecretGet", b"SecretSet", 1))
    for path in files:
        os.utime(path, (0, 0))
    house = ledger.deployment.house
    assert prune(ledger.folder, house.store, ledger.notary, clock(), timedelta(days=7)) == 0
    assert ledger.files() == files


def test_a_chain_that_is_wholly_old_goes_wholly(ledger: Ledger, clock: FakeClock) -> None:
    """Of a chain that was closed nothing stays, and nothing is missed."""
    ledger.write(20, rotate_bytes=4096)
    ledger.write(3, begin=20)
    chain_id = next(chain.chain_id for chain in ledger.verify().chains if chain.files > 1)
    for path in ledger.folder.glob(f"*-{chain_id}-*"):
        os.utime(path, (0, 0))
    house = ledger.deployment.house
    assert prune(ledger.folder, house.store, ledger.notary, clock(), timedelta(days=7)) > 1
    found = ledger.verify()
    assert found.passed, found
    assert len(found.chains) == 1
