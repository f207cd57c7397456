"""Who keeps the seal of this host: it takes the passphrase or the shares, keeps the wrapping key in memory, and hands it on.

Of all services that run here on the same settings one is the keeper; the others follow it, and the next one takes its place
when it ends. What is kept is the key that opens the master key's file, so a rotation of the master key needs nobody's help.
"""

import fcntl
import json
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from math import ceil
from pathlib import Path
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any

from certworker.crypto.shares import combine_shares
from certworker.errors import BadParameter, CertworkerError, Forbidden, Sealed, SetupError, Unavailable
from certworker.seal.channel import answer_error, ask, check_peer, listen, receive
from certworker.seal.master_file import MasterFile, no_wrapping_key
from certworker.seal.wrapped_key import PassphraseLock, ShamirLock, WrappedMasterKey
from certworker.settings import Seal, SealKind

FOLLOW_SECONDS = 1.0
AGAIN_SECONDS = 5.0
LONGEST_PAUSE = 60.0
_RECEIVE_SECONDS = 10.0
_PAUSE_SECONDS = 0.2
_log = logging.getLogger(__name__)

HINT = "Unseal it: `certworker seal unseal`, or POST /certworker/v1/seal/unseal on the operators' port."


class Opening:
    """Takes what opens the seal, piece by piece, and makes the wrapping key of it. Wrong tries cost more and more time."""

    def __init__(self, file: MasterFile, now: Callable[[], float] = monotonic) -> None:
        self._file = file
        self._now = now
        self._shares: dict[bytes, bytes] = {}
        self._set = ""
        self._failures = 0
        self._not_before = 0.0

    def progress(self) -> dict[str, Any]:
        """Tell how far it is: how many shares there are, of how many that are needed."""
        lock = self._file.wrapped().lock
        needed = lock.shares.threshold if isinstance(lock, ShamirLock) else 1
        return {"kind": lock.kind.value, "have": len(self._shares), "needed": needed}

    def offer(self, passphrase: str | None, share: str | None) -> bytes | None:
        """Take a passphrase or one share; give the wrapping key once there is enough.

        Raises BadParameter for a wrong one, Unavailable where another try has to wait.
        """
        if (wait := self._not_before - self._now()) > 0:
            raise Unavailable(f"The last try was wrong. Wait {ceil(wait)} s before the next one.", timedelta(seconds=wait))
        wrapped = self._file.wrapped()
        try:
            key = self._take(wrapped, passphrase, share)
            if key:
                wrapped.open(key)
        except BadParameter:
            self._failures += 1
            self._not_before = self._now() + min(2.0 ** (self._failures - 1), LONGEST_PAUSE)
            raise
        self._failures = 0
        if key:
            self._shares.clear()
        return key

    def forget(self) -> None:
        """Forget the shares that were brought so far."""
        self._shares.clear()

    def _take(self, wrapped: WrappedMasterKey, passphrase: str | None, share: str | None) -> bytes | None:
        match wrapped.lock:
            case PassphraseLock() as lock:
                if passphrase is None:
                    raise BadParameter("The seal asks for its passphrase.")
                return lock.wrapping_key(passphrase)
            case ShamirLock(shares=known):
                if share is None:
                    raise BadParameter("The seal asks for its shares, one at a time.")
                if known.id != self._set:
                    self._set = known.id
                    self._shares.clear()
                found = known.read(share)
                self._shares[found] = found
                return combine_shares(list(self._shares)) if len(self._shares) >= known.threshold else None


