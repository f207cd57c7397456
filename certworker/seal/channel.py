"""The unix socket between the service that holds the opened seal and the other processes of this host.

A line of JSON is asked, a line of JSON is answered. The socket's mode is 0600, and each side looks who the other one is: the
same user, or root. Nobody else can bring a passphrase to a stranger, or fetch a key.
"""

import json
import os
import socket
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from certworker.errors import BadParameter, CertworkerError, Forbidden, Sealed, SetupError, Unavailable

MOST_BYTES: Final = 16 * 1024
ANSWER_SECONDS: Final = 30.0
_LONGEST_PATH: Final = 100
_PEER: Final = struct.Struct("3i")
_ERRORS: Final[tuple[type[CertworkerError], ...]] = (BadParameter, Sealed, Unavailable, SetupError)

Message = Mapping[str, Any]


def ask(path: Path, question: Message) -> dict[str, Any]:
    """Ask the service. Raises Unavailable where none runs here, and what it answers with."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            with _short(path) as short:
                connection.connect(short)
            check_peer(connection)
            connection.sendall(json.dumps(question).encode() + b"\n")
            answer = receive(connection)
        except OSError as error:
            raise Unavailable(
                f"No service answers at the socket {path} ({error.strerror or 'it took too long'}). Is it running?"
            ) from None
    if "error" in answer:
        kinds = {kind.code: kind for kind in _ERRORS}
        raise kinds.get(str(answer.get("code")), SetupError)(str(answer["error"]))
    return answer


def ask_for_key(path: Path) -> bytes:
    """Fetch the wrapping key from the service that was unsealed here. Raises Sealed where there is none."""
    try:
        return bytes.fromhex(ask(path, {"ask": "key"})["key"])
    except Sealed:
        raise
    except Unavailable as error:
        raise Sealed(
            f"The master key is wrapped, and the service that could open it does not run here. {error} "
            "Start it, and unseal it: certworker seal unseal"
        ) from None


def answer_error(error: CertworkerError) -> dict[str, Any]:
    """Tell of an error in an answer."""
    return {"error": str(error), "code": error.code}


def listen(path: Path) -> socket.socket:
    """Listen at the socket, for this user alone. Raises SetupError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        with _short(path) as short:
            _bind(listener, short)
        listener.listen(16)
    except OSError as error:
        listener.close()
        raise SetupError(f"The socket {path} cannot be made: {error.strerror} (seal.socket in the settings).") from None
    return listener


def _bind(listener: socket.socket, address: str) -> None:
    before = os.umask(0o177)
    try:
        listener.bind(address)
    finally:
        os.umask(before)


def receive(connection: socket.socket) -> dict[str, Any]:
    """Read one message. Raises OSError where it is none, or too long."""
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(MOST_BYTES)
        received += part
        if not part or len(received) > MOST_BYTES:
            raise OSError(0, "the message has no end")
    try:
        message = json.loads(received)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise OSError(0, "the message is no JSON object")
    return message


def check_peer(connection: socket.socket) -> None:
    """Make sure that the other side is this user, or root. Raises Forbidden."""
    _, user, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    if user not in (0, os.geteuid()):
        raise Forbidden("The other side of the socket belongs to another user.")


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a way to the path that fits into a socket's address: of 108 bytes, and no more."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="certworker-") as folder:
        link = Path(folder) / "d"
        link.symlink_to(path.parent.absolute())
        yield str(link / path.name)
