"""The way from certworker's HTTP client to an authority in the same thread: no sockets, no TLS, the same at every run."""

import httpx

from ca_sim.in_process import InProcess, NoAnswerError
from certworker.network.egress import AnswerTooLarge, EgressRules, Unreachable
from certworker.network.http import Budget, EgressClient


class InProcessTransport(httpx.BaseTransport):
    """Carries requests to an authority, as a client whose certificate is `peer_certificate` (DER), if it has one."""

    def __init__(self, authority: InProcess, rules: EgressRules, peer_certificate: bytes | None = None) -> None:
        self._authority = authority
        self._rules = rules
        self._peer_certificate = peer_certificate

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and give its answer. Raises Unreachable and AnswerTooLarge, as over a network."""
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        try:
            answer = self._authority.request(request.method, str(request.url), headers, request.read(), self._peer_certificate)
        except NoAnswerError as error:
            raise Unreachable(f"{request.url.host} broke the connection: {error}.") from error
        if len(answer.body) > self._rules.answer_bytes:
            raise AnswerTooLarge(f"{request.url.host} sent an answer of more than {self._rules.answer_bytes} bytes.")
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)


class InProcessConnect:
    """What builds certworker's HTTP clients, for providers: each leads to the authority alone."""

    def __init__(self, authority: InProcess, peer_certificate: bytes | None = None) -> None:
        self.authority = authority
        self.peer_certificate = peer_certificate

    def __call__(self, rules: EgressRules, _ca_bundle: str | None, timeout_seconds: float) -> EgressClient:
        """Build a client."""
        transport = InProcessTransport(self.authority, rules, self.peer_certificate)
        return EgressClient(rules, transport, Budget(rules.total.total_seconds()), timeout_seconds)
