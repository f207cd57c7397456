"""Who issued a certificate, where its chain does not say: the authority's certificate is where it says itself (AIA)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from certworker.crypto.received import read_certificates
from certworker.crypto.revocation.origin import is_issued_by
from certworker.errors import BadParameter, CertworkerError
from certworker.vault.revocation.backing_off import failed
from certworker.vault.revocation.sources import Fetcher, Source, SourceKind
from certworker.vault.store import Store

MOST_URLS: Final = 2


class Authorities:
    """Fetches authorities' certificates, and keeps them. One counts only where it has signed the certificate in question."""

    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        self._store = store
        self._fetcher = fetcher

    def find(self, certificate: bytes, urls: tuple[str, ...], at: datetime, may_ask: Callable[[], bool]) -> bytes | None:
        """Find the certificate, in DER, of who issued one; none where it cannot be had now."""
        signer = sha256(certificate).hexdigest()
        for url in urls[:MOST_URLS]:
            with self._store.reading() as reader:
                known = reader.source(SourceKind.ISSUER, url, signer)
                body = reader.source_body(SourceKind.ISSUER, url, signer) if known else b""
            if body:
                return body
            if known and known.due_at and known.due_at > at:
                continue
            source = known or Source(SourceKind.ISSUER, url, at, at, signer)
            if may_ask() and (found := self._fetch(source, certificate, at)):
                return found
        return None

    def _fetch(self, source: Source, certificate: bytes, at: datetime) -> bytes | None:
        try:
            found = self._asked(source.url, certificate)
            source = replace(source, body=found, due_at=None, fetched_at=at, failures=0, last_error=None, failing_since=None)
        except CertworkerError as error:
            source = failed(source, error, at)
        with self._store.writing() as writer:
            writer.put_source(source)
        return source.body or None

    def _asked(self, url: str, certificate: bytes) -> bytes:
        fetched = self._fetcher.fetch(url)
        for found in read_certificates(fetched.body) if fetched else ():
            if is_issued_by(certificate, found):
                return found
        raise BadParameter(f"What {url} gives is not the certificate of who issued this one.")
