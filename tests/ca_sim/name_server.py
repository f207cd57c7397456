"""A DNS server on loopback that answers by script: what a right server never does, or only when it is broken."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from ca_sim.validation.name_servers import NameServers

Script = Callable[[dns.message.Message], list[bytes]]
"""Takes a query and gives the datagrams that answer it."""


def answering(query: dns.message.Message, *records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
    """Make an answer with records such as `www.test. A 127.0.0.1`."""
    answer = dns.message.make_response(query)
    answer.set_rcode(rcode)
    for record in records:
        owner, kind, value = record.split(" ", 2)
        answer.answer.append(dns.rrset.from_text(owner, 1, "IN", kind, value))
    return answer


def asked(query: dns.message.Message) -> tuple[str, str]:
    """Give the name and the type that a query is for."""
    question = query.question[0]
    return question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)


@asynccontextmanager
async def scripted(script: Script, seconds: float = 2) -> AsyncIterator[NameServers]:
    """Serve on the running loop while the context lasts; give it to be asked."""

    class Protocol(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self._transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            for datagram in script(dns.message.from_wire(data)):
                self._transport.sendto(datagram, addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Protocol, local_addr=("127.0.0.1", 0))
    try:
        yield NameServers([("127.0.0.1", transport.get_extra_info("sockname")[1])], seconds)
    finally:
        transport.close()
