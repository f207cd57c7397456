"""Telling systemd how the service stands (sd_notify(3))."""

import os
import socket


def notify(state: str) -> None:
    """Send a state such as `READY=1` to the socket that systemd names; without one there is nobody to tell."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # an address that begins with @ is in Linux's abstract namespace
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(state.encode(), target)
        except OSError:
            # a service manager that went away must not take the service with it
            return
