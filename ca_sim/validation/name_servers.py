"""What DNS says of a name: one question at a time, over UDP, and over TCP where the answer is cut short (RFC 1035)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.resolver

DNS_PORT = 53
TRIES = 3
"""How often a server is asked: a datagram may be lost."""
MAX_QUESTIONS = 8
"""How many questions a chain of CNAME records may take, where a server does not follow it by itself."""
_MAX_DATAGRAM = 1232  # bytes that no network on the way breaks up


class DnsLookupError(Exception):
    """There is no usable answer; the message says why."""


class NoSuchNameError(DnsLookupError):
    """The name does not exist."""


@dataclass(frozen=True, slots=True)
class NameServers:
    """DNS servers (address and port) that resolve names for this authority; each is asked if the one before does not know.

    A look-up takes no longer than `seconds`.
    """

    servers: Sequence[tuple[str, int]]
    seconds: float

    async def look_up(self, name: str, kind: str) -> list[dns.rdata.Rdata]:
        """Give the records of a type that a name has, by way of CNAME records too; an empty list when it has none.

        Raises DnsLookupError, and NoSuchNameError for NXDOMAIN.
        """
        try:
            async with asyncio.timeout(self.seconds):
                return await self._follow(dns.name.from_text(name), kind)
        except TimeoutError as error:
            raise DnsLookupError(f"no answer within {self.seconds:g} s") from error
        except dns.exception.DNSException as error:
            raise DnsLookupError(f"the answer cannot be used: {error}") from error

    async def _follow(self, name: dns.name.Name, kind: str) -> list[dns.rdata.Rdata]:
        for _ in range(MAX_QUESTIONS):
            found = (await self._ask(name, kind)).resolve_chaining()
            if found.answer is not None:
                return list(found.answer)
            if found.canonical_name == name:
                return []
            name = found.canonical_name
        raise DnsLookupError("the chain of CNAME records is too long")

    async def _ask(self, name: dns.name.Name, kind: str) -> dns.message.QueryMessage:
        failure = DnsLookupError("there is no DNS server to ask")
        for server in self.servers:
            try:
                return await self._ask_one(server, name, kind)
            except NoSuchNameError:
                raise
            except DnsLookupError as error:
                failure = error
        raise failure

    async def _ask_one(self, server: tuple[str, int], name: dns.name.Name, kind: str) -> dns.message.QueryMessage:
        address, port = server
        for _ in range(TRIES):
            query = dns.message.make_query(name, kind, use_edns=0, payload=_MAX_DATAGRAM)
            seconds = self.seconds / TRIES / len(self.servers)
            try:
                # Datagrams from elsewhere and answers to other questions are passed over: they may be forged (RFC 5452).
                answer, _ = await dns.asyncquery.udp_with_fallback(
                    query, address, seconds, port, ignore_unexpected=True, ignore_errors=True
                )
            except dns.exception.Timeout:
                continue
            except OSError as error:
                raise DnsLookupError(f"{address} port {port} cannot be reached: {error.strerror or error}") from error
            except EOFError as error:
                raise DnsLookupError(f"{address} port {port} closed the connection before its answer was complete") from error
            return _checked(answer)
        raise DnsLookupError(f"no answer from {address} port {port}")


def _checked(answer: dns.message.Message) -> dns.message.QueryMessage:
    code = answer.rcode()
    if code == dns.rcode.NXDOMAIN:
        raise NoSuchNameError("NXDOMAIN")
    if code != dns.rcode.NOERROR:
        raise DnsLookupError(dns.rcode.to_text(code))
    if not isinstance(answer, dns.message.QueryMessage):
        raise DnsLookupError("the answer is not one to a query")
    return answer


def endpoint(text: str) -> tuple[str, int]:
    """Read address:port, with an IPv6 address in brackets."""
    host, _, port = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def of_this_machine() -> list[tuple[str, int]]:
    """List the DNS servers that this machine is set up with; none if it has none."""
    try:
        found = dns.resolver.Resolver().nameservers
    except dns.resolver.NoResolverConfiguration:
        return []
    return [(str(server), DNS_PORT) for server in found]
