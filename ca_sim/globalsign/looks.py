"""How a claimed domain is looked at: the file that it serves, and its TXT records."""

import asyncio

from dns.rdtypes.ANY.TXT import TXT

from ca_sim.globalsign.claims import Look
from ca_sim.identifiers import Identifier
from ca_sim.problems import ConnectionFailedError, DnsError
from ca_sim.validation.http_get import HttpGetError, get
from ca_sim.validation.name_servers import DnsLookupError, NameServers
from ca_sim.validation.resolver import Resolver

RECORD = "_globalsign-domain-verification="
"""What stands before the token in a TXT record."""
PATH = "/.well-known/pki-validation/gsdv.txt"
_OK = 200


def file_look(resolve: Resolver, port: int, timeout_seconds: float) -> Look:
    """Look at the lines of a file that the domain serves over HTTP, with `port` in place of port 80."""

    async def look(domain: str) -> list[str]:
        failure = ""
        try:
            async with asyncio.timeout(timeout_seconds):
                for address in await resolve(Identifier("dns", domain)):
                    try:
                        answer = await get(address, port, domain, PATH)
                    except (OSError, HttpGetError) as error:
                        failure = f"{address} port {port}: {error}"
                        continue
                    if answer.status != _OK:
                        raise ConnectionFailedError(f"http://{domain}{PATH} answers with the status {answer.status}")
                    return answer.body.decode("utf-8", "replace").splitlines()
        except TimeoutError as error:
            raise ConnectionFailedError(f"http://{domain}{PATH} does not answer within {timeout_seconds:g} s") from error
        raise ConnectionFailedError(f"http://{domain}{PATH} cannot be fetched from {failure}")

    return look


def record_look(servers: NameServers) -> Look:
    """Look at the TXT records of the domain that are meant for this authority."""

    async def look(domain: str) -> list[str]:
        try:
            found = await servers.look_up(domain, "TXT")
        except DnsLookupError as error:
            raise DnsError(f"looking up TXT of {domain}: {error}") from error
        texts = [b"".join(record.strings).decode("utf-8", "replace") for record in found if isinstance(record, TXT)]
        return [text.removeprefix(RECORD) for text in texts if text.startswith(RECORD)]

    return look
