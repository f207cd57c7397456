"""The requests to GlobalSign Atlas, one method for each; logs in where it has to."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from certworker.crypto.received import read_certificates
from certworker.errors import BadParameter, CertworkerError
from certworker.issuers.globalsign.memory import Memory
from certworker.issuers.globalsign.policy import AtlasPolicy, read_policy
from certworker.issuers.rest import Answer, RestClient, check_header
from certworker.issuers.wording import clean

NOT_READY, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 202, 401, 403, 404
PER_PAGE = 100
LONGEST_WINDOW = timedelta(days=30)
"""The CA's statistics tell of no longer time at once."""
TOKEN_LIFETIME = timedelta(minutes=9)
"""A token can be used for ten."""
POLICY_LIFETIME = timedelta(minutes=10)
_LONGEST_SERIAL, _LONGEST_COUNT = 40, 9
"""Digits."""


class Remembered:
    """What a process remembers of the accounts at Atlas."""

    def __init__(self) -> None:
        self.tokens: Memory[str, str] = Memory(256, TOKEN_LIFETIME)
        self.policies: Memory[str, AtlasPolicy] = Memory(256, POLICY_LIFETIME)


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to Atlas. `version` names the client certificate, to which a token is bound."""

    url: str
    api_key: str
    api_secret: str = field(repr=False)
    version: str = ""

    @property
    def digest(self) -> str:
        """Name it without telling it."""
        parts = (self.url, self.api_key, self.api_secret, self.version)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Listed:
    """What the statistics tell of a certificate. Times are seconds since 1970."""

    serial: str
    not_before: int
    not_after: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """A certificate as the CA shows it."""

    text: str
    status: str


class AtlasClient:
    """Asks Atlas for one step. Every method raises Refused, and what `RestClient.ask` and `Answer.fields` do."""

    def __init__(self, rest: RestClient, login: Login, remembered: Remembered, at: datetime) -> None:
        self._rest = rest
        self._login = login
        self._remembered = remembered
        self._at = at
        self._secrets = [login.api_secret]

    def log_in(self) -> None:
        """Log in, unless a token is at hand."""
        if self._remembered.tokens.find(self._login.digest, self._at) is None:
            self._new_token()

    def policy(self) -> AtlasPolicy:
        """Give the account's validation policy, which may be some minutes old."""
        known = self._remembered.policies.find(self._login.digest, self._at)
        if known is None:
            known = read_policy(self._ask("GET", "/validationpolicy"))
            self._remembered.policies.keep(self._login.digest, known, self._at)
        return known

    def forget(self) -> None:
        """Have the policy read anew, and log in anew."""
        self._remembered.policies.take(self._login.digest)
        self._remembered.tokens.take(self._login.digest)

    def order(self, body: Mapping[str, Any]) -> str:
        """Ask for a certificate, which is issued at once; give its serial number."""
        answer = self._ask("POST", "/certificates", body)
        serial = answer.headers.get("location", "").rstrip("/").rsplit("/", 1)[-1]
        if not _is_serial(serial):
            raise answer.garbled("no serial number of what it issued")
        return serial

    def fetch(self, serial: str) -> Fetched | Answer:
        """Fetch a certificate; the bare answer while it is not ready."""
        answer = self._ask("GET", f"/certificates/{serial}")
        if answer.status == NOT_READY:
            return answer
        fields = answer.fields()
        text, status = fields.get("certificate"), fields.get("status")
        if not isinstance(text, str) or not isinstance(status, str):
            raise answer.garbled("no certificate and status")
        return Fetched(text, status)

    def revoke(self, serial: str, reason: str) -> None:
        """Revoke a certificate."""
        self._ask("PATCH", f"/certificates/{serial}", {"revocation_reason": reason})

    def chain(self) -> tuple[bytes, ...]:
        """Give the certificates above those of the account, as DER."""
        answer = self._ask("GET", "/trustchain")
        found = answer.document()
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise answer.garbled("no list of certificates as its trust chain")
        try:
            return tuple(der for text in found for der in read_certificates(text.encode()))
        except BadParameter as error:
            raise answer.garbled("something in its trust chain that is no certificate") from error

    def issued(self, begin: datetime, end: datetime, page: int) -> tuple[list[Listed], int]:
        """List a page of what was issued to the account between two times, and tell how many there are; the first is 1."""
        query = {
            "from": str(int(max(begin, end - LONGEST_WINDOW).timestamp())),
            "to": str(int(end.timestamp())),
            "page": str(page),
            "per_page": str(PER_PAGE),
        }
        answer = self._ask("GET", "/stats/issued", query=query)
        found = answer.document()
        if not isinstance(found, list):
            raise answer.garbled("no list of certificates")
        return [_listed(entry, answer) for entry in found], -(-_total(answer) // PER_PAGE)

    def number(self, path: str) -> int:
        """Read a counter."""
        answer = self._ask("GET", path)
        value = answer.fields().get("value")
        if not isinstance(value, int):
            raise answer.garbled("no number")
        return value

    def verified_claims(self) -> int:
        """Count the verified domain claims of the account."""
        answer = self._ask("GET", "/claims/domains", query={"page": "1", "per_page": "1", "status": "VERIFIED"})
        return _total(answer)

    def told(self, error: CertworkerError) -> str:
        """Say what went wrong in words that are fit for a journal."""
        return clean(self._rest.told(error), self._secrets)

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask with a token; where it is not taken any more, log in again, once. What is answered 401 was not begun."""
        token = self._remembered.tokens.find(self._login.digest, self._at)
        answer = self._send(method, path, body, query, token or self._new_token())
        if answer.status == UNAUTHORIZED and token:
            self._remembered.tokens.take(self._login.digest)
            answer = self._send(method, path, body, query, self._new_token())
        if not answer.ok:
            raise _refusal(answer)
        return answer

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, query: Mapping[str, str] | None, token: str
    ) -> Answer:
        self._secrets.append(token)
        return self._rest.ask(method, path, body, query, {"Authorization": f"Bearer {token}"})

    def _new_token(self) -> str:
        answer = self._rest.ask("POST", "/login", {"api_key": self._login.api_key, "api_secret": self._login.api_secret})
        if not answer.ok:
            raise _refusal(answer)
        token = answer.fields().get("access_token")
        if not isinstance(token, str) or not token:
            raise answer.garbled("no access token")
        check_header(token, "The CA's access token")
        self._remembered.tokens.keep(self._login.digest, token, self._at)
        return token


def _refusal(answer: Answer) -> CertworkerError:
    document = answer.document()
    words = document.get("description") if isinstance(document, dict) else None
    return answer.refusal([words] if isinstance(words, str) else [])


def _total(answer: Answer) -> int:
    total = answer.headers.get("total-count", "")
    if not (total.isascii() and total.isdigit() and len(total) <= _LONGEST_COUNT):
        raise answer.garbled("a list without its length")
    return int(total)


def _listed(entry: object, answer: Answer) -> Listed:
    found = entry if isinstance(entry, dict) else {}
    serial, begin, end = (found.get(name) for name in ("serial_number", "not_before", "not_after"))
    if not isinstance(serial, str) or not _is_serial(serial) or not isinstance(begin, int) or not isinstance(end, int):
        raise answer.garbled("a list of something else than certificates")
    return Listed(serial, begin, end)


def _is_serial(text: str) -> bool:
    """Whether it is a serial number in hexadecimal: it becomes part of a path."""
    return 0 < len(text) <= _LONGEST_SERIAL and all(letter in "0123456789abcdefABCDEF" for letter in text)
