"""Where a validation connects to: addresses by a table of names and patterns, or from a DNS server."""

from collections.abc import Awaitable, Callable, Mapping

from ca_sim.identifiers import Identifier
from ca_sim.problems import DnsError
from ca_sim.settings import Settings
from ca_sim.validation.dns_query import AAAA, A, DnsQueryError, ask

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
    if settings.dns_server:
        host, _, port = settings.dns_server.rpartition(":")
        return _dns_resolver((host.removeprefix("[").removesuffix("]"), int(port)), settings.validation_timeout_seconds)
    return _table_resolver(settings.resolver)


def _table_resolver(table: Mapping[str, str]) -> Resolver:
    async def resolve(identifier: Identifier) -> list[str]:
        address = look_up(table, identifier.value)
        if address is None:
            raise DnsError(f"no address for {identifier.value}: no entry of the resolver table fits")
        return [address]

    return resolve


def _dns_resolver(server: tuple[str, int], timeout_seconds: float) -> Resolver:
    async def resolve(identifier: Identifier) -> list[str]:
        if identifier.type == "ip":
            return [identifier.value]
        try:
            # One after the other, with half of the time each: whole failures are told before the validation's end.
            found = [
                address
                for kind in (A, AAAA)
                for address in await ask(server, identifier.value, kind, timeout_seconds=timeout_seconds / 2)
            ]
        except DnsQueryError as error:
            raise DnsError(f"looking up {identifier.value}: {error}") from error
        if not found:
            raise DnsError(f"{identifier.value} has neither an A nor an AAAA record")
        return found

    return resolve
