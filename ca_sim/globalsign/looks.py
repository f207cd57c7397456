"""How a claimed domain is looked at: the file that it serves."""

import asyncio

from ca_sim.globalsign.claims import Look
from ca_sim.identifiers import Identifier
from ca_sim.problems import ConnectionFailedError
from ca_sim.validation.http_get import HttpGetError, get
from ca_sim.validation.resolver import Resolver

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
