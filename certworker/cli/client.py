"""A client of the service like any other: HTTPS, a bearer challenge, a token by client credentials (RFC 6749 section 4.4)."""

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlsplit

from certworker import errors
from certworker.cli.logins import Login, check_url
from certworker.cli.output import plain
from certworker.cli.progress import working
from certworker.network.egress import EgressRules, Unreachable
from certworker.network.http import EgressClient, build_client

API_VERSION = "2026-04-01"
ANYWHERE = EgressRules(("0.0.0.0/0", "::/0"), answer_bytes=32 * 1024 * 1024, total=timedelta(seconds=90))
"""Whoever runs a command chose the address: it may be a private one. A backup is the largest answer."""
WAIT_SECONDS = 30.0
_FIELD = re.compile(r'(\w+)="([^"]*)"')
_HTTPS = 443
_LOCAL = ("localhost", "127.0.0.1", "::1")

ERRORS: Mapping[int, type[errors.CertworkerError]] = MappingProxyType(
    {
        400: errors.BadParameter,
        401: errors.Unauthenticated,
        403: errors.Forbidden,
        404: errors.NotFound,
        408: errors.Unavailable,
        409: errors.Conflict,
        413: errors.BadParameter,
        429: errors.Unavailable,
        502: errors.Unavailable,
        503: errors.Unavailable,
        504: errors.Unavailable,
    }
)
"""What an answer's status becomes here; any other is plainly an error."""


@contextmanager
def connect(login: Login, wait_seconds: float = WAIT_SECONDS) -> Iterator["VaultClient"]:
    """Open a client, and close it at the end. Raises SettingsError for a CA bundle that cannot be read."""
    with build_client(ANYWHERE, login.ca_bundle or None, wait_seconds) as http:
        yield VaultClient(http, login)


class VaultClient:
    """Asks one vault.

    Raises the errors of the house with the service's own words: NotFound, Forbidden, Conflict, Unavailable and so on.
    """

    def __init__(self, http: EgressClient, login: Login) -> None:
        self._http = http
        self._login = login
        self._token = ""
        self._was_good = False

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401  # the wire's JSON
        """Ask for one thing, and give the JSON of the answer; none where it has no body."""
        if not self._token:
            self.log_in()
        return self._ask(method, self._login.vault_url + path, body, {"api-version": API_VERSION, **query})

    @property
    def vault_url(self) -> str:
        """The vault that is asked."""
        return self._login.vault_url

    def beside(self, url: str) -> "VaultClient":
        """Open another vault of the deployment with the same token. Raises CertworkerError for one outside of its domain."""
        if not is_beside(url, self._login.vault_url):
            raise errors.CertworkerError(f"The vault names another one at {plain(url)[:200]!r}, outside of its own domain.")
        other = VaultClient(self._http, replace(self._login, vault_url=check_url(url)))
        other._token, other._was_good = self._token, self._was_good
        return other

    def pages(self, path: str, **query: str) -> dict[str, Any]:
        """Ask for a whole list, page after page, in the shape of one page."""
        with working(f"Reading from {urlsplit(self._login.vault_url).netloc}") as step:
            page = self.call("GET", path, **query)
            values = list(page["value"])
            while link := page.get("nextLink"):
                if not link.startswith(self._login.vault_url + "/"):
                    raise errors.CertworkerError("The vault names a next page that is not its own; it is not followed.")
                page = self._ask("GET", link, None, None)
                values += page["value"]
                step.reach(len(values))
        return {"value": values, "nextLink": None}

    def log_in(self) -> Login:
        """Ask the vault who gives its tokens, and that one for a token; give the login with all that was learned.

        The client's secret goes to the authority of the login alone; where it names none, to one in the vault's own domain.
        """
        challenge = self._challenge()
        authority, _, tenant = challenge.get("authorization", "").rpartition("/")
        resource = challenge.get("resource", "")
        _check_resource(self._login.vault_url, resource)
        authority = self._login.authority or _checked_authority(authority, self._login.vault_url, resource)
        tenant = self._login.tenant_id or tenant
        self._token = self._fetch_token(authority, tenant, resource)
        return replace(self._login, tenant_id=tenant, authority=authority)

    def _challenge(self) -> Mapping[str, str]:
        answer = self._send("GET", f"{self._login.vault_url}/certificates", params={"api-version": API_VERSION})
        header = answer.headers.get("www-authenticate", "")
        if answer.status_code != HTTPStatus.UNAUTHORIZED or not header.lower().startswith("bearer "):
            said = _message(answer)
            raise _error(answer.status_code, said or f"{self._login.vault_url} is not a vault: it asks for no token.")
        return dict(_FIELD.findall(header))

    def _fetch_token(self, authority: str, tenant: str, resource: str) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._login.client_id,
            "client_secret": self._login.client_secret,
            "scope": f"{resource}/.default",
        }
        answer = self._send("POST", f"{authority}/{quote(tenant, safe='')}/oauth2/v2.0/token", data=form)
        document = _json(answer)
        if answer.status_code == HTTPStatus.OK and isinstance(document, dict) and document.get("access_token"):
            return str(document["access_token"])
        said = document.get("error_description", "") if isinstance(document, dict) else ""
        said = plain(str(said).splitlines()[0] if said else f"{authority} answered with status {answer.status_code}.")
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise errors.Unavailable(said)
        raise errors.Unauthenticated("No token was given: " + said.replace(self._login.client_secret, "***"))

    def _ask(self, method: str, url: str, body: object, query: Mapping[str, str] | None) -> Any:  # noqa: ANN401
        headers = {"Authorization": f"Bearer {self._token}"}
        more: dict[str, Any] = {"params": query} if query else {}
        if body is not None:
            more["json"] = body
        answer = self._send(method, url, headers=headers, **more)
        if answer.status_code == HTTPStatus.UNAUTHORIZED and self._was_good:
            # its time is over: whoever watches for hours goes on with another
            self._token, self._was_good = "", False
            self.log_in()
            return self._ask(method, url, body, query)
        self._was_good = self._was_good or answer.is_success
        if answer.is_success:
            return _json(answer) if answer.content else None
        raise _error(answer.status_code, _message(answer) or f"{url} answered with status {answer.status_code}.")

    def _send(self, method: str, url: str, **more: Any) -> Any:  # noqa: ANN401  # a response of the network's client
        try:
            # a redirect could carry a secret elsewhere; the service sends none
            with working(f"Waiting for {urlsplit(url).netloc}"):
                return self._http.request(method, url, follow_redirects=False, **more)
        except UnicodeEncodeError:
            # an argument of other bytes arrives as half surrogates (PEP 383)
            raise errors.BadParameter("What is to be sent is not text in UTF-8.") from None
        except Unreachable as error:
            if not _is_distrust(error):
                raise
            host = urlsplit(url).netloc
            raise Unreachable(
                f"The TLS certificate of {host} is not trusted: name the file of its authorities with `certworker login "
                "--ca-bundle FILE`, or in CERTWORKER_CA_BUNDLE."
            ) from error


