"""A minimal DNS client: one question over UDP to one server (RFC 1035, RFC 5452).

There is no DNS library among the dependencies, and a validation needs no more than this: A and AAAA, a CNAME chain that
the server has resolved within its answer, no caching, no TCP. A truncated answer is an error.
"""

import asyncio
import ipaddress
import secrets
import struct
from dataclasses import dataclass

A, AAAA, CNAME = 1, 28, 5
_IN = 1
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_QUERY_FLAGS = 0x0100  # recursion desired
_RESPONSE, _TRUNCATED, _RCODE = 0x8000, 0x0200, 0x000F
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_POINTER = 0xC0
_MAX_CHAIN = 16


class DnsQueryError(Exception):
    """The server gave no usable answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the answer section: owner in lower case, type, and the address or target name."""

    owner: str
    type: int
    value: str


def build_query(name: str, kind: int, query_id: int) -> bytes:
    """Write a question for the records of one type of a name in A-labels."""
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    return _HEADER.pack(query_id, _QUERY_FLAGS, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, _IN)


def read_answer(packet: bytes, query: bytes) -> list[str]:
    """Give the addresses that a packet holds for a query; an empty list when the name has none of this type.

    Raises DnsQueryError; LookupError when the packet does not answer this query (wait for another one then).
    """
    if len(packet) < len(query) or packet[:2] != query[:2]:
        raise LookupError("another id")
    _, flags, questions, answers, _, _ = _HEADER.unpack_from(packet)
    if not flags & _RESPONSE or questions != 1 or packet[12 : len(query)].lower() != query[12:].lower():
        raise LookupError("another question")
    if flags & _TRUNCATED:
        raise DnsQueryError("the answer is truncated, and this client asks over UDP only")
    code = flags & _RCODE
    if code:
        raise DnsQueryError(_RCODES.get(code, f"RCODE {code}"))
    try:
        name, _ = _read_name(packet, 12)
        records = _read_records(packet, len(query), answers)
    except (IndexError, struct.error, ValueError) as error:
        raise DnsQueryError("the answer is malformed") from error
    return _follow(name, records, int.from_bytes(query[-4:-2], "big"))


def _follow(name: str, records: list[Record], kind: int) -> list[str]:
    for _ in range(_MAX_CHAIN):
        target = next((record.value for record in records if (record.owner, record.type) == (name, CNAME)), None)
        if target is None:
            return [record.value for record in records if (record.owner, record.type) == (name, kind)]
        name = target
    raise DnsQueryError("the CNAME records go in a circle")


def _read_records(packet: bytes, offset: int, count: int) -> list[Record]:
    records = []
    for _ in range(count):
        owner, offset = _read_name(packet, offset)
        kind, klass, _, length = _RECORD.unpack_from(packet, offset)
        offset += _RECORD.size
        data = packet[offset : offset + length]
        if len(data) != length:
            raise ValueError("the record is cut short")
        if klass == _IN and kind == CNAME:
            records.append(Record(owner, kind, _read_name(packet, offset)[0]))
        elif klass == _IN and kind in {A, AAAA}:
            # The length decides what ip_address makes of the bytes, so it must be the one of the type.
            if length != (4 if kind == A else 16):
                raise ValueError("the address has a wrong length")
            records.append(Record(owner, kind, str(ipaddress.ip_address(data))))
        offset += length
    return records


def _read_name(packet: bytes, offset: int) -> tuple[str, int]:
    """Read a name with its compression (RFC 1035 section 4.1.4); give it and the offset after it."""
    labels: list[str] = []
    end = None
    while packet[offset]:
        length = packet[offset]
        if length & _POINTER == _POINTER:
            end = end or offset + 2
            target = int.from_bytes(packet[offset : offset + 2], "big") & 0x3FFF
            if target >= offset:  # a pointer goes back, so that there is no endless loop
                raise ValueError("a pointer goes forward")
            offset = target
        else:
            labels.append(packet[offset + 1 : offset + 1 + length].decode("latin-1").lower())
            offset += 1 + length
    return ".".join(labels), end or offset + 1


class _Exchange(asyncio.DatagramProtocol):
    """Waits for the packet that answers the query; the socket is connected, so others cannot reach it."""

    def __init__(self, query: bytes, answer: asyncio.Future[list[str]]) -> None:
        self._query = query
        self._answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        if self._answer.done():
            return
        try:
            self._answer.set_result(read_answer(data, self._query))
        except LookupError:
            return
        except DnsQueryError as error:
            self._answer.set_exception(error)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(DnsQueryError(f"the server cannot be reached: {exc}"))


async def ask(server: tuple[str, int], name: str, kind: int, *, timeout_seconds: float) -> list[str]:
    """Ask the server (address, port) for the addresses of a name; id and source port are random.

    The question is sent up to three times within the timeout. Raises DnsQueryError.
    """
    loop = asyncio.get_running_loop()
    query = build_query(name, kind, secrets.randbelow(0x10000))
    answer: asyncio.Future[list[str]] = loop.create_future()
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: _Exchange(query, answer), remote_addr=server)
    except OSError as error:
        raise DnsQueryError(f"the server cannot be reached: {error.strerror}") from error
    try:
        for _ in range(3):
            transport.sendto(query)
            await asyncio.wait([answer], timeout=timeout_seconds / 3)
            if answer.done():
                return answer.result()
    finally:
        answer.cancel()
        transport.close()
    raise DnsQueryError(f"no answer within {timeout_seconds:g} s")
