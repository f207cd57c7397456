"""Where a validation connects to: addresses by a table of names and patterns, or from a DNS server."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from ca_sim.identifiers import Identifier
from ca_sim.problems import DnsError
from ca_sim.settings import Settings
from ca_sim.validation.name_servers import DnsLookupError, NameServers, endpoint, of_this_machine

Resolver = Callable[[Identifier], Awaitable[list[str]]]
"""Gives the addresses to try, best first, never none. Raises DnsError."""


def look_up(table: Mapping[str, str], name: str) -> str | None:
    """Find the address of a name: the name itself goes before the longest `*.suffix`, and that before `*`."""
    if name in table:
        return table[name]
    labels = name.split(".")
    for first in range(1, len(labels)):
        pattern = "*." + ".".join(labels[first:])
        if pattern in table:
            return table[pattern]
    return table.get("*")


def make_resolver(settings: Settings) -> Resolver:
    """Make the resolver that the settings ask for.

    The table holds for IP identifiers too, so that by default nothing leaves the machine. With a DNS server an address
    is its own answer.
    """
    servers = name_servers(settings) if settings.dns_server else None
    return _table_resolver(settings.resolver) if servers is None else _dns_resolver(servers)


def name_servers(settings: Settings) -> NameServers | None:
    """Give the DNS servers that the settings have for TXT and CAA records, or None: by default nothing leaves the machine.

    A look-up may take half of a validation's time, so that its failure is told before the validation's end.
    """
    seconds = settings.validation_timeout_seconds / 2
    if settings.dns_server:
        return NameServers([endpoint(settings.dns_server)], seconds)
    return NameServers(of_this_machine(), seconds) if settings.validation.system_resolver else None


def _table_resolver(table: Mapping[str, str]) -> Resolver:
    async def resolve(identifier: Identifier) -> list[str]:
        address = look_up(table, identifier.value)
        if address is None:
            raise DnsError(f"no address for {identifier.value}: no entry of the resolver table fits")
        return [address]

    return resolve


def _dns_resolver(servers: NameServers) -> Resolver:
    async def resolve(identifier: Identifier) -> list[str]:
        if identifier.type == "ip":
            return [identifier.value]
        both = (servers.look_up(identifier.value, kind) for kind in ("A", "AAAA"))
        answers = await asyncio.gather(*both, return_exceptions=True)
        found = [
            record.address
            for answer in answers
            if not isinstance(answer, BaseException)
            for record in answer
            if isinstance(record, A | AAAA)
        ]
        if found:
            return found  # one family is enough, even if the other one cannot be had
        for answer in answers:
            if isinstance(answer, DnsLookupError):
                raise DnsError(f"looking up {identifier.value}: {answer}") from answer
            if isinstance(answer, BaseException):
                raise answer
        raise DnsError(f"{identifier.value} has neither an A nor an AAAA record")

    return resolve
