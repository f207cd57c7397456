"""The keys of others who sign tokens, by discovery (OpenID Connect Discovery 1.0 section 4), kept for a bounded time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final

import httpx

from certworker.clock import Clock
from certworker.errors import Unavailable
from certworker.measures import NO_MEASURES, Measures, Purpose, asking
from certworker.network.egress import EgressRefused, EgressRules, Unreachable
from certworker.network.http import Trust, build_client

KEPT: Final = timedelta(hours=1)
"""So long a key set is believed without asking again."""
ASKED_AGAIN: Final = timedelta(minutes=1)
"""An unknown key id, or a failure, makes it ask again, but no sooner than this."""
ASKED_LATER: Final = timedelta(seconds=5)
PATIENCE_SECONDS: Final = 1.0
"""So long a thread waits for another one that asks the same authority."""
ANSWER_BYTES: Final = 256 * 1024
MOST_KEYS: Final = 100
_NOT_FOUND: Final = 404

ATTESTATION: Final = "attestation authority"

Keys = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What an authority said, `since` when, and when it was asked last; or that it did not answer then."""

    at: datetime
    since: datetime
    keys: Keys
    failure: Unavailable | None = None


class DiscoveredKeys:
    """Asks authorities for their keys under the egress rules; one that does not answer is left alone for a while."""

    def __init__(
        self,
        rules: EgressRules,
        ca_bundle: Path | None,
        timeout_seconds: float,
        clock: Clock,
        what: str = ATTESTATION,
        believed: timedelta = KEPT,
        measures: Measures = NO_MEASURES,
    ) -> None:
        """`believed` is for how long keys count while their authority does not answer; `what` it is called in errors."""
        total = timedelta(seconds=timeout_seconds)
        self._rules = EgressRules(rules.allowed, ANSWER_BYTES, total, redirects=0, lookup=rules.lookup)
        self._ca_bundle = ca_bundle
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._trust = Trust()
        self._known: dict[str, _Known] = {}
        self._what = what
        self._believed = believed
        self._measures = measures
        self._locks: dict[str, Lock] = {}

    def find(self, authority: str, key_id: str) -> Mapping[str, Any] | None:
        """Find the key that an authority calls by this id. Raises Unavailable where it does not answer as it should."""
        known = self._known.get(authority)
        if known is None or not self._is_fresh(known, key_id):
            known = self._renew(authority, key_id)
        if known.failure and key_id not in known.keys:
            raise Unavailable(str(known.failure), ASKED_AGAIN) from known.failure
        return known.keys.get(key_id)

    def is_at_hand(self, authority: str, key_id: str) -> bool:
        """Tell whether a key can be found, or not found, without asking."""
        known = self._known.get(authority)
        return known is not None and self._is_fresh(known, key_id)

    def _is_fresh(self, known: _Known, key_id: str) -> bool:
        if key_id in known.keys and not (known.failure and self._believed > KEPT):
            return self._is_within(KEPT, known.since)
        return self._is_within(ASKED_AGAIN, known.at)

    def _is_within(self, span: timedelta, begin: datetime) -> bool:
        return timedelta(0) <= self._clock() - begin < span  # below zero, the wall clock was set back

    def _renew(self, authority: str, key_id: str) -> _Known:
        """Ask, unless another thread has just done so; not all threads wait for one slow authority."""
        lock = self._locks.setdefault(authority, Lock())
        known = self._known.get(authority)
        believed = known is not None and key_id in known.keys and self._is_within(self._believed, known.since)
        if not lock.acquire(timeout=0 if believed else PATIENCE_SECONDS):
            if known and believed:
                return known
            raise Unavailable(f"The {self._what} {httpx.URL(authority).host} is being asked for its keys.", ASKED_LATER)
        try:
            known = self._known.get(authority)
            if known is None or not self._is_fresh(known, key_id):
                known = self._known[authority] = self._ask(authority, known)
            return known
        finally:
            lock.release()

    def _ask(self, authority: str, before: _Known | None) -> _Known:
        """Ask. Where that fails, a key id that nobody knows must not cost the keys that are believed still."""
        at = self._clock()
        kept = before if before and self._is_within(self._believed, before.since) else _Known(at, at, {})
        try:
            with (
                asking(self._measures, Purpose.IDENTITY),
                build_client(self._rules, self._ca_bundle, self._timeout_seconds, self._trust) as client,
            ):
                return _Known(at, at, self._read_keys(authority, self._fetch(client, self._key_set_url(client, authority))))
        except EgressRefused as error:
            return _Known(at, kept.since, kept.keys, Unavailable(str(error)))
        except Unavailable as error:
            return _Known(at, kept.since, kept.keys, error)

    def _key_set_url(self, client: httpx.Client, authority: str) -> str:
        """Find out where an authority has its keys; one without discovery has them where Azure Attestation has."""
        url = f"{authority}/.well-known/openid-configuration"
        missing = {"jwks_uri": f"{authority}/certs"} if self._what == ATTESTATION else None
        document = self._fetch(client, url, missing)
        found = document.get("jwks_uri")
        if not isinstance(found, str) or not found.startswith("https://"):
            raise self._unfit(authority, "its discovery document has no jwks_uri, an https URL")
        issuer = document.get("issuer", authority)
        if not isinstance(issuer, str) or issuer.rstrip("/") != authority:
            raise self._unfit(authority, "its discovery document is another issuer's")
        return found

    def _fetch(self, client: httpx.Client, url: str, missing: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = client.get(url, headers={"Accept": "application/json"})
        if answer.status_code == _NOT_FOUND and missing is not None:
            return missing
        if not answer.is_success:
            raise self._unfit(url, f"it answered with HTTP status {answer.status_code}")
        try:
            document = json.loads(answer.content)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise self._unfit(url, "it sent something that is not a JSON object")
        return document

    def _read_keys(self, authority: str, document: Mapping[str, Any]) -> Keys:
        keys = document.get("keys")
        if not isinstance(keys, list) or len(keys) > MOST_KEYS:
            raise self._unfit(authority, f"its key set has no list of keys, of {MOST_KEYS} at the most")
        return {jwk["kid"]: jwk for jwk in keys if isinstance(jwk, dict) and isinstance(jwk.get("kid"), str)}

    def _unfit(self, url: str, why: str) -> Unreachable:
        return Unreachable(f"The {self._what} {httpx.URL(url).host} does not do as it should: {why}.")
