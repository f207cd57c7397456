"""Where a request may go: which addresses, and how much of an answer is waited for.

URLs that somebody else chose (an issuer's directory, a webhook, a certificate's CDP) could point into the deployment's own
network. So a name is resolved here, each of its addresses is checked, and the connection is made to the address that was
checked: a name that resolves to something else a moment later (DNS rebinding) gains nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from certworker.errors import CertworkerError, SettingsError, Unavailable

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
SocketAddress = tuple[str, int] | tuple[str, int, int, int]
Lookup = Callable[[str, int], Sequence[tuple[socket.AddressFamily, SocketAddress]]]

SETTING = "network.allow_private"
ANSWER_BYTES = 4 * 1024 * 1024
TOTAL = timedelta(seconds=60)
REDIRECTS = 3
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ALSO_SPECIAL = tuple(
    ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "5f00::/16")
)
"""Blocks of IANA's special-purpose registries that not every Python has in its own tables."""

_LOOPBACK: tuple[tuple[socket.AddressFamily, str], ...] = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class EgressRefused(CertworkerError):
    """The rules do not allow to connect there. The message names the host and the setting that would allow it."""

    code = "egress_refused"


class Unreachable(Unavailable):
    """The other side could not be reached, or did not answer as it should. The message names its host, not its URL."""

    code = "unreachable"


class AnswerTooLarge(Unreachable):
    """The answer is larger than the rules allow."""

    code = "answer_too_large"


def ask_system(host: str, port: int) -> list[tuple[socket.AddressFamily, SocketAddress]]:
    """Resolve a name with the operating system. Raises OSError, or UnicodeError for what is no name at all."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, (str(address[0]), int(address[1]), *address[2:])) for family, _, _, _, address in found]


@dataclass(frozen=True)
class EgressRules:
    """The egress rules of a deployment.

    `allowed` are host names, `*.suffix` patterns and networks (`10.0.0.0/8`) that may be reached though they are private;
    all else must be globally reachable. An answer has at most `answer_bytes`, and is there after `total` at the latest;
    at most `redirects` are followed. Raises SettingsError for a network that cannot be read.
    """

    allowed: tuple[str, ...] = ()
    answer_bytes: int = ANSWER_BYTES
    total: timedelta = TOTAL
    redirects: int = REDIRECTS
    lookup: Lookup = ask_system
    _networks: tuple[IPNetwork, ...] = field(init=False, repr=False)
    _names: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Tell names and networks apart once."""
        networks = tuple(network for network in map(_network, self.allowed) if network)
        names = tuple(_plain(entry) for entry in self.allowed if not _network(entry))
        object.__setattr__(self, "_networks", networks)
        object.__setattr__(self, "_names", names)

    def resolve(self, host: str, port: int) -> list[tuple[socket.AddressFamily, SocketAddress]]:
        """Find the addresses of `host` that may be connected to, as family and socket address.

        Raises EgressRefused where it has only others, and Unreachable where it has none.
        """
        found = self._look_up(host, port)
        fit = [(family, address) for family, address in found if self._may_reach(host, address)]
        if not fit:
            shown = ", ".join(str(address[0]) for _, address in found)
            raise EgressRefused(
                f"{host} is at {shown}, which is not an address of the public internet: if it is meant to be reached, "
                f"add the host or its network to {SETTING}."
            )
        return fit

    def _look_up(self, host: str, port: int) -> Sequence[tuple[socket.AddressFamily, SocketAddress]]:
        name = _plain(host)
        if name == "localhost" or name.endswith(".localhost"):
            # loopback by definition (RFC 6761 section 6.3); not every machine resolves it
            return [(family, _socket_address(address, port)) for family, address in _LOOPBACK]
        if literal := _address(name):
            family = socket.AF_INET if literal.version == 4 else socket.AF_INET6  # noqa: PLR2004
            return [(family, _socket_address(name, port))]
        try:
            found = self.lookup(host, port)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{host} does not resolve: {error}.") from error
        if not found:
            raise Unreachable(f"{host} does not resolve: it has no address.")
        return found

    def _may_reach(self, host: str, address: SocketAddress) -> bool:
        if _is_named(_plain(host), self._names):
            return True
        found = _address(address[0])
        if found is None:
            return False
        return all(self._is_public_or_allowed(one) for one in _meant(found))

    def _is_public_or_allowed(self, address: IPAddress) -> bool:
        return _is_public(address) or any(address in network for network in self._networks)


def _network(entry: str) -> IPNetwork | None:
    if "/" not in entry and _address(entry.strip("[]")) is None:
        return None
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError as error:
        raise SettingsError(
            f"{SETTING}: {entry!r} is neither a host name, a pattern like *.example.com, nor a network like 10.0.0.0/8."
        ) from error


def _plain(name: str) -> str:
    return name.strip("[]").lower().removesuffix(".")


def _is_named(host: str, names: tuple[str, ...]) -> bool:
    return any(host.endswith(name[1:]) if name.startswith("*.") else host == name for name in names)


def _address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _socket_address(address: str, port: int) -> SocketAddress:
    return (address, port, 0, 0) if ":" in address else (address, port)


def _meant(address: IPAddress) -> Iterator[IPAddress]:
    """Give the addresses where a packet to `address` may come out: behind a mapping, a tunnel or a translator."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
    elif address.ipv4_mapped:
        yield address.ipv4_mapped
    elif address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    else:
        yield address
        if address.sixtofour:
            yield address.sixtofour


def _is_public(address: IPAddress) -> bool:
    refused = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    refused = refused or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    return address.is_global and not refused and not any(address in block for block in _ALSO_SPECIAL)
