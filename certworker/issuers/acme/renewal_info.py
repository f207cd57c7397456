"""Renewal information: a CA says when it wants a certificate to be renewed (RFC 9773 section 4).

It is asked for without a signature, so no account is needed, and none is touched.
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from certworker.crypto.renewal_info import certificate_id
from certworker.errors import CertworkerError
from certworker.issuers.acme.directories import Directories
from certworker.issuers.acme.problems import AcmeProblem, Garbled, clean, read_problem
from certworker.issuers.acme.resources import Directory, read_directory
from certworker.issuers.acme.session import host_of, scheme_of
from certworker.issuers.wording import one_line, read_time, retry_time
from certworker.network.egress import AnswerTooLarge, Unreachable
from certworker.network.http import EgressClient
from certworker.vault.issuance import Advice, NoAdvice

LONGEST_URL = 2048
"""So long is a URL at the most, that of an explanation too."""
UNNAMED = "The certificate does not say by which key it was signed, so that its CA cannot be asked about it."
NOT_OFFERED = "The CA does not say when it wants certificates to be renewed: its directory has no renewalInfo."
_SUCCESSES = range(200, 300)


def ask(
    http: EgressClient, directory_url: str, certificate: bytes, directories: Directories, at: datetime
) -> Advice | NoAdvice:
    """Ask about a DER certificate. The directory is the one that was read lately, if it was.

    Raises AcmeProblem, Garbled, and the errors of `network/egress.py`.
    """
    identifier = certificate_id(certificate)
    if identifier is None:
        return NoAdvice(UNNAMED, offered=False, passing=False)
    directory = directories.find(directory_url, at) or _read_directory(http, directory_url)
    directories.keep(directory_url, directory, at)
    if directory.renewal_info is None:
        return NoAdvice(NOT_OFFERED, offered=False, passing=False)
    url = _checked(f"{directory.renewal_info.rstrip('/')}/{identifier}", directory_url)
    document, retry_after = _get(http, url)
    return _read(document, host_of(url), retry_time(retry_after, at))


def why_not(error: CertworkerError, at: datetime) -> NoAdvice:
    """Say what an error means (RFC 9773 section 4.3.3): what may pass soon, or what had better be asked again much later."""
    text = clean(str(error))
    if isinstance(error, AcmeProblem):
        problem = error.problem
        passing = problem.passing or problem.status == HTTPStatus.REQUEST_TIMEOUT
        return NoAdvice(text, passing=passing, retry_at=retry_time(problem.retry_after, at))
    if isinstance(error, Garbled):
        passing = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status in (
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.REQUEST_TIMEOUT,
        )
        return NoAdvice(text, passing=passing, retry_at=retry_time(error.retry_header, at))
    return NoAdvice(text, passing=isinstance(error, Unreachable) and not isinstance(error, AnswerTooLarge))


def _read_directory(http: EgressClient, url: str) -> Directory:
    return read_directory(_get(http, _checked(url, url))[0], host_of(url))


def _get(http: EgressClient, url: str) -> tuple[Mapping[str, Any], str | None]:
    """Fetch a JSON object, and the Retry-After that came with it."""
    host, answer = host_of(url), http.get(url)
    retry_after = answer.headers.get("Retry-After")
    try:
        document = answer.json()
    except (ValueError, RecursionError):  # not JSON, or nested without end
        document = None
    if answer.status_code not in _SUCCESSES:
        if problem := read_problem(document, answer.status_code, retry_after):
            raise AcmeProblem(problem, host)
        raise Garbled(f"{host} answered with HTTP status {answer.status_code}.", answer.status_code, retry_after)
    if not isinstance(document, Mapping):
        raise Garbled(f"{host} sent something that is not a JSON object.", answer.status_code, retry_after)
    return document, retry_after


def _read(document: Mapping[str, Any], host: str, retry_at: datetime | None) -> Advice | NoAdvice:
    """Read RenewalInfo (RFC 9773 section 4.2). A window that ends before it begins is no answer."""
    window = document.get("suggestedWindow")
    window = window if isinstance(window, Mapping) else {}
    start, end = read_time(window.get("start")), read_time(window.get("end"))
    if start is None or end is None:
        return NoAdvice(f"{host} sent renewal information without a window.", passing=False, retry_at=retry_at)
    if end <= start:
        return NoAdvice(f"{host} sent a renewal window that ends before it begins.", passing=False, retry_at=retry_at)
    return Advice(start, end, _explanation(document.get("explanationURL")), retry_at)


def _explanation(value: object) -> str | None:
    """Take a URL for people to read; nobody follows it here."""
    if not isinstance(value, str) or len(value) > LONGEST_URL or one_line(value) != value:
        return None
    return value if scheme_of(value) in ("https", "http") else None


def _checked(url: str, directory_url: str) -> str:
    """Refuse what is no URL, and a way from https to anything else. Raises Garbled."""
    allowed = ("https",) if scheme_of(directory_url) == "https" else ("https", "http")
    if scheme_of(url) not in allowed or len(url) > LONGEST_URL:
        raise Garbled(f"{host_of(directory_url)} named a resource whose URL is not one of {' or '.join(allowed)}.")
    return url
