"""The http-01 challenge: a page of a web server (RFC 8555 section 8.3)."""

import asyncio
import hmac
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from ca_sim.identifiers import Identifier, read_identifiers
from ca_sim.problems import ConnectionFailedError, MalformedError, ProblemError, TlsError, UnauthorizedError
from ca_sim.validation.http_get import Answer, HttpGetError, get
from ca_sim.validation.resolver import Resolver
from ca_sim.validation.unchecked_tls import unchecked_context

Validate = Callable[[Identifier, str, str], Awaitable[None]]
"""Takes identifier, token and key authorization. Returns when the challenge is met, raises a problem when not."""


MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
_USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a URL leads: the port is the one that is connected to, and `tls` is for https."""

    identifier: Identifier
    port: int
    path: str
    tls: ssl.SSLContext | None


class Http01:
    """Connects to `port` in place of 80, and to `tls_port` in place of 443. Calling it is a `Validate`.

    A redirect may lead to https, as at public authorities; the certificate is not checked, since it may be what is missing.
    """

    def __init__(self, resolve: Resolver, *, port: int, tls_port: int, timeout_seconds: float) -> None:
        self._resolve = resolve
        self._ports = {"http": port, "https": tls_port}
        self._timeout_seconds = timeout_seconds
        self._tls = unchecked_context("http/1.1")

    async def __call__(self, identifier: Identifier, token: str, key_authorization: str) -> None:
        """Fetch the token's resource and compare it with the key authorization, all within the timeout."""
        url = f"http://{_host(identifier)}/.well-known/acme-challenge/{token}"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._follow(url)
        except TimeoutError as error:
            raise ConnectionFailedError(f"fetching {url}: no answer within {self._timeout_seconds:g} s") from error
        if answer.status != _OK:
            raise UnauthorizedError(f"fetching {url}: status {answer.status} in place of 200")
        # White space at the end is ignored (section 8.3); what came is not repeated to the client (section 10.2).
        if not hmac.compare_digest(answer.body.rstrip(b" \t\r\n"), key_authorization.encode("ascii")):
            raise UnauthorizedError(f"fetching {url}: the answer is not the key authorization")

    async def _follow(self, url: str) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._fetch(url)
            if answer.status not in _REDIRECTS:
                return answer
            url = _joined(url, answer.headers.get("location", ""))
        raise ConnectionFailedError(f"fetching {url}: more than {MAX_REDIRECTS} redirects")

    async def _fetch(self, url: str) -> Answer:
        place = self._read_url(url)
        failure = ""
        for address in await self._resolve(place.identifier):
            try:
                return await get(address, place.port, _host(place.identifier), place.path, place.tls)
            except ssl.SSLError as error:
                raise TlsError(f"fetching {url} from {address} port {place.port}: {error.reason or error}") from error
            except (OSError, HttpGetError) as error:
                reason = error.strerror if isinstance(error, OSError) else None
                failure = f"{address} port {place.port}: {reason or error}"
        raise ConnectionFailedError(f"fetching {url} from {failure}")

    def _read_url(self, url: str) -> _Place:
        """Take a URL of a redirect apart: only to the usual ports and those in their place, as public authorities have it."""
        try:
            parts = urlsplit(url)
            if parts.scheme not in self._ports:
                raise MalformedError("only http and https are followed")
            taken = {_USUAL_PORTS[parts.scheme], self._ports[parts.scheme]}
            if (parts.port or _USUAL_PORTS[parts.scheme]) not in taken:
                raise MalformedError(f"{parts.scheme} is followed to the ports {', '.join(map(str, sorted(taken)))} only")
            identifier = _identifier(parts.hostname or "")
        except (ValueError, ProblemError) as error:
            raise ConnectionFailedError(f"redirected to {url[:200]!r}: {error}") from error
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not path.isascii() or any(letter <= " " for letter in path):
            raise ConnectionFailedError(f"redirected to {url[:200]!r}: the path is not a URL's")
        return _Place(identifier, self._ports[parts.scheme], path, self._tls if parts.scheme == "https" else None)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise ConnectionFailedError(f"redirected to {location[:200]!r}: {error}") from error


def _identifier(host: str) -> Identifier:
    is_address = ":" in host or host.replace(".", "").isdigit()
    return read_identifiers([("ip" if is_address else "dns", host)])[0]


def _host(identifier: Identifier) -> str:
    return f"[{identifier.value}]" if ":" in identifier.value else identifier.value
