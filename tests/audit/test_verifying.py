"""Verifying: whatever is done to the log's files, or to what the database says of them, is found and named."""

import json
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from certworker.audit.lines import NO_HASH, seal_line
from certworker.audit.statements import Instance, opening_text
from certworker.audit.verifying import verify
from certworker.audit.witness import parse_witness, read_witness
from certworker.crypto.audit_signatures import audit_key_id, new_audit_key, sign_audit
from certworker.errors import BadParameter
from certworker.vault.audit.port import AuditKey
from tests.audit.ledger import HOST, Ledger
from tests.support.clock import FakeClock

Lines = list[bytes]


def rewrite(path: Path, change: Callable[[Lines], Lines]) -> None:
    """Change the lines of a file."""
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def chained(lines: Lines) -> Lines:
    """Make a chain of lines that were changed, as anybody can who knows the format."""
    previous, sealed = NO_HASH, []
    for sequence, line in enumerate(lines, 1):
        text, _, rest = line.decode().rpartition(',"integrity":')
        sealed_line, previous = seal_line(previous, text + "}", json.loads(rest[:-2])["chain"], sequence)
        sealed.append(sealed_line)
    return sealed


def changed(lines: Lines) -> Lines:
    """Let a failure look like a success, in a line in the middle."""
    return [*lines[:5], lines[5].replace(b"SecretGet", b"SecretSet"), *lines[6:]]


def said(ledger: Ledger) -> str:
    """Give all findings in one text; there is one at the least."""
    found = ledger.verify()
    assert not found.passed
    return " / ".join([*found.findings, *(finding for chain in found.chains for finding in chain.findings)])


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        pytest.param(changed, "record 6, or the hash", id="a byte changed"),
        pytest.param(lambda lines: [*lines[:5], *lines[6:]], "record 6 is missing", id="a record dropped"),
        pytest.param(lambda lines: lines[1:], "records? 1 is missing", id="the opening dropped"),
        pytest.param(
            lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], "record 6 is out of its place", id="two swapped"
        ),
        pytest.param(lambda lines: lines[:-4], "the tail is cut off: records 19 to 22", id="the tail cut off"),
        pytest.param(lambda lines: [*lines[:5], lines[5], *lines[5:]], "record 6 is out of its place", id="one repeated"),
        pytest.param(lambda lines: chained(changed(lines)), "not signed by the chain's key", id="hashed anew"),
        pytest.param(lambda lines: chained(changed(lines))[:-1], "is cut off", id="hashed anew, end dropped"),
        pytest.param(lambda lines: [*lines[:5], lines[5][:-70] + b"\n", *lines[6:]], "no record", id="a hash cut off"),
        pytest.param(lambda lines: [*lines[:5], b"\xff\x00\n", *lines[6:]], "is no record of this chain", id="no record"),
        pytest.param(lambda _: [], "tail is cut off: records 1 to 22", id="emptied"),
    ],
)
def test_what_was_done_to_a_file_is_found(ledger: Ledger, change: Callable[[Lines], Lines], finding: str) -> None:
    """Each way to change a file is found, and named."""
    ledger.write(20)
    assert ledger.verify().passed
    rewrite(ledger.files()[0], change)
    text = said(ledger)
    assert finding.replace("records?", "record") in text, text


def test_a_signed_head_finds_a_chain_that_was_written_anew(ledger: Ledger) -> None:
    """Hashes can be made by anybody; the head in the database was signed over the one that was."""
    log = ledger.log()
    for number in range(20):
        log.append(ledger.record(number))
    log.sync()
    log.put_head()
    rewrite(ledger.files()[0], lambda lines: chained(changed(lines)))
    assert "record 21 is not the one that was signed" in said(ledger)
    log.close()


@pytest.mark.parametrize(
    ("index", "finding"), [(0, "record 1 is missing|records 1 to"), (1, "files with the numbers 2 are missing")]
)
def test_a_whole_file_that_is_gone_is_missed(ledger: Ledger, index: int, finding: str) -> None:
    """A file in the middle of a chain is missed, and so is its first."""
    ledger.write(20, rotate_bytes=4096)
    ledger.files()[index].unlink()
    text = said(ledger)
    assert any(part in text for part in finding.split("|")), text


def test_a_whole_chain_that_is_gone_is_missed(ledger: Ledger) -> None:
    """The head in the database tells of a chain without a file; and without the head, the chain that knew it."""
    ledger.write(5)
    ledger.write(5, begin=5)
    first = next(path for path in ledger.files() if b'"known"' not in path.read_bytes())
    chain_id = first.name.split("-")[1]
    first.unlink()
    assert f"the chain {chain_id} of {HOST} has no file here" in said(ledger)
    house = ledger.deployment.house
    witness = read_witness(house.store)
    heads = {name: head for name, head in witness.heads.items() if name != chain_id}
    found = verify(ledger.folder, replace(witness, heads=heads), HOST)
    assert f"the chain {chain_id} is gone, and its head too" in found.findings[0]


