"""One exchange with a CA's REST API: JSON there, an answer back, bounded in size and time by the egress rules.

What proves who we are goes into headers, and nothing of those is ever shown, nor sent to where an answer redirects.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from certworker.errors import BadParameter, CertworkerError, SettingsError
from certworker.issuers.wording import (
    A_WHILE,
    REQUEST_TIMEOUT,
    SERVER_ERRORS,
    TOO_MANY_REQUESTS,
    Garbled,
    clean,
    one_line,
    retry_time,
    trouble_of_status,
)
from certworker.network.egress import EgressRefused, Unreachable
from certworker.network.http import EgressClient
from certworker.vault.issuance import Trouble

MOST_WORDS = 10
"""So many of a CA's errors are told of one answer."""


class Refused(CertworkerError):
    """The CA answered, and not with what was asked for. The message names its host and holds its words."""

    code = "refused_by_ca"

    def __init__(self, message: str, status: int, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_header = retry_after

    @property
    def passing(self) -> bool:
        """Whether it may be gone when the same is asked again."""
        return self.status in (REQUEST_TIMEOUT, TOO_MANY_REQUESTS) or self.status >= SERVER_ERRORS

    @property
    def unheard(self) -> bool:
        """Whether it is certain that nothing was done: what is refused for itself or for its number was not begun."""
        return self.status < SERVER_ERRORS and self.status != REQUEST_TIMEOUT


TROUBLES = (Garbled, Unreachable, EgressRefused, SettingsError, BadParameter)
"""What goes wrong on the way to a CA, and is no word of its own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the CA sent: header names are in lower case, `content` is not read yet."""

    host: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the CA did what was asked."""
        return 200 <= self.status < 300  # noqa: PLR2004

    @property
    def retry_after(self) -> str | None:
        """Give the header that tells when to ask again."""
        return self.headers.get("retry-after")

    def document(self) -> object:
        """Read the content as JSON; none where it is not."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):  # not JSON, or nested without end
            return None

    def fields(self) -> Mapping[str, Any]:
        """Read the content, which must be a JSON object. Raises Garbled."""
        document = self.document()
        if not isinstance(document, dict):
            raise self.garbled("something that is not a JSON object")
        return document

    def garbled(self, what: str) -> Garbled:
        """Make the error that says what was sent."""
        return Garbled(f"{self.host} sent {what} (HTTP status {self.status}).", self.status, self.retry_after)

    def refusal(self, words: Sequence[str]) -> CertworkerError:
        """Make the error of an answer that is not `ok` from the CA's own words for it; without any it is garbled."""
        told = "; ".join(dict.fromkeys(filter(None, map(one_line, words[:MOST_WORDS]))))
        if not told:
            return Garbled(f"{self.host} answered with HTTP status {self.status}.", self.status, self.retry_after)
        return Refused(f"{self.host} answered: {told} (HTTP status {self.status})", self.status, self.retry_after)


class RestClient:
    """Asks one CA. `headers` go with every request; `secrets` are what must be in no text. For one step."""

    def __init__(self, http: EgressClient, base_url: str, headers: Mapping[str, str], secrets: Sequence[str] = ()) -> None:
        self._http = http
        self._base = base_url.rstrip("/")
        self._headers = dict(headers)
        self._secrets = tuple(secrets)
        self.host = _host_of(base_url)

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one exchange. Raises the errors of `network/egress.py`, and BadParameter for what is no URL."""
        sent = {"Accept": "application/json", **self._headers, **(headers or {})}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            sent["Content-Type"] = "application/json"
        # a redirect would take the headers, and what they prove, somewhere else
        answer = self._http.request(
            method, f"{self._base}{path}", params=query, headers=sent, content=content, follow_redirects=False
        )
        if answer.is_redirect:
            raise EgressRefused(f"{self.host} redirects a request that must not be sent elsewhere.")
        named = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(self.host, answer.status_code, named, answer.content)

    def told(self, error: CertworkerError) -> str:
        """Say what went wrong in words that are fit for a journal."""
        return clean(one_line(str(error)), self._secrets)


def check_base_url(url: str, setting: str) -> str:
    """Give a base URL back. Raises SettingsError where what is sent there could be read on the way."""
    try:
        parts = urlsplit(url)
        fit = parts.scheme == "https" and bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        fit = False
    if not fit:
        raise SettingsError(f"{setting} must be an https URL without a query, such as https://ca.example/v2.")
    return url


def check_header(value: str, what: str) -> str:
    """Give back what goes into a header. Raises SettingsError, which does not show it."""
    if not value or not value.isascii() or not value.isprintable():
        raise SettingsError(f"{what} is missing, or has a character that cannot be sent to a CA.")
    return value


def earliest(error: CertworkerError, at: datetime) -> datetime | None:
    """Tell when the CA wants to be asked again after an error; none where it does not say."""
    return retry_time(error.retry_header, at) if isinstance(error, Refused | Garbled) else None


def trouble_of(error: CertworkerError) -> Trouble | None:
    """Tell whether an error is the CA's as a whole; none where it is about what was asked, or on our side."""
    if isinstance(error, Garbled):
        return error.trouble
    if isinstance(error, Refused):
        return trouble_of_status(error.status)
    if type(error) is Unreachable:
        return Trouble.UNREACHABLE
    # an answer that is too large, say
    return Trouble.OUTAGE if isinstance(error, Unreachable) else None


def time_to_ask_again(error: CertworkerError, at: datetime) -> datetime | None:
    """Tell when somebody who waits may ask again; none where it would change nothing."""
    if isinstance(error, SettingsError | BadParameter) or (isinstance(error, Refused) and not error.passing):
        return None
    return earliest(error, at) or at + A_WHILE


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or "the CA"
    except ValueError:
        return "the CA"
