"""Sockets that are taken, free, or inherited."""

import os
import socket
from contextlib import closing

import pytest

from certworker.cli.sockets import bind, close, free_port, inherit, port_of
from certworker.errors import SetupError


def test_all_addresses_get_the_same_port() -> None:
    """0 takes a free one; an address that the machine lacks is left out, unless it is the first."""
    sockets = bind(("127.0.0.1", "127.0.0.2", "192.0.2.1"), 0, "server.port")
    try:
        assert {listener.getsockname()[1] for listener in sockets} == {port_of(sockets)}
        assert len(sockets) == 2
    finally:
        close(sockets)
    with pytest.raises(SetupError, match="Cannot listen on"):
        bind(("192.0.2.1",), 0, "server.port")


def test_a_port_in_use_is_told_with_its_purpose() -> None:
    """The message says which setting, and what to do."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(SetupError, match=rf"Port {port} on 127.0.0.1 \(server.port\) is in use by another program"):
            bind(("127.0.0.1",), port, "server.port")
        assert free_port(port) != port


def test_a_free_port_is_the_preferred_one() -> None:
    """Where nobody has it; above the highest there is any other."""
    port = free_port(0)
    assert free_port(port) == port
    assert 0 < free_port(70_000) < 65_536


def test_a_socket_is_inherited_by_its_number() -> None:
    """What the supervisor bound, its process listens on."""
    (listener,) = bind(("127.0.0.1",), 0, "server.port")
    (inherited,) = inherit([os.dup(listener.fileno())])
    with closing(listener), closing(inherited):
        with closing(socket.create_connection(inherited.getsockname())):
            inherited.accept()[0].close()
        assert port_of([inherited]) == port_of([listener])
