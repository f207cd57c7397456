"""Where a request comes from: the connection's other end, or whom a proxy that is trusted speaks for."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

from starlette.types import Scope

_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^\s;,"]+))', re.IGNORECASE)
_WITH_PORT: Final = re.compile(r"\[([0-9a-fA-F:.]+)\](?::[0-9]{1,5})?|([0-9.]+)(?::[0-9]{1,5})?")
_AT_COMMAS: Final = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')
_MOST_REMEMBERED: Final = 1024

Address = IPv4Address | IPv6Address
Header = Literal["x-forwarded-for", "forwarded"]


class ClientAddresses:
    """Tells clients' addresses. `proxies` are addresses and CIDR ranges, and `header` is the one that they set.

    A header of anybody else, or another header, says nothing: whoever calls could have written it.
    """

    def __init__(self, proxies: Sequence[str], header: Header) -> None:
        self._proxies: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(proxy, strict=False) for proxy in proxies)
        self._header = header.encode()
        self._plain = lru_cache(_MOST_REMEMBERED)(plain_address)

    def of(self, scope: Scope) -> str:
        """Give the client's address; empty where nobody who is trusted knows it. An IPv4 address is told as one."""
        peer = self._plain((scope.get("client") or ("",))[0])
        if not self._proxies or not self._is_proxy(peer):
            return peer
        address = peer
        for hop in reversed(self._hops(scope)):
            address = self._plain(hop)
            if not self._is_proxy(address):
                break
        return address

    def _hops(self, scope: Scope) -> list[str]:
        """List whom the proxies say they speak for, the nearest last."""
        values = [value.decode("latin-1") for name, value in scope["headers"] if name == self._header]
        hops = [hop.strip() for value in values for hop in _AT_COMMAS.split(value)]
        if self._header == b"forwarded":
            found = [_FOR.search(hop) for hop in hops]
            hops = [(match[1] or match[2] or "") if match else "" for match in found]
        return [_without_port(hop) for hop in hops]

    def _is_proxy(self, address: str) -> bool:
        try:
            known = ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self._proxies if network.version == known.version)


def plain_address(text: str) -> str:
    """Write an address in its one form, without a zone; IPv4 that is mapped into IPv6 as IPv4. Empty for what is none."""
    try:
        address: Address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _without_port(text: str) -> str:
    match = _WITH_PORT.fullmatch(text)
    return (match[1] or match[2]) if match else text
