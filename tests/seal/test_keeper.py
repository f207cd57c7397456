"""The keeper of the seal: it takes what opens it, makes guessing slow, and hands the key to this user's processes only."""

import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from certworker.crypto.sealing import key_id, new_key
from certworker.errors import BadParameter, Forbidden, Sealed, SetupError, Unavailable
from certworker.seal.channel import ask, ask_for_key, check_peer
from certworker.seal.enclosing import Enclosed, NewSeal, disclose, enclose, make_enclosed
from certworker.seal.keeper import Keeper, Opening, keeper_of
from certworker.seal.master_file import MasterFile, next_of, no_wrapping_key
from certworker.seal.sources import source_of
from certworker.seal.wrapped_key import read_wrapped
from certworker.settings import Seal, SealKind

PASSPHRASE = "correct horse battery"


class Stopwatch:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def seal_in(folder: Path, kind: SealKind) -> Seal:
    """Make the settings of a seal."""
    return Seal(kind=kind, master_key_file=folder / "master.key", socket=folder / "seal.sock")


def made(seal: Seal, threshold: int = 3) -> Enclosed:
    """Make a master key under a seal."""
    enclosed = make_enclosed(seal, NewSeal(seal.kind, PASSPHRASE, 5, threshold))
    assert enclosed is not None
    return enclosed


def to_nobody(_: Enclosed) -> None:
    """Show what was made to nobody."""


def opening(seal: Seal, now: Stopwatch) -> Opening:
    """Begin to open a seal."""
    return Opening(MasterFile(seal.master_key_file, seal.kind, no_wrapping_key), now)


@contextmanager
def kept(seal: Seal) -> Iterator[Keeper]:
    """Keep a seal for as long as this lasts."""
    keeper = keeper_of(seal)
    assert keeper is not None
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.close()


def test_a_passphrase_opens_and_another_does_not(tmp_path: Path) -> None:
    """Each wrong try doubles the wait before the next one, even the right one; time alone ends it."""
    seal, now = seal_in(tmp_path, SealKind.PASSPHRASE), Stopwatch()
    enclosed = made(seal)
    tried = opening(seal, now)
    for wait in (1, 2, 4):
        with pytest.raises(BadParameter):
            tried.offer("wrong horse battery", None)
        with pytest.raises(Unavailable, match=f"Wait {wait} s"):
            tried.offer(PASSPHRASE, None)
        now.now += wait
    with pytest.raises(BadParameter, match="asks for its passphrase"):
        tried.offer(None, enclosed.text)
    now.now += 60
    assert tried.offer(PASSPHRASE, None) == enclosed.wrapping_key


def test_shares_open_one_after_the_other(tmp_path: Path) -> None:
    """The progress is told; a share twice counts once; a wrong one is refused and spoils nothing."""
    seal, now = seal_in(tmp_path, SealKind.SHAMIR), Stopwatch()
    enclosed = made(seal)
    tried = opening(seal, now)
    assert tried.progress() == {"kind": "shamir", "have": 0, "needed": 3}
    for share in (enclosed.shares[4], enclosed.shares[4], enclosed.shares[0]):
        assert tried.offer(None, share) is None
    assert tried.progress()["have"] == 2
    with pytest.raises(BadParameter):
        tried.offer(None, enclosed.shares[1][:-1] + "x")
    now.now += 1
    assert tried.offer(None, enclosed.shares[2]) == enclosed.wrapping_key
    assert tried.progress()["have"] == 0


@pytest.mark.parametrize("kind", [SealKind.PASSPHRASE, SealKind.SHAMIR])
def test_a_wrapped_file_that_was_altered_does_not_open(tmp_path: Path, kind: SealKind) -> None:
    """Whatever it says of itself is bound to the key: its id, its cost or threshold, and the key."""
    seal = seal_in(tmp_path, kind)
    enclosed = made(seal)
    wrapped = read_wrapped(enclosed.text, "it")
    assert len(wrapped.open(enclosed.wrapping_key)) == 32
    for name, value in json.loads(enclosed.text).items():
        changed: object
        match value:
            case int():
                changed = value + 1
            case list():
                changed = value[1:]
            case "passphrase" | "shamir":
                continue
            case _:
                changed = ("0" if value[0] != "0" else "1") + value[1:]
        text = json.dumps({**json.loads(enclosed.text), name: changed})
        with pytest.raises((BadParameter, SetupError)):
            read_wrapped(text, "it").open(enclosed.wrapping_key)
    for text in ("{}", "{", enclosed.text[:-20], json.dumps({**json.loads(enclosed.text), "seal": "none"})):
        with pytest.raises(SetupError):
            read_wrapped(text, "it")


def test_the_key_goes_to_whoever_asks_here_once_it_is_open(tmp_path: Path) -> None:
    """Before it says what to do; after a second seal it is closed again; the socket is for its owner only, and taken away."""
    folder = tmp_path / ("deep" * 20) / ("deeper" * 10)
    folder.mkdir(parents=True)
    seal = seal_in(folder, SealKind.PASSPHRASE)
    enclosed = made(seal)
    with kept(seal) as keeper:
        assert seal.socket.stat().st_mode & 0o777 == 0o600
        with pytest.raises(Sealed, match="certworker seal unseal"):
            ask_for_key(seal.socket)
        assert ask(seal.socket, {"ask": "status"}) == {"sealed": True, "kind": "passphrase", "have": 0, "needed": 1}
        assert ask(seal.socket, {"ask": "unseal", "passphrase": PASSPHRASE})["sealed"] is False
        assert not keeper.is_sealed
        assert ask_for_key(seal.socket) == enclosed.wrapping_key
        assert source_of(seal).read(None).id == read_wrapped(enclosed.text, "it").id
        assert ask(seal.socket, {"ask": "seal"})["sealed"] is True
        with pytest.raises(Sealed):
            ask_for_key(seal.socket)
        with pytest.raises(BadParameter):
            ask(seal.socket, {"ask": "anything"})
    assert not seal.socket.exists()
    with pytest.raises(Sealed, match="does not run here"):
        ask_for_key(seal.socket)


