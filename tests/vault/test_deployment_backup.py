"""The backup of a whole deployment: what it holds, what it never holds, and every way in which it is refused."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certworker.crypto.sealing import new_key
from certworker.errors import Conflict, SealBroken, SetupError
from certworker.store.dump import SqlTables
from certworker.store.migrate import HEAD
from certworker.vault.deployment_backup import MAGIC, Contents, DeploymentBackups, MasterKeys, read_batches, write_backup
from certworker.vault.deployment_tables import Batch, Cells, Shape
from certworker.vault.keyring import MasterKey, SoftwareMasterKey
from tests.support.clock import START, FakeClock
from tests.support.deployment import Deployment, open_deployment
from tests.support.everything import CREDENTIAL, VALUE, fill

MASTER = SoftwareMasterKey(b"m" * 32)
SHAPE = Shape("vault_key", ("vault_id", "wrapped", "master_key_id"), frozenset({"wrapped"}), None)


class FewRows:
    """A snapshot of one table, for what does not depend on a database."""

    revision = HEAD
    deployment_id = "the-deployment"
    master_key_id = MASTER.id

    def __init__(self, *rows: Cells) -> None:
        self._rows = rows

    def shapes(self) -> tuple[Shape, ...]:
        """List the one table."""
        return (SHAPE,)

    def rows(self, shape: Shape) -> Iterator[Cells]:  # noqa: ARG002 - there is but one
        """Give the rows."""
        yield from self._rows

    def count(self, shape: Shape) -> int:  # noqa: ARG002 - there is but one
        """Count the rows."""
        return len(self._rows)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a deployment with something of everything."""
    folder = tmp_path_factory.mktemp("home")
    with open_deployment(folder, FakeClock()) as deployment:
        fill(deployment)
    return folder


@pytest.fixture
def source(home: Path, clock: FakeClock) -> Iterator[Deployment]:
    """Open the filled deployment; it is only read."""
    with open_deployment(home, clock) as deployment:
        yield deployment


def given(master: MasterKey) -> MasterKeys:
    """Find no other master key than this one."""
    return lambda _: master


def backups(deployment: Deployment, database_url: str | None = None) -> DeploymentBackups:
    """Give the service over the deployment's database, or over another under the same master key."""
    house = deployment.house
    return DeploymentBackups(SqlTables(database_url or house.settings.database_url), given(house.master), house.clock)


def create(deployment: Deployment) -> tuple[bytes, Contents]:
    """Make a backup."""
    file = io.BytesIO()
    contents = backups(deployment).create(file)
    return file.getvalue(), contents


def small(*rows: Cells) -> bytes:
    """Make a backup of a few rows."""
    file = io.BytesIO()
    write_backup(file, FewRows(*(rows or (("v", b"\0\xff", MASTER.id),))), MASTER, START)
    return file.getvalue()


def read(backup: bytes) -> list[Batch]:
    """Read a backup to its end."""
    return list(read_batches(io.BytesIO(backup), given(MASTER)))


def test_a_backup_tells_what_is_in_it(source: Deployment) -> None:
    """Header, rows of each table, and how many keys are not in it since they lie in a token."""
    backup, contents = create(source)
    with SqlTables(source.house.settings.database_url).snapshot() as snapshot:
        assert contents.rows == {shape.name: snapshot.count(shape) for shape in snapshot.shapes()}
    assert contents.rows["key_version"] > 3
    assert contents.in_token == 0
    header, system = contents.header, source.house.founding.system_vault()
    system_id = system.id if system else None
    assert (header.created, header.revision, header.deployment_id) == (START, HEAD, system_id)
    assert header.master_key_id == source.house.master.id
    assert backup.startswith(MAGIC)
    assert backups(source).contents(io.BytesIO(backup)) == contents


def test_nothing_lies_open_in_a_backup(source: Deployment, home: Path) -> None:
    """Neither what is secret nor the master key, nor even a name, is to be found in the file."""
    backup, _ = create(source)
    master = (home / "master.key").read_text().strip()
    vault = source.vault
    words = [VALUE, CREDENTIAL, master, vault.id, vault.name, "web.test", "ada@example.test", "password"]
    for word in [*(word.encode() for word in words), bytes.fromhex(master)]:
        assert word not in backup


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_a_restore_brings_everything_back(
    source: Deployment, target: str, tmp_path: Path, request: pytest.FixtureRequest, home: Path
) -> None:
    """The deployment goes on elsewhere under its own master key: what it holds, who there is, and its work."""
    url = f"sqlite:///{tmp_path}/new.db" if target == "sqlite" else str(request.getfixturevalue("postgresql_url"))
    backup, contents = create(source)
    assert backups(source, url).restore(io.BytesIO(backup)) == contents
    (tmp_path / "master.key").write_bytes((home / "master.key").read_bytes())
    (tmp_path / "master.key").chmod(0o600)
    with open_deployment(tmp_path, source.house.clock, url) as restored:
        vault, caller = restored.vault, restored.administrator
        assert (vault, caller) == (source.vault, source.administrator)
        assert restored.house.secrets.get(caller, vault, "password").value == VALUE
        assert restored.get("web").version == source.get("web").version
        for name in ("rsa", "ec", "oct", "web"):
            with restored.house.store.reading() as reader:
                key = reader.key(vault.id, name, None)
            assert key is not None
            assert restored.house.materials.private(key)
        assert restored.operation("manual") == source.operation("manual")
        assert restored.events() == source.events()
        with restored.house.store.writing() as writer:
            assert writer.lease_owners() == ()


