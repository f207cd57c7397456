"""Ports of loopback for programs that must be told theirs."""

import secrets
import socket
from contextlib import ExitStack, suppress


def free_ports(count: int) -> list[int]:
    """Choose ports below those that the system gives to outgoing connections, which could take one at any moment."""
    ports: list[int] = []
    while len(ports) < count:
        port = secrets.choice(range(20_000, 32_000))
        with suppress(OSError), ExitStack() as held:
            held.enter_context(socket.create_server(("127.0.0.1", port)))
            held.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind(("127.0.0.1", port))
            ports += [port] if port not in ports else []
    return ports