def test_another_service_of_the_host_follows_and_takes_over(tmp_path: Path) -> None:
    """It is unsealed with the first one, and keeps the seal when that one ends."""
    seal = seal_in(tmp_path, SealKind.PASSPHRASE)
    enclosed = made(seal)
    with kept(seal) as first:
        second = Keeper(seal)
        second.start()
        assert first.is_sealed
        assert second.is_sealed
        ask(seal.socket, {"ask": "unseal", "passphrase": PASSPHRASE})
        second._look_again = 0.0
        second.tend()
        assert second.key() == enclosed.wrapping_key
    second.tend()
    assert ask_for_key(seal.socket) == enclosed.wrapping_key
    second.close()


def test_a_follower_that_cannot_take_over_serves_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It says so, keeps the key that it has, and leaves the place to whoever can; at a start it is an error."""
    seal = seal_in(tmp_path, SealKind.PASSPHRASE)
    enclosed = made(seal)
    second = Keeper(seal)
    with kept(seal):
        ask(seal.socket, {"ask": "unseal", "passphrase": PASSPHRASE})
        second.start()
    seal.socket.mkdir()
    for _ in range(3):
        second.tend()
    assert second.key() == enclosed.wrapping_key
    assert caplog.text.count("cannot be kept") == 1
    with pytest.raises(SetupError, match=r"seal\.socket"):
        Keeper(seal).start()
    seal.socket.rmdir()
    with kept(seal) as third:
        assert third.is_sealed
    second.close()


@pytest.mark.parametrize("sent", [b"\n", b"[]\n", b"{", b"x" * 20_000, b'{"ask": "unseal", "passphrase": 7}\n'])
def test_nonsense_at_the_socket_does_no_harm(tmp_path: Path, sent: bytes) -> None:
    """The keeper goes on."""
    seal = seal_in(tmp_path, SealKind.PASSPHRASE)
    made(seal)
    with kept(seal):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(seal.socket))
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            answer = connection.recv(1000)
        assert b"error" in answer or answer == b""
        assert ask(seal.socket, {"ask": "status"})["sealed"] is True


def test_a_lock_of_nonsense_is_refused_and_the_seal_stays_open(tmp_path: Path) -> None:
    """What is no key, or not the one that the file is wrapped under, is answered."""
    seal = seal_in(tmp_path, SealKind.PASSPHRASE)
    enclosed = made(seal)
    with kept(seal) as keeper:
        with pytest.raises(BadParameter, match="half of a character"):
            ask(seal.socket, {"ask": "unseal", "passphrase": PASSPHRASE + "\ud800"})
        with pytest.raises(Unavailable, match="Wait 1 s"):
            ask(seal.socket, {"ask": "unseal", "passphrase": PASSPHRASE})
    with kept(seal) as keeper:  # a new one knows of no wrong tries
        ask(seal.socket, {"ask": "unseal", "passphrase": PASSPHRASE})
        for key in ("no hex", "00", "", new_key().hex()):
            with pytest.raises(BadParameter):
                ask(seal.socket, {"ask": "adopt", "key": key})
        assert keeper.key() == enclosed.wrapping_key


def test_the_other_side_must_be_this_user() -> None:
    """A peer of another user is refused, by what the system says of it; root is not."""
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        check_peer(one)
        _, user, _ = struct.unpack("3i", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        assert user == os.geteuid()

        class Foreign:
            def getsockopt(self, *_: object) -> bytes:
                return struct.pack("3i", 1, os.geteuid() + 4711, 1)

        with pytest.raises(Forbidden):
            check_peer(Foreign())  # type: ignore[arg-type]


def test_a_seal_is_put_on_and_taken_off(tmp_path: Path) -> None:
    """The master key stays the same; not while a rotation is unfinished."""
    plain, seal = seal_in(tmp_path, SealKind.NONE), seal_in(tmp_path, SealKind.SHAMIR)
    key = new_key()
    seal.master_key_file.write_text(key.hex())
    seal.master_key_file.chmod(0o600)
    next_of(seal.master_key_file).touch()
    with pytest.raises(SetupError, match="rotate-master"):
        enclose(seal, NewSeal(seal.kind), to_nobody)
    next_of(seal.master_key_file).unlink()
    enclosed = enclose(seal, NewSeal(seal.kind, None, 3, 2), to_nobody)
    assert key.hex() not in seal.master_key_file.read_text()
    assert seal.master_key_file.stat().st_mode & 0o777 == 0o600
    source = source_of(seal, lambda: enclosed.wrapping_key)
    assert source.read(key_id(key)).id == key_id(key)
    with pytest.raises(SetupError, match="wrapped by"):
        enclose(seal, NewSeal(seal.kind, None, 3, 2), to_nobody)
    assert isinstance(source, MasterFile)
    disclose(source)
    assert source_of(plain).read(None).id == key_id(key)
