"""Verifying: are the files what was written, all of it and nothing else? Told chain by chain, each finding in a sentence."""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from certworker.audit.lines import NO_HASH
from certworker.audit.scanning import LogFile, Scan, SeenIds, first_sequence, log_files
from certworker.audit.statements import CLOSING, OPENING, SIGNATURE, signed_line
from certworker.audit.witness import Witness
from certworker.crypto.audit_signatures import audit_key_id, is_signed
from certworker.vault.audit.port import ChainHead

STALE: Final = timedelta(minutes=2)
"""A process that writes for longer than this without a new head did not reach the database, or somebody put its head back.

Longer than `head_seconds` can be.
"""


@dataclass(frozen=True, slots=True)
class ChainReport:
    """A chain. `after_head` are records that no signature covers yet.

    `at_risk` is how many a power cut may have cost at most; none where the opening, which tells that, was deleted by its age.
    """

    chain_id: str
    host: str
    role: str
    files: int
    records: int
    size: int
    first: int
    last: int
    begun: str
    ended: str
    closed: bool
    after_head: int
    at_risk: int | None
    findings: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found, chain by chain, and in the whole."""

    chains: tuple[ChainReport, ...]
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    twice: int

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and not any(chain.findings for chain in self.chains)

    @property
    def records(self) -> int:
        """Count the records."""
        return sum(chain.records for chain in self.chains)


def shown_verification(found: Verification) -> dict[str, Any]:
    """Show what was found, as JSON has it."""
    return {"passed": found.passed, "records": found.records, **asdict(found)}


@dataclass(slots=True)
class _Chain:
    id: str
    files: tuple[LogFile, ...]
    scan: Scan
    opening: Mapping[str, Any] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(folder: Path, witness: Witness | None, host: str, *, all_hosts: bool = False) -> Verification:
    """Verify all files in a folder. Without a witness only the chains themselves are, and nothing tells of a cut tail.

    Chains that the witness knows of other hosts, and of which nothing is here, are not missed unless `all_hosts`. Raises
    OSError.
    """
    seen, findings = SeenIds(), list(witness.findings if witness else ())
    notes: list[str] = []
    chains = {chain_id: _open(chain_id, files, witness) for chain_id, files in sorted(log_files(folder).items())}
    _want_known(chains)
    for chain in chains.values():
        for file in chain.files:
            chain.scan.read(file, seen, is_newest=file is chain.files[-1])
        chain.scan.end()
        _check_numbers(chain)
        if witness:
            _check_against(chain, witness)
    hosts = {host, *(str(chain.opening.get("host", "")) for chain in chains.values())}
    for head in _missing(chains, witness):
        told = findings if all_hosts or head.host in hosts else notes
        told.append(f"the chain {head.chain_id} of {head.host} has no file here: it had {head.sequence} records")
    findings += _check_known(chains, witness)
    if witness and witness.keys and not (chains or witness.heads or witness.cuts):
        findings.append("a key was made, but there is no chain and no head: all of them were removed")
    if witness is None:
        notes.append("no signed heads were at hand: a tail that was cut off, or a whole chain, would not be missed")
    if seen.twice:
        notes.append(f"{seen.twice} records come twice: a process was killed while it drained them; readers count each once")
    reports = tuple(_report(chain, witness) for chain in chains.values())
    return Verification(tuple(sorted(reports, key=lambda one: one.begun)), tuple(findings), tuple(notes), seen.twice)


def verify_live(folder: Path, read: Callable[[], Witness], host: str, *, all_hosts: bool = False) -> Verification:
    """Verify files that are being written to, against the database, which `read` reads.

    A chain that is opened, or a file that is deleted by its age, just after the database was read would be taken for a forgery
    or a theft: what is found has to be so a second time. Raises OSError, Unavailable.
    """
    with suppress(FileNotFoundError):
        found = verify(folder, read(), host, all_hosts=all_hosts)
        if found.passed:
            return found
    return verify(folder, read(), host, all_hosts=all_hosts)


def _open(chain_id: str, files: tuple[LogFile, ...], witness: Witness | None) -> _Chain:
    """Read a chain's opening, and where its records begin: after a cut, what was before is known by its signature."""
    scan = Scan(chain_id)
    chain = _Chain(chain_id, files, scan)
    cut = witness.cuts.get(chain_id) if witness else None
    head = witness.heads.get(chain_id) if witness else None
    if files[0].number > 1 and cut:
        # a process that was killed before it deleted what it had signed as deleted has left a file over
        begin = first_sequence(files[0])
        scan.start = (cut.sequence, bytes.fromhex(cut.hash)) if not 0 < begin <= cut.sequence else None
    elif files[0].number > 1 and witness is None:
        scan.start = None
        chain.notes.append("begins with a later file: what was before is not here")
    scan.wanted = frozenset(one.sequence for one in (cut, head) if one)
    if head:
        scan.wanted |= {head.sequence + 1}
    if files[0].number == 1:
        _read_opening(chain, witness)
    return chain


