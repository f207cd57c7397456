"""Fetching what certificates name: revocation lists, issuers' certificates, and answers of OCSP responders (RFC 6960).

The URLs come out of certificates, so the egress rules hold for each of them, and for where they redirect to.
"""

from datetime import timedelta
from typing import Final

import httpx

from certworker.errors import Unavailable
from certworker.measures import NO_MEASURES, Measures, Purpose, asking
from certworker.network.egress import EgressRules
from certworker.network.http import Connect, EgressClient, Trust, build_client, read_body
from certworker.vault.revocation.sources import Fetched

REQUEST_TYPE: Final = "application/ocsp-request"
ANSWER_BYTES: Final = 256 * 1024
"""An answer of OCSP has a few kilobytes, with the certificates of whoever signed it."""
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_LONGEST_WAIT: Final = 86_400
_LONGEST_TAG: Final = 512


class RevocationFetcher:
    """Asks over HTTP, each time anew: certificates name many hosts, and a connection is seldom of use again."""

    def __init__(
        self,
        allowed: tuple[str, ...],
        list_bytes: int,
        timeout_seconds: float,
        connect: Connect | None = None,
        measures: Measures = NO_MEASURES,
    ) -> None:
        self._measures = measures
        self._rules = EgressRules(allowed, answer_bytes=list_bytes, total=timedelta(seconds=timeout_seconds))
        self._timeout_seconds = timeout_seconds
        self._connect = connect
        self._trust = Trust()

    def fetch(self, url: str, etag: str | None = None, last_modified: str | None = None) -> Fetched | None:
        """Get what is at a URL; none where it is still what it was. Raises Unavailable, EgressRefused, BadParameter."""
        headers = {}
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        with self._asking(Purpose.CRL), self._client() as client, client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == _NOT_MODIFIED and headers:
                return None
            _check(answer)
            body = read_body(answer, self._rules.answer_bytes)
            return Fetched(body, _short(answer.headers.get("ETag")), _short(answer.headers.get("Last-Modified")))

    def ask(self, url: str, request: bytes) -> bytes:
        """Send a request of OCSP to a responder, and give its answer. Raises likewise."""
        headers = {"Content-Type": REQUEST_TYPE}
        with (
            self._asking(Purpose.OCSP),
            self._client() as client,
            client.stream("POST", url, content=request, headers=headers) as answer,
        ):
            _check(answer)
            return read_body(answer, ANSWER_BYTES)

    def _asking(self, purpose: Purpose) -> asking:
        return asking(self._measures, purpose)

    def _client(self) -> EgressClient:
        if self._connect:
            return self._connect(self._rules, None, self._timeout_seconds)
        return build_client(self._rules, None, self._timeout_seconds, self._trust)


def _check(answer: httpx.Response) -> None:
    if answer.status_code == _OK:
        return
    wait = answer.headers.get("Retry-After", "")
    retry_after = timedelta(seconds=min(int(wait), _LONGEST_WAIT)) if wait.isascii() and wait.isdecimal() else None
    raise Unavailable(f"{answer.url.host} answered with the status {answer.status_code}.", retry_after)


def _short(value: str | None) -> str | None:
    """Keep a header that is sent back as it came, unless it is too long to be kept."""
    return value if value and len(value) <= _LONGEST_TAG and value.isascii() and value.isprintable() else None
