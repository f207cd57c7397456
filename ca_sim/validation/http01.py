"""Validation of challenges: the authority's own look at the identifier (RFC 8555 section 8)."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin, urlsplit

from ca_sim.identifiers import Identifier, read_identifiers
from ca_sim.problems import ConnectionFailedError, MalformedError, ProblemError, UnauthorizedError
from ca_sim.validation.http_get import Answer, HttpGetError, get
from ca_sim.validation.resolver import Resolver

Validate = Callable[[Identifier, str, str], Awaitable[None]]
"""Takes identifier, token and key authorization. Returns when the challenge is met, raises a problem when not."""

MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
_HTTP_PORT = 80


class Http01:
    """The http-01 challenge (section 8.3), with `port` in place of port 80. Calling it is a `Validate`."""

    def __init__(self, resolve: Resolver, *, port: int, timeout_seconds: float) -> None:
        self._resolve = resolve
        self._port = port
        self._timeout_seconds = timeout_seconds

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
            url = urljoin(url, answer.headers.get("location", ""))
        raise ConnectionFailedError(f"fetching {url}: more than {MAX_REDIRECTS} redirects")

    async def _fetch(self, url: str) -> Answer:
        identifier, port, path = self._read_url(url)
        failure = ""
        for address in await self._resolve(identifier):
            try:
                return await get(address, port, _host(identifier), path)
            except (OSError, HttpGetError) as error:
                reason = error.strerror if isinstance(error, OSError) else None
                failure = f"{address} port {port}: {reason or error}"
        raise ConnectionFailedError(f"fetching {url} from {failure}")

    def _read_url(self, url: str) -> tuple[Identifier, int, str]:
        """Take a URL of a redirect apart: only plain HTTP to the validation's port, as public authorities have it."""
        try:
            parts = urlsplit(url)
            port = parts.port or _HTTP_PORT
            if parts.scheme != "http" or port not in {_HTTP_PORT, self._port}:
                raise MalformedError(f"only http on port {_HTTP_PORT} or {self._port} is followed")
            identifier = _identifier(parts.hostname or "")
        except (ValueError, ProblemError) as error:
            raise ConnectionFailedError(f"redirected to {url[:200]!r}: {error}") from error
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not path.isascii() or any(letter <= " " for letter in path):
            raise ConnectionFailedError(f"redirected to {url[:200]!r}: the path is not a URL's")
        return identifier, self._port, path


def _identifier(host: str) -> Identifier:
    is_address = ":" in host or host.replace(".", "").isdigit()
    return read_identifiers([("ip" if is_address else "dns", host)])[0]


def _host(identifier: Identifier) -> str:
    return f"[{identifier.value}]" if ":" in identifier.value else identifier.value
