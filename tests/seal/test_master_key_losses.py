"""The master key is not lost, nor left where anybody finds it: by broken off commands, by root's hand, behind a link."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from certworker.bootstrap import open_house
from certworker.cli.first_key import first_master_key
from certworker.crypto.sealing import key_id, new_key
from certworker.errors import Sealed, SetupError
from certworker.seal.enclosing import Enclosed, NewSeal, change_lock, disclose, enclose
from certworker.seal.master_file import MasterFile, next_of, no_wrapping_key
from certworker.seal.private_files import alone_in, write_private
from certworker.seal.rotation import rotate_master_key
from certworker.seal.sources import source_of
from certworker.settings import Seal, SealKind, load_settings
from certworker.vault.resealing import MasterKeyRotation
from tests.stories.test_run import COMMAND

SHARES = NewSeal(SealKind.SHAMIR, None, 3, 2)
LISTEN = """
import os
import sys
from pathlib import Path
from certworker.seal.channel import listen
if os.geteuid() == 0:
    os.seteuid(65534)
listen(Path(sys.argv[1]))
"""
NOBODY = 65534


class TornPaperError(Exception):
    """What was printed did not come out."""


def tear(_: Enclosed) -> None:
    """Fail to show what was made."""
    raise TornPaperError


def plain_file(path: Path) -> tuple[MasterFile, bytes]:
    """Make a plain master key file."""
    key = new_key()
    write_private(path, key.hex() + "\n", "The file")
    return MasterFile(path, SealKind.NONE, no_wrapping_key), key


def seal_of(path: Path, kind: SealKind = SealKind.SHAMIR) -> Seal:
    """Make the settings of a seal."""
    return Seal(kind=kind, master_key_file=path, socket=path.with_name("seal.sock"))


def test_shares_that_nobody_saw_open_nothing(tmp_path: Path) -> None:
    """A seal is put on, or changed, after its shares were shown: where that fails, everything stays as it was."""
    file, _ = plain_file(tmp_path / "master.key")
    before = file.path.read_text()
    with pytest.raises(TornPaperError):
        enclose(seal_of(file.path), SHARES, tear)
    assert file.path.read_text() == before
    shown: list[Enclosed] = []
    enclosed = enclose(seal_of(file.path), SHARES, shown.append)
    assert shown == [enclosed]
    sealed = MasterFile(file.path, SealKind.SHAMIR, lambda: enclosed.wrapping_key)
    before = file.path.read_text()
    with pytest.raises(TornPaperError):
        change_lock(sealed, SHARES, tear)
    assert file.path.read_text() == before


def test_a_printer_without_paper_costs_no_key(tmp_path: Path) -> None:
    """The command ends with an error where its shares cannot be printed, and the plain key is there still."""
    (tmp_path / "certworker.toml").touch()
    file, key = plain_file(tmp_path / "master.key")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "seal", "enable", "--kind", "shamir", "-c", str(tmp_path / "certworker.toml")],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode
    assert file.read(None).id == key_id(key)


@pytest.mark.long
def test_a_deployment_that_was_not_set_up_keeps_no_key_under_unknown_shares(tmp_path: Path) -> None:
    """An init that fails for want of its database leaves nothing in the way of the next one."""
    config = tmp_path / "certworker.toml"
    config.write_text('database_url = "postgresql://nobody@127.0.0.1:1/none"\n[seal]\nkind = "shamir"\n')
    done = subprocess.run([*COMMAND, "init", "-c", str(config)], capture_output=True, check=False)
    assert done.returncode
    assert not (tmp_path / "master.key").exists()


@pytest.mark.long
def test_of_two_that_set_up_neither_takes_the_others_key_away(tmp_path: Path) -> None:
    """One of them is refused; the master key that the database wants is there afterwards."""
    config = tmp_path / "certworker.toml"
    config.touch()
    settings = load_settings(config, {})
    with first_master_key(settings, 0, 0) as first:
        second = subprocess.run([*COMMAND, "init", "-c", str(config)], capture_output=True, check=False, text=True)
        assert second.returncode
        assert "Another command" in second.stderr
        with open_house(settings, source=first.source) as house:
            house.founding.found("main", "administrator")
    with open_house(settings) as house:
        assert house.founding.is_done()


@pytest.mark.long
def test_a_link_that_leads_nowhere_is_left_alone(tmp_path: Path) -> None:
    """A disk with the master key that is not mounted is no reason to make another key, nor to lose the way to it."""
    config, link = tmp_path / "certworker.toml", tmp_path / "master.key"
    config.touch()
    link.symlink_to(tmp_path / "disk" / "key")
    done = subprocess.run([*COMMAND, "init", "-c", str(config)], capture_output=True, check=False, text=True)
    assert done.returncode
    assert link.is_symlink()


@pytest.mark.long
@pytest.mark.parametrize("left", ["master.key.new", "master.key.4711.new", "master.key.next.new"])
def test_a_seal_leaves_no_plain_key_of_a_killed_command(tmp_path: Path, left: str) -> None:
    """What a killed writer left beside the file goes before a seal is put on, and where the key is rotated."""
    file, key = plain_file(tmp_path / "master.key")
    (tmp_path / left).write_text(key.hex())
    enclosed = enclose(seal_of(file.path), SHARES, lambda _: None)
    assert not [path for path in tmp_path.iterdir() if key.hex() in path.read_text()]
    (tmp_path / left).write_text(key.hex())
    disclose(MasterFile(file.path, SealKind.SHAMIR, lambda: enclosed.wrapping_key))
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]
    config = tmp_path / "certworker.toml"
    config.touch()
    subprocess.run([*COMMAND, "init", "-c", str(config)], capture_output=True, check=True)
    (tmp_path / left).write_text(key.hex())
    with open_house(load_settings(config, {})) as house:
        rotate_master_key(house.master_source, house.master, MasterKeyRotation(house.store, house.clock))
    assert not [path for path in tmp_path.glob("master.key*") if key.hex() in path.read_text()]


def test_a_late_reader_leaves_the_next_key_to_the_rotation_under_way(tmp_path: Path) -> None:
    """Whoever reads the next key meanwhile does not rename it: what is under that name a moment later may be the one after."""
    file, old = plain_file(tmp_path / "master.key")
    following = file.begin_next()
    with alone_in(tmp_path):
        assert file.read(following.id).id == following.id
        assert next_of(file.path).exists()
        assert file.path.read_text().strip() == old.hex()
    assert file.read(following.id).id == following.id
    assert not next_of(file.path).exists()


def test_a_rotation_that_began_before_another_lock_was_put_on_makes_no_key(tmp_path: Path) -> None:
    """Wrapped under the old key and named after the new lock, it would open by nothing."""
    path = tmp_path / "master.key"
    plain, key = plain_file(path)
    first = enclose(seal_of(path), SHARES, lambda _: None)
    with pytest.raises(SetupError, match="wrapped by"):
        plain.begin_next()
    begun = MasterFile(path, SealKind.SHAMIR, lambda: first.wrapping_key)
    second = change_lock(begun, SHARES, lambda _: None)
    with pytest.raises(SetupError, match="does not open"):
        begun.begin_next()
    assert not next_of(path).exists()
    now = MasterFile(path, SealKind.SHAMIR, lambda: second.wrapping_key)
    assert now.read(None).id == key_id(key)
    assert now.read(now.begin_next().id).id != key_id(key)


def test_a_link_stays_one(tmp_path: Path) -> None:
    """A master key on another disk stays there, sealed or rotated, and no plain one remains behind the link."""
    disk, folder = tmp_path / "disk", tmp_path / "folder"
    disk.mkdir()
    folder.mkdir()
    _, key = plain_file(disk / "key")
    link = folder / "master.key"
    link.symlink_to(disk / "key")
    enclosed = enclose(seal_of(link), SHARES, lambda _: None)
    assert link.is_symlink()
    assert key.hex() not in (disk / "key").read_text()
    source = source_of(seal_of(link), lambda: enclosed.wrapping_key)
    assert isinstance(source, MasterFile)
    following = source.begin_next()
    assert source.read(following.id).id == following.id
    assert (link.is_symlink(), [path.name for path in disk.iterdir()]) == (True, ["key"])


def test_a_link_in_a_temporary_files_place_is_not_followed(tmp_path: Path) -> None:
    """Somebody who can write to the folder does not lead a command to another file."""
    file, _ = plain_file(tmp_path / "master.key")
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "master.key.new").symlink_to(tmp_path / "precious")
    write_private(file.path, "new", "The file")
    assert ((tmp_path / "precious").read_text(), file.path.read_text()) == ("precious", "new")
    assert not file.path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_what_root_writes_belongs_to_the_service(tmp_path: Path) -> None:
    """A rotation or a seal by root's hand leaves files that the service's own user can read."""
    file, _ = plain_file(tmp_path / "master.key")
    os.chown(file.path, NOBODY, NOBODY)
    following = file.begin_next()
    assert next_of(file.path).stat().st_uid == NOBODY
    file.read(following.id)
    enclose(seal_of(file.path), SHARES, lambda _: None)
    found = file.path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (NOBODY, NOBODY, 0o600)


@pytest.fixture
def deep() -> Iterator[Path]:
    """Give a folder with a long name that belongs to a user who is not root."""
    folder = Path(tempfile.mkdtemp())
    inner = folder / ("x" * 110)
    inner.mkdir()
    if os.geteuid() == 0:
        for path in (folder, inner):
            os.chown(path, NOBODY, NOBODY)
    yield inner
    shutil.rmtree(folder)


def test_a_socket_far_down_is_made_by_any_user(deep: Path) -> None:
    """A path that is too long for a socket's address is gone round, without root's powers too."""
    done = subprocess.run([sys.executable, "-c", LISTEN, str(deep / "seal.sock")], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (deep / "seal.sock").stat().st_mode & 0o777 == 0o600


def test_a_damaged_next_key_does_not_take_the_place(tmp_path: Path) -> None:
    """A next key that cannot be read is told of, and the old one stays."""
    file, old = plain_file(tmp_path / "master.key")
    write_private(next_of(file.path), "no key", "The file")
    with pytest.raises((SetupError, Sealed)):
        file.read(key_id(new_key()))
    assert file.read(key_id(old)).id == key_id(old)
