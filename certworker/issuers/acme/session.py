"""The way from the `acme` library to the network: its `requests` session is carried by the house's own HTTP client.

So the egress rules, TLS and the limits on size and time are those of `network/http.py`, for ACME as for everything else.
"""

import io
import json
from collections.abc import Mapping
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import requests
from acme import messages
from acme.client import ClientNetwork
from acme.jws import JWS
from josepy.b64 import b64encode
from josepy.jwa import ES256
from josepy.jwk import JWKEC
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from certworker.crypto.keys import load_private
from certworker.issuers.acme.problems import AcmeProblem, Garbled, read_problem
from certworker.network.egress import EgressRefused, Unreachable
from certworker.network.http import EgressClient

BAD_NONCES = 10
"""So many times a request is signed again because the CA did not like its nonce."""
STEP_SECONDS, BRISK_SECONDS = 75.0, 30.0
"""So long after its beginning a step may still ask the CA, and go on with what could as well be the next step's."""


def host_of(url: str) -> str:
    """Tell a URL's host: the part of it that may be shown."""
    try:
        return urlsplit(url).hostname or "the CA"
    except ValueError:
        return "the CA"


def scheme_of(url: str) -> str:
    """Tell the scheme of a URL that has a host; empty for what is no such URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.scheme if parts.hostname else ""


class Carrier(BaseAdapter):
    """Carries the requests of a `requests` session over an HTTP client."""

    def __init__(self, client: EgressClient) -> None:
        super().__init__()
        self._client = client

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:  # noqa: ANN401
        """Send one request. Raises the errors of `network/egress.py`; a POST that is redirected is refused."""
        url, method = str(request.url), str(request.method)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "accept-encoding"}
        content = request.body if isinstance(request.body, bytes | str) else None
        answer = self._client.request(method, url, headers=headers, content=content, follow_redirects=method != "POST")
        if answer.is_redirect:
            raise EgressRefused(f"{host_of(url)} redirects a request that must not be sent elsewhere.")
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers = CaseInsensitiveDict(answer.headers.items())
        response.raw = io.BytesIO(answer.content)
        response.url, response.request = url, request
        return response

    def close(self) -> None:
        """Leave the client open: it is not ours."""


class AcmeNetwork(ClientNetwork):
    """The library's signing and nonces, over our own client, patient with nonces, and with problems read in full.

    Not safe for threads: one for each step.
    """

    def __init__(
        self, client: EgressClient, key: bytes, account_url: str | None, timeout_seconds: float, nonce: str | None = None
    ) -> None:
        self.jwk = JWKEC(key=load_private(key))
        self._begun = monotonic()
        super().__init__(self.jwk, alg=ES256, user_agent="certworker", timeout=max(1, int(timeout_seconds)))
        if nonce is not None:
            self._nonces.add(nonce)
        self.session.trust_env = False
        for adapter in self.session.adapters.values():
            adapter.close()
        self.session.adapters.clear()
        self.session.mount("http://", Carrier(client))
        self.session.mount("https://", Carrier(client))
        if account_url:
            self.account = messages.RegistrationResource(uri=account_url, body=messages.Registration())

    @property
    def is_slow(self) -> bool:
        """Whether the CA has taken so long that the rest had better be another step's."""
        return monotonic() - self._begun > BRISK_SECONDS

    @property
    def spare_nonces(self) -> frozenset[str]:
        """Give the nonces that no request has used."""
        return frozenset(self._nonces)

    def thumbprint(self) -> str:
        """Give the account key's thumbprint, as challenge responses have it (RFC 8555 section 8.1)."""
        return b64encode(self.jwk.thumbprint()).decode("ascii")

    def sign_change(self, account_url: str, key: bytes, url: str) -> dict[str, Any]:
        """Let another DER key sign that it wants to be the account's (RFC 8555 section 7.3.5)."""
        wanted = JWKEC(key=load_private(key))
        content = {"account": account_url, "oldKey": self.jwk.public_key().to_partial_json()}
        signed = JWS.sign(json.dumps(content).encode(), key=wanted, alg=ES256, nonce=None, url=url)
        change: dict[str, Any] = json.loads(signed.json_dumps())
        return change

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Sign and send a request. A request whose nonce was refused was not looked at: it is signed again."""
        for _ in range(BAD_NONCES):
            try:
                return self._post_once(*args, **kwargs)
            except AcmeProblem as error:
                if error.problem.kind != "badNonce":
                    raise
        return self._post_once(*args, **kwargs)

    def _send_request(self, method: str, url: str, *_: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        """Take the place of the library's, which writes all that goes over the wire into the log, tokens and all.

        Raises Unreachable for a CA that is so slow that the step would outlast its lease.
        """
        if monotonic() - self._begun > STEP_SECONDS:
            raise Unreachable(f"{host_of(url)} is too slow: its answers to one step took more than {STEP_SECONDS:.0f} s.")
        headers = {"User-Agent": self.user_agent, **kwargs.get("headers", {})}
        response = self.session.request(method, url, data=kwargs.get("data"), headers=headers)
        response.encoding = "utf-8"  # or it would be guessed, which takes long for a large answer
        return response

    @classmethod
    def _check_response(cls, response: requests.Response, content_type: str | None = None) -> requests.Response:  # noqa: ARG003
        """Take the place of the library's check, which drops the status and the headers of what it refuses."""
        if response.ok:
            return response
        host, retry_after = host_of(response.url), response.headers.get("Retry-After")
        problem = read_problem(json_or_none(response), response.status_code, retry_after)
        if problem is None:
            raise Garbled(f"{host} answered with HTTP status {response.status_code}.", response.status_code, retry_after)
        raise AcmeProblem(problem, host)


def read_json(response: requests.Response) -> Mapping[str, Any]:
    """Read an answer that must be a JSON object. Raises Garbled."""
    document = json_or_none(response)
    if not isinstance(document, dict):
        raise Garbled(f"{host_of(response.url)} sent something that is not a JSON object.")
    return document


def json_or_none(response: requests.Response) -> object:
    """Read an answer as JSON; none where it is not."""
    try:
        return response.json()
    except (ValueError, RecursionError):  # not JSON, or nested without end
        return None
