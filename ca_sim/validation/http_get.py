"""One HTTP GET to an address that was chosen beforehand, with size capped; the caller caps the time.

The address that was resolved is the one connected to, whatever the name in the Host header says.
"""

import asyncio
import ssl
from dataclasses import dataclass, field

import httptools

MAX_BODY = 4 * 1024
MAX_ANSWER = 32 * 1024
"""Most bytes that are read: the headers and the body."""
_FIRST_FINAL = 200


class HttpGetError(Exception):
    """There was no usable HTTP answer; the message says why."""


@dataclass(slots=True)
class Answer:
    """Status code, headers with lower-case names, and the body as it came."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False

    # httptools calls these while it parses.
    def on_message_begin(self) -> None:
        """Begin anew: what came before was informational (RFC 9110 section 15.2)."""
        self.headers, self.body, self.complete = {}, b"", False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        self.body += data

    def on_message_complete(self) -> None:
        """Know that all of it came."""
        self.complete = True


async def get(address: str, port: int, host: str, path: str, tls: ssl.SSLContext | None = None) -> Answer:
    """Fetch `path` of `host` from the address, over TLS if `tls` is given.

    Raises HttpGetError, and OSError (ssl.SSLError among them) when there is no connection.
    """
    name = host.strip("[]") if tls else None
    reader, writer = await asyncio.open_connection(address, port, ssl=tls, server_hostname=name)
    try:
        writer.write(_request(host, path))
        return await _read(reader)
    finally:
        writer.transport.abort()  # all is read, or will never be: nobody waits for a farewell


def _request(host: str, path: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", f"Host: {host}", "User-Agent: ca-sim", "Accept: */*", "Connection: close")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


async def _read(reader: asyncio.StreamReader) -> Answer:
    answer = Answer()
    parser = httptools.HttpResponseParser(answer)
    total = 0
    while not answer.complete:
        data = await reader.read(8192)
        total += len(data)
        if total > MAX_ANSWER or len(answer.body) > MAX_BODY:
            raise HttpGetError("the answer is too large")
        if not data:
            break
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise HttpGetError("the answer is not HTTP") from error
        except httptools.HttpParserUpgrade as error:
            raise HttpGetError("the server goes on with another protocol") from error
        answer.complete = answer.complete and parser.get_status_code() >= _FIRST_FINAL
    return _finished(answer, parser)


def _finished(answer: Answer, parser: httptools.HttpResponseParser) -> Answer:
    answer.status = parser.get_status_code()
    # Without a length, the end of the connection is the end of the body.
    whole = answer.complete or not {"content-length", "transfer-encoding"} & answer.headers.keys()
    if not answer.status or not whole:
        raise HttpGetError("the connection was closed before the answer was complete")
    if len(answer.body) > MAX_BODY:
        raise HttpGetError("the answer is too large")
    return answer
