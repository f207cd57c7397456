"""Names that lead to this machine by themselves: localhost, and addresses.

A page in a browser on this machine, whose own name was made to resolve to 127.0.0.1 (DNS rebinding), sends another one.
"""

import ipaddress
from urllib.parse import urlsplit


def is_local_name(host: str) -> bool:
    """Whether a Host header is localhost or an address, as nobody else's name is."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in {"", "localhost"} or name.endswith(".localhost") or is_address(name)


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
