"""What the servers take from a connection."""

import socket
import ssl

import httpx
import pytest

from ca_sim.planes import PlaneName
from ca_sim.server import MAX_HEAD, Running


def connect(running: Running, plane: PlaneName) -> ssl.SSLSocket:
    """Connect to a server over TLS."""
    host, _, port = running.bases[plane].removeprefix("https://").rpartition(":")
    context = ssl.create_default_context(cadata=running.root_pem.decode())
    return context.wrap_socket(socket.create_connection((host, int(port)), timeout=5), server_hostname=host)


@pytest.mark.parametrize("plane", [PlaneName.ACME, PlaneName.DIGICERT])
def test_a_head_without_end_is_not_read(running: Running, plane: PlaneName) -> None:
    """The connection is cut; a head of some length is read."""
    with connect(running, plane) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * (MAX_HEAD // 2) + b"\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 404"
    with connect(running, plane) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        with pytest.raises(OSError, match=r"."):  # noqa: PT012 - which of them finds it closed is up to the network
            for _ in range(500):
                connection.sendall(b"a" * MAX_HEAD)
            connection.recv(1)


def test_the_end_of_a_body_is_no_head(running: Running) -> None:
    """However much of it is read at once: a server that is busy meanwhile finds all of it waiting."""
    with httpx.Client(verify=ssl.create_default_context(cadata=running.root_pem.decode())) as http:
        for size in range(MAX_HEAD, 4 * MAX_HEAD, 20_000):
            answer = http.post(running.bases[PlaneName.ACME] + "/nowhere", content=b" " * size)
            assert answer.status_code == 404


def test_a_long_body_after_a_short_head_is_no_long_head(running: Running) -> None:
    """What follows the head is the application's to judge, and the next request on the connection is read."""
    with connect(running, PlaneName.DIGICERT) as connection:
        for _ in range(2):
            size = 2 * MAX_HEAD
            head = f"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
            connection.sendall(head.encode() + b" " * size)
            answer = b""
            while b"}" not in answer:
                answer += (received := connection.recv(4096))
                assert received, "the connection was closed"
            assert answer.startswith(b"HTTP/1.1 404")