class Keeper:
    """The seal of one service. Sealed until somebody opens it, here or at the keeper that this one follows."""

    def __init__(self, seal: Seal) -> None:
        self._path = seal.socket
        self._file = MasterFile(seal.master_key_file, seal.kind, no_wrapping_key)
        self._opening = Opening(self._file)
        self._key: bytes | None = None
        self._lock = Lock()
        self._listener: socket.socket | None = None
        self._owned: int | None = None
        self._look_again = 0.0
        self._try_again = 0.0

    def start(self) -> None:
        """Begin to keep or to follow. Raises SetupError where the master key file is not what the settings say."""
        self._opening.progress()
        self._look()

    @property
    def is_sealed(self) -> bool:
        """Whether nobody has opened the seal yet."""
        return self._key is None

    def key(self) -> bytes:
        """Give the wrapping key. Raises Sealed."""
        if self._key is None:
            raise Sealed(f"The service is sealed. {HINT}")
        return self._key

    def tend(self) -> None:
        """Look once whether the seal is ours to keep; and where it is another's, how that stands."""
        if self._listener or monotonic() < self._try_again:
            return
        try:
            self._look()
        except SetupError as error:
            # what serves goes on serving
            self._try_again = monotonic() + AGAIN_SECONDS
            _log.error("The seal cannot be kept: %s", error)

    def close(self) -> None:
        """Stop listening, and forget the key."""
        self._key = None
        if self._listener:
            self._path.unlink(missing_ok=True)
            self._listener.close()
            self._listener = None
        if self._owned is not None:
            os.close(self._owned)
            self._owned = None

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer one question of another process."""
        with self._lock:
            match question.get("ask"):
                case "key":
                    return {"key": self.key().hex()}
                case "unseal":
                    if self._key is None:
                        self._key = self._opening.offer(_text(question, "passphrase"), _text(question, "share"))
                        if self._key:
                            _log.info("The seal was opened.")
                case "adopt":
                    self._adopt(_text(question, "key") or "")
                case "seal":
                    self._key = None
                    self._opening.forget()
                    _log.info("The service is sealed again.")
                case "status":
                    pass
                case _:
                    raise BadParameter("The question is not known.")
            return {"sealed": self._key is None, **self._opening.progress()}

    def _adopt(self, text: str) -> None:
        """Take the key of a new lock over, which somebody who had the old one has put on. Raises BadParameter, Sealed."""
        self.key()
        try:
            key = bytes.fromhex(text)
        except ValueError:
            raise BadParameter("The key is no hex.") from None
        self._file.wrapped().open(key)
        self._key = key
        _log.info("The seal has another lock.")

    def _look(self) -> None:
        if not self._take_over() and monotonic() >= self._look_again:
            self._look_again = monotonic() + FOLLOW_SECONDS
            with suppress(Unavailable, Forbidden):
                self._follow()

    def _take_over(self) -> bool:
        handle = _lock_file(self._path)
        if handle is None:
            return False
        try:
            self._listener = listen(self._path)
        except SetupError:
            os.close(handle)
            raise
        self._owned = handle
        Thread(target=self._serve, args=(self._listener,), name="seal", daemon=True).start()
        return True

    def _follow(self) -> None:
        try:
            self._key = bytes.fromhex(ask(self._path, {"ask": "key"})["key"])
        except Sealed:
            self._key = None

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                if listener.fileno() < 0:
                    return
                sleep(_PAUSE_SECONDS)  # no descriptor is free, say: that passes
                continue
            Thread(target=self._serve_one, args=(connection,), name="seal-answer", daemon=True).start()

    def _serve_one(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(_RECEIVE_SECONDS)
            try:
                check_peer(connection)
                answer = self.answer(receive(connection))
            except CertworkerError as error:
                answer = answer_error(error)
            connection.sendall(json.dumps(answer).encode() + b"\n")


def keeper_of(seal: Seal) -> Keeper | None:
    """Make the keeper that the settings ask for; none without a seal."""
    return None if seal.kind is SealKind.NONE else Keeper(seal)


def _text(question: dict[str, Any], name: str) -> str | None:
    found = question.get(name)
    return found if isinstance(found, str) else None


def _lock_file(path: Path) -> int | None:
    """Lock the file beside the socket for as long as this process lives; none where another one has it."""
    try:
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SetupError(f"The socket {path} cannot be made: {error.strerror} (seal.socket in the settings).") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
