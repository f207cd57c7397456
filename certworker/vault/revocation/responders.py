"""OCSP responders: asked about one certificate at a time; one that does not answer is left alone for a while, by everybody."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from certworker.crypto.revocation import Judgement, judge_by_ocsp, ocsp_request, unknown
from certworker.errors import BadParameter, CertworkerError
from certworker.vault.revocation.backing_off import failed
from certworker.vault.revocation.sources import LEEWAY, Fetcher, Source, SourceKind
from certworker.vault.store import Store


class Responders:
    """Asks responders, and remembers which have failed."""

    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        self._store = store
        self._fetcher = fetcher

    def judge(self, url: str, certificate: bytes, issuer: bytes, at: datetime, may_ask: Callable[[], bool]) -> Judgement:
        """Judge a certificate by what a responder says. Unknown where it says nothing, or was not to be asked."""
        with self._store.reading() as reader:
            known = reader.source(SourceKind.RESPONDER, url)
        if known and known.failures and known.due_at and known.due_at > at:
            return unknown(known.last_error or f"The responder at {url} failed.", "ocsp")
        if not may_ask():
            return unknown(f"The responder at {url} was not asked: the look took too long.", "ocsp")
        source = known or Source(SourceKind.RESPONDER, url, None, at)
        try:
            request = ocsp_request(certificate, issuer)
        except BadParameter as error:
            return unknown(str(error), "ocsp")
        try:
            answer = self._fetcher.ask(url, request)
        except CertworkerError as error:
            self._put(failed(source, error, at))
            return unknown(str(error), "ocsp")
        if known is None or known.failures:
            self._put(replace(source, due_at=None, fetched_at=at, failures=0, last_error=None, failing_since=None))
        return judge_by_ocsp(certificate, issuer, answer, at, leeway=LEEWAY)

    def _put(self, source: Source) -> None:
        with self._store.writing() as writer:
            writer.put_source(source)
