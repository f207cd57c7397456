"""Listening sockets: bound by the supervisor, inherited by its processes."""

import errno
import socket
from collections.abc import Iterable, Sequence

from certworker.errors import SetupError

BACKLOG = 1024
HIGHEST_PORT = 65535


def bind(addresses: Sequence[str], port: int, purpose: str) -> list[socket.socket]:
    """Listen on `port` of every address; 0 takes a free one, the same for all.

    A further address that the machine lacks (IPv6, say) is left out.
    Raises SetupError that says what the port was for, and what to do.
    """
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets.extend(_bind_one(address, port, purpose, required=not sockets))
            port = sockets[0].getsockname()[1]
    except SetupError:
        close(sockets)
        raise
    return sockets


def _bind_one(address: str, port: int, purpose: str, *, required: bool) -> Iterable[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        if required:
            raise SetupError(f"This machine cannot listen on {address} ({purpose}).") from None
        return
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL and not required:
            return
        raise _refusal(error, address, port, purpose) from None
    yield listener


def _refusal(error: OSError, address: str, port: int, purpose: str) -> SetupError:
    if error.errno == errno.EADDRINUSE:
        return SetupError(
            f"Port {port} on {address} ({purpose}) is in use by another program; stop it, or choose another port."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return SetupError(
            f"Port {port} on {address} ({purpose}) needs privileges that this process lacks; choose one above 1023."
        )
    return SetupError(f"Cannot listen on {address} port {port} ({purpose}): {error.strerror}.")


def close(sockets: Iterable[socket.socket]) -> None:
    """Close them all."""
    for listener in sockets:
        listener.close()


def port_of(sockets: Sequence[socket.socket]) -> int:
    """Tell the port that they listen on."""
    return int(sockets[0].getsockname()[1])


def inherit(numbers: Iterable[int]) -> list[socket.socket]:
    """Take over sockets that a supervisor bound, by their file descriptors."""
    return [socket.socket(fileno=number) for number in numbers]


def free_port(preferred: int) -> int:
    """Give `preferred` where it is free on loopback, else any free port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred if preferred <= HIGHEST_PORT else 0))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