def test_a_foreign_master_key_is_refused_first(source: Deployment, tmp_path: Path) -> None:
    """Both keys are named, and no database was made."""
    backup, _ = create(source)
    foreign = SoftwareMasterKey(new_key())
    service = DeploymentBackups(SqlTables(f"sqlite:///{tmp_path}/new.db"), given(foreign), source.house.clock)
    with pytest.raises(SetupError, match=f"{source.house.master.id}, and this one is {foreign.id}"):
        service.restore(io.BytesIO(backup))
    assert list(tmp_path.iterdir()) == []


def test_a_database_in_use_is_not_restored_into(source: Deployment) -> None:
    """The live database is as it was."""
    backup, _ = create(source)
    with pytest.raises(Conflict, match="not empty"):
        backups(source).restore(io.BytesIO(backup))
    assert source.house.secrets.get(source.administrator, source.vault, "password").value == VALUE


def test_a_damaged_backup_is_refused_before_anything_is_changed(source: Deployment, tmp_path: Path) -> None:
    """A flipped byte near the end, and a cut, are found before the database is made."""
    backup, _ = create(source)
    for damaged in (backup[:-40] + bytes([backup[-40] ^ 1]) + backup[-39:], backup[:-1], backup + b"\0", b"", backup[:30]):
        with pytest.raises(SealBroken, match="cannot be used"):
            backups(source, f"sqlite:///{tmp_path}/new.db").restore(io.BytesIO(damaged))
    assert list(tmp_path.iterdir()) == []


def test_every_flipped_byte_is_noticed() -> None:
    """Magic, format, header, wrapped key, chunks: each byte counts."""
    backup = small()
    assert read(backup)
    for place in range(len(backup)):
        altered = bytearray(backup)
        altered[place] ^= 1
        with pytest.raises((SealBroken, SetupError)):
            read(bytes(altered))


def test_every_cut_of_a_backup_is_noticed() -> None:
    """There is no shorter backup in a backup."""
    backup = small()
    for length in range(len(backup)):
        with pytest.raises(SealBroken):
            read(backup[:length])


def test_the_head_of_another_backup_does_not_fit() -> None:
    """Two backups under one master key cannot be put together."""
    one, other = small(), small()
    first = next(place for place, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
    for place in range(first + 1, len(one) - 16):
        with pytest.raises((SealBroken, SetupError)):
            read(one[:place] + other[place:])


def test_a_later_format_is_told_apart_from_damage() -> None:
    """It says what to do."""
    backup = small()
    with pytest.raises(SetupError, match="format 2, which a later release has made"):
        read(backup[: len(MAGIC)] + b"\2" + backup[len(MAGIC) + 1 :])


def test_cells_come_back_as_they_went(tmp_path: Path) -> None:
    """Nothing, truths, numbers, text with any sign in it, and any bytes."""
    cells: list[Any] = [None, True, -(2**62), 0.1 + 0.2, 'quote " \\ \r\n\u2028 größe 🗝', ""]
    rows = [(cell, bytes(range(256)), MASTER.id) for cell in cells] + [("empty", b"", MASTER.id), ("none", None, MASTER.id)]
    assert [row for batch in read(small(*rows)) for row in batch.rows] == rows
    assert list(tmp_path.iterdir()) == []


def test_a_database_whose_master_key_was_just_rotated_is_not_saved() -> None:
    """A backup whose vault keys its own master key does not open would be none."""
    with pytest.raises(SetupError, match="wrapped by the master key another"):
        small(("v", b"wrapped", "another"))


def test_a_large_backup_takes_little_memory(tmp_path: Path) -> None:
    """Thirty megabytes go through without being held, both ways."""
    row = ("v", b"\0\xff" * 5_000, MASTER.id)
    file = (tmp_path / "backup").open("w+b")
    tracemalloc.start()
    with file:
        write_backup(file, FewRows(*[row] * 3_000), MASTER, START)
        file.seek(0)
        assert sum(len(batch.rows) for batch in read_batches(file, given(MASTER))) == 3_000
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000, peak


def test_the_header_is_json_in_the_clear() -> None:
    """Without any key it tells which one is wanted."""
    backup = small()
    header = json.loads(backup[len(MAGIC) + 5 : backup.index(b"}") + 1])
    assert header["master_key_id"] == MASTER.id


@pytest.mark.parametrize("name", ["revision", "deployment_id", "master_key_id", "backup_id"])
def test_a_header_says_nothing_to_a_terminal(name: str) -> None:
    """What is shown before anything is proven holds no escape, and is short."""
    backup = small()
    text, rest = backup[len(MAGIC) + 5 : (end := backup.index(b"}") + 1)], backup[end:]
    wrongs: tuple[object, ...] = ("\x1b[2J", "a\n", "x" * 5_000, "", "\ud800", None, [])
    for wrong in wrongs:
        header = json.dumps({**json.loads(text), name: wrong}).encode()
        with pytest.raises(SealBroken) as refused:
            read(backup[: len(MAGIC) + 1] + len(header).to_bytes(4, "big") + header + rest)
        assert str(refused.value).isprintable()
        assert len(str(refused.value)) < 200
