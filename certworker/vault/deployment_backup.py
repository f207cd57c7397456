"""The backup of a whole deployment: one file, sealed, that any database of this release or a later one takes back.

A file reads, in bytes:

    magic           8 bytes, "CWBACKUP"
    format          1 byte, 1
    header          4 bytes of length (big-endian), then JSON: see `Header`
    chunks          to the end: see `crypto.sealed_stream`

The chunks are sealed under a random key that only the header holds, wrapped by the master key, which is not in the file. The
whole head is bound into each chunk. Inside is JSON, one value on a line, deflated chunk by chunk: a table's shape, its rows,
and at the end the count of rows of every table. Records that are sealed in the database are in here as they are there.
"""

import base64
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, BinaryIO, Final
from uuid import uuid4

from pydantic import Base64Bytes, StringConstraints, TypeAdapter, ValidationError

from certworker.clock import Clock, whole_second
from certworker.crypto.sealed_stream import open_chunks, seal_chunks
from certworker.crypto.sealing import new_key
from certworker.errors import SealBroken, SetupError
from certworker.vault.deployment_tables import Batch, Cell, Cells, DeploymentTables, Shape, Snapshot
from certworker.vault.keyring import MasterKey

MAGIC: Final = b"CWBACKUP"
FORMAT: Final = 1
_PREFIX_SIZE: Final = len(MAGIC) + 1 + 4
_MOST_HEADER: Final = 64 * 1024
_CHUNK: Final = 512 * 1024
"""So many bytes of lines make a chunk; the last line of it may be longer."""
_MOST_INFLATED: Final = 256 * 1024 * 1024
_QUICKLY: Final = 1

