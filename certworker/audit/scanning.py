"""Scanning: the files of a chain, line by line, each checked against the one before it. No JSON is read for that."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from certworker.audit.files import SUFFIX
from certworker.audit.lines import END, NO_HASH, TAIL

_NAME: Final = re.compile(rf"([0-9]{{8}}T[0-9]{{6}})-([0-9a-f]{{32}})-([1-9][0-9]{{0,8}}){re.escape(SUFFIX)}")
_INTEGRITY: Final = re.compile(rb',"integrity":\{"chain":"([0-9a-f]{32})","sequence":([1-9][0-9]{0,17}),"hash":"$')
_RECORD_ID: Final = slice(13, 49)
_END_OF_TEXT: Final = END.rstrip(b"\n")
_BLOCK: Final = 1 << 18
_MOST_IDS: Final = 2_000_000
"""So many records are looked at for ids that come twice: a set of more would take gigabytes."""


@dataclass(frozen=True, slots=True, order=True)
class LogFile:
    """A file of the log, as its name says: its chain and its number in it. Ordered by chain and number."""

    chain_id: str
    number: int
    begun: str
    path: Path


def log_files(folder: Path) -> Mapping[str, tuple[LogFile, ...]]:
    """List the log's files by chain, each chain's in their order. Raises OSError."""
    chains: dict[str, list[LogFile]] = {}
    for path in folder.iterdir():
        if named := _NAME.fullmatch(path.name):
            file = LogFile(named[2], int(named[3]), named[1], path)
            chains.setdefault(file.chain_id, []).append(file)
    return {chain_id: tuple(sorted(files)) for chain_id, files in chains.items()}


@dataclass(slots=True)
class Scan:
    """What a chain's files hold: from which record to which, what is wrong, and those that were asked for.

    `start` is the sequence number and the hash of the record before the first one that is expected; none where what came
    before was deleted and its hash is not known: then the first line is taken as it says.
    """

    chain_id: str
    start: tuple[int, bytes] | None = (0, NO_HASH)
    wanted: frozenset[int] = frozenset()
    first: int = 0
    last: int = 0
    last_hash: bytes = NO_HASH
    records: int = 0
    size: int = 0
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hashes: dict[int, str] = field(default_factory=dict)
    lines: dict[int, bytes] = field(default_factory=dict)
    first_line: bytes = b""
    last_line: bytes = b""
    before_last: bytes = NO_HASH
    _gaps: list[tuple[int, int]] = field(default_factory=list)

    def read(self, file: LogFile, seen: "SeenIds | None" = None, *, is_newest: bool = True) -> None:
        """Go through a file. Only the newest may end in half a line, which a crash or a full disk leaves."""
        with file.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.endswith(b"\n"):
                    self._line(line, f"{file.path.name}, line {number}")
                    if seen is not None:
                        seen.add(line[_RECORD_ID])
                elif is_newest:
                    self.notes.append(f"{file.path.name} ends in half a line: the process ended while it was being written")
                else:
                    self.findings.append(f"{file.path.name}, line {number}: is cut off")

    def end(self) -> None:
        """Tell of the records that never came."""
        for low, high in self._gaps:
            self.findings.append(f"{_span(low, high)} missing")

    def _line(self, line: bytes, where: str) -> None:
        found = _INTEGRITY.search(line[-TAIL - 120 : -TAIL]) if line[-len(END) :] == END else None
        if found is None or found[1].decode() != self.chain_id:
            self.findings.append(f"{where}: is no record of this chain")
            return
        sequence, digits = int(found[2]), line[-TAIL : -len(END)]
        known = self._previous(sequence)
        if known is not None and sha256(known + line[:-TAIL]).hexdigest().encode() != digits:
            self.findings.append(f"{where}: record {sequence}, or the hash of the one before it, was changed")
        try:
            digest = bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            self.findings.append(f"{where}: record {sequence} has no hash")
            digest = NO_HASH
        self._count(sequence, digest, line, where)

    def _previous(self, sequence: int) -> bytes | None:
        """Give the hash before a record, where it is known: it is the next one of all."""
        if self.records:
            return self.last_hash if sequence == self.last + 1 else None
        return self.start[1] if self.start and sequence == self.start[0] + 1 else None

    def _count(self, sequence: int, digest: bytes, line: bytes, where: str) -> None:
        expected = self.last + 1 if self.records else (self.start[0] + 1 if self.start else sequence)
        if sequence < expected:
            self.findings.append(f"{where}: record {sequence} is out of its place")
            self._fill(sequence)
        elif sequence > expected:
            self._gaps.append((expected, sequence - 1))
        self.records += 1
        self.size += len(line)
        if self.records == 1:
            self.first, self.first_line = sequence, line
        if sequence in self.wanted:
            self.hashes[sequence], self.lines[sequence] = digest.hex(), line
        if sequence >= expected:
            self.before_last, self.last_line = self.last_hash, line
            self.last, self.last_hash = sequence, digest

    def _fill(self, sequence: int) -> None:
        for low, high in [gap for gap in self._gaps if gap[0] <= sequence <= gap[1]]:
            self._gaps.remove((low, high))
            parts = ((low, sequence - 1), (sequence + 1, high))
            self._gaps.extend(part for part in parts if part[0] <= part[1])


def first_sequence(file: LogFile) -> int:
    """Read which record a file begins with; 0 where its first line is none."""
    with file.path.open("rb") as lines:
        line = lines.readline()
    found = _INTEGRITY.search(line[-TAIL - 120 : -TAIL])
    return int(found[2]) if found else 0


class SeenIds:
    """The ids of records, to count those that come twice."""

    def __init__(self) -> None:
        self.twice = 0
        self._ids: set[bytes] = set()

    def add(self, record_id: bytes) -> None:
        """Note one."""
        if record_id in self._ids:
            self.twice += 1
        elif len(self._ids) < _MOST_IDS:
            self._ids.add(record_id)


def whole_lines(file: LogFile) -> Iterator[bytes]:
    """Give the whole lines of a file, the last one first: whoever wants the newest has to understand few of them."""
    with file.path.open("rb") as opened:
        at, rest, is_tail = opened.seek(0, os.SEEK_END), b"", True
        while at:
            size = min(_BLOCK, at)
            at = opened.seek(at - size)
            rest, *lines = (opened.read(size) + rest).split(b"\n")
            if lines and is_tail:
                lines.pop()  # what is after the last line feed is no whole line
                is_tail = False
            yield from (line + b"\n" for line in reversed(lines) if line.endswith(_END_OF_TEXT))
        if not is_tail and rest.endswith(_END_OF_TEXT):
            yield rest + b"\n"


def _span(low: int, high: int) -> str:
    return f"record {low} is" if low == high else f"records {low} to {high} are"
