"""Which plane a request is for: told by the Host header alone."""

import re
from dataclasses import dataclass
from enum import StrEnum

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[0-9a-zA-Z._-]+)(?P<port>:[0-9]{1,5})?")
_LOCAL = ("localhost", "127.0.0.1", "[::1]")


class Plane(StrEnum):
    """The planes behind the one HTTPS port."""

    VAULT = "vault"
    LOGIN = "login"
    BARE = "bare"
    MANAGEMENT = "management"
    GRAPH = "graph"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request was sent. `netloc` is the host as the client wrote it: what it is given back in ids and links."""

    plane: Plane
    netloc: str
    vault_name: str = ""

    @property
    def url(self) -> str:
        """The base of all URLs on this host."""
        return f"https://{self.netloc}"


def place_of(host: str, domain: str) -> Place:
    """Read a Host header where `domain` is the deployment's own. Case, a trailing dot and the port do not matter."""
    match = _HOST.fullmatch(host)
    if match is None:
        return Place(Plane.UNKNOWN, "")
    name, own = match["name"].lower().removesuffix("."), domain.lower()
    netloc = host.lower()
    if name == own or name in _LOCAL:
        return Place(Plane.BARE, netloc)
    label, _, rest = name.partition(".")
    if rest == f"vault.{own}":
        return Place(Plane.VAULT, netloc, label)
    if rest == own and label in (Plane.LOGIN, Plane.MANAGEMENT, Plane.GRAPH):
        return Place(Plane(label), netloc)
    return Place(Plane.UNKNOWN, netloc)