def is_beside(url: str, vault_url: str) -> bool:
    """Tell whether a URL is of a vault in the domain of another one: a token may go there."""
    try:
        here, there = urlsplit(vault_url), urlsplit(check_url(url))
    except errors.SettingsError:
        return False
    name, _, domain = (there.hostname or "").partition(".vault.")
    if not domain or not name.replace("-", "").isalnum():
        return False
    if here.hostname in _LOCAL:
        return domain == "localhost"
    is_same_port = (here.port or _HTTPS) == (there.port or _HTTPS)
    return is_same_port and (here.hostname or "").partition(".vault.")[2] == domain


def _error(status: int, message: str) -> errors.CertworkerError:
    return ERRORS.get(status, errors.CertworkerError)(message)


def _message(answer: Any) -> str:  # noqa: ANN401
    document = _json(answer)
    error = document.get("error") if isinstance(document, dict) else None
    return plain(str(error.get("message") or "")) if isinstance(error, dict) else ""


def _json(answer: Any) -> Any:  # noqa: ANN401
    try:
        return answer.json()
    except (ValueError, RecursionError):
        if answer.is_success:
            raise errors.CertworkerError(f"{answer.url.host} answered with something that is not JSON.") from None
        return None


def _is_distrust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _check_resource(vault_url: str, resource: str) -> None:
    """Refuse a challenge for something that the vault is no part of: its token would open more than the vault."""
    here, named = urlsplit(vault_url), urlsplit(resource).netloc.lower()
    if here.netloc.endswith(f".{named}") or named == f"vault.{here.netloc}" or here.hostname in _LOCAL:
        return
    raise errors.Unauthenticated(f"{vault_url} asks for a token for {plain(resource)[:200]!r}, which is not its own domain.")


def _checked_authority(authority: str, vault_url: str, resource: str) -> str:
    domain = urlsplit(resource).netloc.lower().partition(".")[2]
    try:
        checked = check_url(authority)
    except errors.SettingsError:
        checked = ""
    if checked and checked in (f"https://login.{domain}", vault_url):
        return checked
    raise errors.Unauthenticated(
        f"{vault_url} names {plain(authority)[:200]!r} as its authority, which is not in its own domain: if it is meant, name "
        "it with --authority, or in CERTWORKER_AUTHORITY."
    )