Name = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,128}$")]
"""A name that is shown before anything is proven: nothing in it means anything to a terminal."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file tells to anybody. `revision` is the schema's, `deployment_id` the id of the service's own vault."""

    created: datetime
    revision: Name
    deployment_id: Name
    master_key_id: Name
    backup_id: Name
    wrapped_key: Base64Bytes

    @property
    def place(self) -> str:
        """Where the wrapped key belongs."""
        return f"deployment-backup/{self.deployment_id}/{self.backup_id}"


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a backup. `in_token` counts the versions of keys that lie in a hardware token, and so not in the backup."""

    header: Header
    rows: Mapping[str, int]
    in_token: int


_HEADER: Final = TypeAdapter(Header)

MasterKeys = Callable[[str | None], MasterKey]
"""Finds the master key of an id. Raises SetupError where it is not there."""


class DeploymentBackups:
    """Makes backups of a deployment, reads them, and puts them back."""

    def __init__(self, tables: DeploymentTables, master_keys: MasterKeys, clock: Clock) -> None:
        self._tables = tables
        self._master_keys = master_keys
        self._clock = clock

    def create(self, file: BinaryIO) -> Contents:
        """Write a backup, and read it again: what was never read is no backup. The service goes on meanwhile.

        Raises SetupError where nothing was set up or the master key is another, SealBroken where the file does not hold.
        """
        with self._tables.snapshot() as snapshot:
            write_backup(file, snapshot, self._master_keys(snapshot.master_key_id), whole_second(self._clock()))
            counted = {shape.name: snapshot.count(shape) for shape in snapshot.shapes()}
        contents = self.contents(file)
        if contents.rows != counted:
            raise Damaged("It does not hold the rows that the database had.")
        return contents

    def contents(self, file: BinaryIO) -> Contents:
        """Open a whole backup, and tell what is in it. Raises as `read_batches` does."""
        file.seek(0)
        tally = _Tally()
        for _ in _batches(file, self._master_keys, tally):
            continue
        file.seek(0)
        return Contents(_read_head(file)[0], dict(tally.rows), tally.in_token)

    def restore(self, file: BinaryIO) -> Contents:
        """Put a backup into an empty database, all or nothing; it is opened to its end before anything is touched.

        Raises as `contents` does, and Conflict where the database is not empty.
        """
        contents = self.contents(file)
        self._tables.check_vacant()
        file.seek(0)
        self._tables.load(contents.header.revision, read_batches(file, self._master_keys))
        return contents


class Damaged(SealBroken):
    """A backup was altered, is cut off, or never was one."""

    def __init__(self, why: str) -> None:
        super().__init__(f"This backup cannot be used. {why}")


def write_backup(file: BinaryIO, snapshot: Snapshot, master: MasterKey, at: datetime) -> None:
    """Write all tables of a snapshot. The memory of one chunk is enough, however much there is.

    Raises SetupError where the snapshot's keys are wrapped by another master key.
    """
    header = Header(at, snapshot.revision, snapshot.deployment_id, master.id, uuid4().hex, b"")
    head = _head(replace(header, wrapped_key=master.wrap(key := new_key(), header.place)))
    file.write(head)
    file.writelines(seal_chunks(key, head, _deflated(_lines(snapshot, _Tally(master.id)))))


def read_batches(file: BinaryIO, master_keys: MasterKeys) -> Iterator[Batch]:
    """Open a backup and give its rows, from the beginning of the file to its end.

    Raises SetupError where it belongs to another master key or a later release, and SealBroken where any byte is not as it
    was written; it may be the last one, so nothing counts before the end.
    """
    yield from _batches(file, master_keys, _Tally())


class _Tally:
    """Counts what goes by, and looks at what must be so of it."""

    def __init__(self, master_key_id: str | None = None) -> None:
        self._master_key_id = master_key_id
        self.rows: Counter[str] = Counter()
        self.in_token = 0

    def begin(self, shape: Shape) -> None:
        """Begin a table."""
        self.rows[shape.name] += 0

    def count(self, shape: Shape, row: Cells) -> None:
        """Count a row. Raises SetupError for a vault key that another master key than the given one wraps."""
        self.rows[shape.name] += 1
        if self._master_key_id and shape.name == "vault_key":
            found = str(_cell(shape, row, "master_key_id"))
            if found != self._master_key_id:
                raise SetupError(
                    f"The vault keys are wrapped by the master key {found}, and this one is {self._master_key_id}."
                )
        if shape.name == "key_version" and _cell(shape, row, "hsm_key_id") is not None:
            self.in_token += 1


def _cell(shape: Shape, row: Cells, column: str) -> Cell:
    return row[shape.columns.index(column)] if column in shape.columns else None


def _head(header: Header) -> bytes:
    text = _HEADER.dump_json(header)
    return MAGIC + bytes([FORMAT]) + len(text).to_bytes(4, "big") + text


def _read_head(file: BinaryIO) -> tuple[Header, bytes]:
    prefix = file.read(_PREFIX_SIZE)
    if len(prefix) < _PREFIX_SIZE or not prefix.startswith(MAGIC):
        raise Damaged("It is no backup of a deployment.")
    if prefix[len(MAGIC)] != FORMAT:
        raise SetupError(f"This backup has the format {prefix[len(MAGIC)]}, which a later release has made. Use that release.")
    size = int.from_bytes(prefix[-4:], "big")
    text = file.read(size) if size <= _MOST_HEADER else b""
    try:
        return _HEADER.validate_json(text), prefix + text
    except ValidationError:
        raise Damaged("Its header cannot be read.") from None


def _lines(snapshot: Snapshot, tally: _Tally) -> Iterator[bytes]:
    for shape in snapshot.shapes():
        tally.begin(shape)
        yield _line(
            {"table": shape.name, "columns": shape.columns, "binary": sorted(shape.binary), "counter": shape.counter},
        )
        for row in snapshot.rows(shape):
            tally.count(shape, row)
            yield _line([base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell for cell in row])
    yield _line({"rows": tally.rows})


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _deflated(lines: Iterable[bytes]) -> Iterator[bytes]:
    held, size = [], 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= _CHUNK:
            yield zlib.compress(b"".join(held), _QUICKLY)
            held, size = [], 0
    yield zlib.compress(b"".join(held), _QUICKLY)


def _batches(file: BinaryIO, master_keys: MasterKeys, tally: _Tally) -> Iterator[Batch]:
    header, head = _read_head(file)
    key = _unwrap(header, master_keys)
    shape: Shape | None = None
    said: object = None
    try:
        for chunk in open_chunks(key, head, file.read):
            rows: list[Cells] = []
            for value in map(json.loads, _inflate(chunk).splitlines()):
                if isinstance(value, list) and shape:
                    rows.append(_row(shape, value))
                    tally.count(shape, rows[-1])
                    continue
                if shape:
                    yield Batch(shape, tuple(rows))
                rows, said = [], value.get("rows")
                shape = None if said is not None else _shape(value)
                if shape:
                    tally.begin(shape)
            if shape:
                yield Batch(shape, tuple(rows))
    except SealBroken as error:
        raise Damaged(str(error)) from None
    if said != tally.rows:
        raise Damaged("It does not hold the rows that it says it holds.")


def _unwrap(header: Header, master_keys: MasterKeys) -> bytes:
    try:
        master = master_keys(header.master_key_id)
    except SetupError as error:
        raise SetupError(f"{_wants(header)}, which is not here. Nothing was changed. {error}") from error
    if master.id != header.master_key_id:
        raise SetupError(f"{_wants(header)}, and this one is {master.id}. Nothing was changed.")
    try:
        return master.unwrap(header.wrapped_key, header.place)
    except SealBroken:
        raise Damaged("Its header was altered.") from None


def _wants(header: Header) -> str:
    return f"This backup was made under the master key {header.master_key_id}"


def _inflate(chunk: bytes) -> bytes:
    inflating = zlib.decompressobj()
    lines = inflating.decompress(chunk, _MOST_INFLATED)
    if inflating.unconsumed_tail:
        raise SealBroken("A chunk of it is too large.")
    return lines


def _shape(value: Mapping[str, object]) -> Shape:
    return _SHAPE.validate_python({**value, "name": value["table"]})


def _row(shape: Shape, values: list[Cell]) -> Cells:
    return tuple(
        base64.b64decode(value) if column in shape.binary and isinstance(value, str) else value
        for column, value in zip(shape.columns, values, strict=True)
    )


_SHAPE: Final = TypeAdapter(Shape)