def _read_opening(chain: _Chain, witness: Witness | None) -> None:
    with chain.files[0].path.open("rb") as lines:
        line = lines.readline()
    if not line:
        chain.notes.append("is empty: the process ended before it wrote anything")
        return
    record = _signed_record(line, OPENING)
    found = record.get("properties", {})
    key_id = str(found.get("keyId"))
    public = witness.keys.get(key_id, b"") if witness else _decoded(found.get("publicKey"))
    if found.get("chain") != chain.id or not _is_signed_line(line, record, OPENING, "", public):
        chain.findings.append("the opening is not signed by a key of this deployment: the chain is forged, or its begin is")
        return
    if witness is None:
        chain.notes.append(f"the opening is signed by the key {audit_key_id(public)}, which it names itself")
    known = found.get("known", [])
    if not (isinstance(known, list) and all(map(_is_known, known))):
        chain.findings.append("the opening tells of another chain what no process writes: it is forged")
        return
    chain.opening = {**found, "public": public}


def _is_known(known: object) -> bool:
    """Tell whether an opening that only vouches for itself has the form of one."""
    return isinstance(known, dict) and [type(known.get(name)) for name in ("chain", "sequence", "hash")] == [str, int, str]


def _signed_record(line: bytes, operation: str) -> Mapping[str, Any]:
    with suppress(ValueError, RecursionError):
        record = json.loads(line)
        if isinstance(record, dict) and record.get("operationName") == operation and isinstance(record.get("properties"), dict):
            return record
    return {}


def _is_signed_line(line: bytes, record: Mapping[str, Any], operation: str, last: str, public: bytes) -> bool:
    begin, found, _ = line.rpartition(SIGNATURE)
    return bool(found) and is_signed(public, _decoded(record.get("signature")), signed_line(operation, last, begin))


def _want_known(chains: Mapping[str, _Chain]) -> None:
    for chain in chains.values():
        for known in chain.opening.get("known", ()):
            if other := chains.get(known["chain"]):
                other.scan.wanted |= {known["sequence"]}


def _check_numbers(chain: _Chain) -> None:
    numbers = [file.number for file in chain.files]
    if missing := sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers)):
        chain.findings.append(f"the files with the numbers {', '.join(map(str, missing))} are missing")
    chain.findings += chain.scan.findings
    chain.notes += chain.scan.notes


def _check_against(chain: _Chain, witness: Witness) -> None:
    scan, head, cut = chain.scan, witness.heads.get(chain.id), witness.cuts.get(chain.id)
    if cut and cut.sequence in scan.hashes and scan.hashes[cut.sequence] != cut.hash:
        chain.findings.append(f"record {cut.sequence} is not the one that was signed when it was to be deleted")
    if head is None:
        if witness.at and _is_later(chain, witness.at):
            chain.notes.append("was opened after the heads were printed: a tail that was cut off would not be missed")
        elif scan.last > 1:
            chain.findings.append("the database has no signed head of it: it was removed, or the chain is forged")
        elif scan.last:
            chain.notes.append("the process ended while it opened it")
        return
    if scan.last < head.sequence:
        chain.findings.append(f"the tail is cut off: records {scan.last + 1} to {head.sequence} are missing")
    elif scan.hashes.get(head.sequence, head.hash) != head.hash:
        chain.findings.append(f"record {head.sequence} is not the one that was signed: the chain was written anew")
    if head.closed and scan.last > head.sequence:
        chain.findings.append(f"records {head.sequence + 1} to {scan.last} come after its end")
    since, until = _time_of(scan.lines.get(head.sequence + 1, b"")), _time_of(scan.last_line)
    if since and until and until - since > STALE:
        chain.findings.append(
            f"no signed head follows that of {head.at:%Y-%m-%d %H:%M:%S}, though records do: an older one was put back, or the "
            "database was away until the process ended"
        )