def test_a_head_that_is_gone_or_older_is_found(ledger: Ledger) -> None:
    """Whoever takes the heads out of the database, or puts older ones back, is found by the files."""
    ledger.write(5)
    witness = read_witness(ledger.deployment.house.store)
    ((chain_id, head),) = witness.heads.items()
    gone = verify(ledger.folder, replace(witness, heads={}), HOST)
    assert "no signed head" in gone.chains[0].findings[0]
    forged = replace(head, sequence=3)
    with ledger.deployment.house.store.writing() as writer:
        writer.put_chain_head(forged)
    assert f"the head of the chain {chain_id} in the database has a wrong signature" in said(ledger)


def test_a_head_that_was_put_back_is_found(ledger: Ledger, clock: FakeClock) -> None:
    """An older head, signed as it is, does not hold when the process went on for long; a pause before its last words does."""
    log, house = ledger.log(), ledger.deployment.house
    log.append(ledger.record(1))
    log.sync()
    log.put_head()
    with house.store.reading() as reader:
        (older,) = reader.chain_heads()
    clock.advance(timedelta(hours=1))
    log.append(ledger.record(2))
    assert ledger.verify().passed
    clock.advance(timedelta(hours=1))
    log.append(ledger.record(3))
    log.sync()
    log.put_head()
    assert ledger.verify().passed
    with house.store.writing() as writer:
        writer.put_chain_head(older)
    assert "no signed head follows" in said(ledger)
    log.close()


def test_a_forged_chain_is_found(ledger: Ledger) -> None:
    """A chain that somebody opened with a key of their own is found, even where they put that into the database."""
    ledger.write(3)
    private, public = new_audit_key()
    chain_id, at, key_id = "f" * 32, ledger.deployment.house.clock(), audit_key_id(public)
    opening = opening_text(
        chain_id, Instance(HOST, 1, "api", 0), at, (key_id, public), (), lambda data: sign_audit(private, data)
    )
    previous, lines = NO_HASH, []
    for sequence, text in enumerate((opening, ledger.record(1).text()), 1):
        line, previous = seal_line(previous, text, chain_id, sequence)
        lines.append(line)
    (ledger.folder / f"20260101T000000-{chain_id}-1.jsonl").write_bytes(b"".join(lines))
    text = said(ledger)
    assert "not signed by a key of this deployment" in text
    assert "no signed head" in text
    with ledger.deployment.house.store.writing() as writer:
        writer.add_audit_key(AuditKey(key_id, public, b64encode(private), at))
    assert f"the audit key {key_id} in the database is not one that was made here" in said(ledger)


def test_old_keys_still_count(ledger: Ledger) -> None:
    """After a rotation the next chain has another key, and what the older one signed holds."""
    ledger.write(3)
    ledger.notary.rotate()
    ledger.write(3, begin=3)
    found = ledger.verify()
    assert found.passed
    keys = {json.loads(path.read_bytes().splitlines()[0])["properties"]["keyId"] for path in ledger.files()}
    assert len(keys) == 2


def test_others_can_verify_with_the_witness_in_a_file(ledger: Ledger) -> None:
    """Heads, cuts and public keys go into a file and come back; what is no such file is refused."""
    ledger.write(3)
    text = read_witness(ledger.deployment.house.store).as_json(ledger.deployment.house.clock())
    assert verify(ledger.folder, parse_witness(text), HOST).passed
    rewrite(ledger.files()[0], lambda lines: lines[:-1])
    assert not verify(ledger.folder, parse_witness(text), HOST).passed
    assert verify(ledger.folder, None, HOST).passed
    for wrong in ("", "[]", '{"keys":{}}', '{"keys":{},"heads":[{}],"cuts":[]}'):
        with pytest.raises(BadParameter):
            parse_witness(wrong)


def test_chains_of_other_machines_are_not_missed_here(ledger: Ledger) -> None:
    """Several machines share a database and have their own files; only who has all asks for all."""
    ledger.write(3)
    witness = read_witness(ledger.deployment.house.store)
    elsewhere = ledger.folder.parent / "elsewhere"
    elsewhere.mkdir()
    assert verify(elsewhere, witness, "another").passed
    assert not verify(elsewhere, witness, "another", all_hosts=True).passed


def test_a_hundred_thousand_records_take_seconds(ledger: Ledger) -> None:
    """A day's log is gone through without reading its JSON."""
    log = ledger.log()
    texts = [ledger.record(number).text() for number in range(1000)]
    for _ in range(100):
        log.append_texts(texts)
    log.close()
    begun = time.perf_counter()
    found = ledger.verify()
    assert found.passed
    assert (found.records, found.twice) == (100_002, 99_000)
    assert time.perf_counter() - begun < 10