def _is_later(chain: _Chain, at: datetime) -> bool:
    """Tell whether a chain whose opening is signed as it should be was opened after a time."""
    opened = _time_of(chain.scan.first_line) if chain.opening else None
    return opened is not None and opened >= at


def _missing(chains: Mapping[str, _Chain], witness: Witness | None) -> list[ChainHead]:
    """List the chains that should be here, and of which no file is."""
    if witness is None:
        return []
    cut = {cut.chain_id: cut.sequence for cut in witness.cuts.values()}
    return [head for chain_id, head in witness.heads.items() if chain_id not in chains and cut.get(chain_id, 0) < head.sequence]


def _check_known(chains: Mapping[str, _Chain], witness: Witness | None) -> list[str]:
    """Check what chains knew of each other when they were opened."""
    findings: dict[str, str] = {}
    for chain in chains.values():
        # what was opened since may know chains that are not in what was printed
        heads = None if witness and witness.at and _is_later(chain, witness.at) else witness
        for known in chain.opening.get("known", ()):
            name = known["chain"]
            if found := _check_one(chains.get(name), known, heads):
                findings.setdefault(name, f"{found}, which {chain.id} knew when it was opened")
    return list(findings.values())


def _check_one(chain: _Chain | None, known: Mapping[str, Any], witness: Witness | None) -> str:
    name, sequence = known["chain"], known["sequence"]
    if chain is None:
        gone = witness and name not in witness.heads and name not in witness.cuts
        return f"the chain {name} is gone, and its head too" if gone else ""
    if chain.scan.last < sequence:
        return f"the chain {name} ends before record {sequence}"
    if chain.scan.hashes.get(sequence, known["hash"]) != known["hash"]:
        return f"the chain {name} has another record {sequence} than the one"
    return ""


def _report(chain: _Chain, witness: Witness | None) -> ChainReport:
    scan, head = chain.scan, witness.heads.get(chain.id) if witness else None
    closed, found = _closing(chain), chain.findings
    if head and head.closed and not closed and scan.last == head.sequence:
        found = [*found, "the last record is not a signed closing, and the head says that it is"]
    return ChainReport(
        chain_id=chain.id,
        host=str(chain.opening.get("host", head.host if head else "")),
        role=str(chain.opening.get("role", "")),
        files=len(chain.files),
        records=scan.records,
        size=scan.size,
        first=scan.first,
        last=scan.last,
        begun=_text_time(scan.first_line),
        ended=_text_time(scan.last_line),
        closed=closed,
        after_head=max(0, scan.last - head.sequence) if head else scan.last,
        at_risk=0 if closed else chain.opening.get("mostUnsynced"),
        findings=tuple(found),
        notes=tuple(chain.notes),
    )


def _closing(chain: _Chain) -> bool:
    """Tell whether the chain ends in order: with a closing that is signed over the hash of the record before it."""
    record = _signed_record(chain.scan.last_line, CLOSING)
    public = chain.opening.get("public")
    if not record or not isinstance(public, bytes):
        return bool(record)
    before = chain.scan.before_last if chain.scan.records > 1 else NO_HASH
    if _is_signed_line(chain.scan.last_line, record, CLOSING, before.hex(), public):
        return True
    chain.findings.append("the closing is not signed by the chain's key")
    return False


def _time_of(line: bytes) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(_text_time(line))
    return None


def _text_time(line: bytes) -> str:
    with suppress(ValueError, RecursionError):
        record = json.loads(line)
        if isinstance(record, dict):
            return str(record.get("time", ""))
    return ""


def _decoded(text: object) -> bytes:
    with suppress(ValueError):
        return b64decode(str(text), validate=True)
    return b""
