"""The simulated authority behind a provider's own HTTP client: what is asked is carried to it in this thread, no sockets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from ca_sim.clock import Clock
from ca_sim.in_process import InProcess, NoAnswerError, in_process
from ca_sim.settings import read
from certworker.network.egress import AnswerTooLarge, EgressRules, Unreachable
from certworker.network.http import Budget, EgressClient

Connect = Callable[[EgressRules, str | None, float], EgressClient]


class InProcessTransport(httpx.BaseTransport):
    """Carries requests to an authority in this thread. `requests` lists what was asked, as method and path."""

    def __init__(self, authority: InProcess, answer_bytes: int, peer_certificate: bytes | None = None) -> None:
        self._authority = authority
        self._answer_bytes = answer_bytes
        self._peer_certificate = peer_certificate
        self.requests: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request. Raises Unreachable and AnswerTooLarge as the transport of the house does."""
        self.requests.append(f"{request.method} {request.url.path}")
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        try:
            answer = self._authority.request(request.method, str(request.url), headers, request.read(), self._peer_certificate)
        except NoAnswerError as error:
            raise Unreachable(f"{request.url.host} broke the connection.") from error
        if len(answer.body) > self._answer_bytes:
            raise AnswerTooLarge(f"{request.url.host} sent an answer of more than {self._answer_bytes} bytes.")
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)


def connect_to(authority: InProcess, peer_certificate: bytes | None = None) -> Connect:
    """Give what a provider takes for `connect`: clients that ask this authority."""

    def connect(rules: EgressRules, _bundle: str | None, timeout_seconds: float) -> EgressClient:
        transport = InProcessTransport(authority, rules.answer_bytes, peer_certificate)
        return EgressClient(rules, transport, Budget(rules.total.total_seconds()), timeout_seconds)

    return connect


@contextmanager
def authority_in_process(clock: Clock, **changed: object) -> Iterator[InProcess]:
    """Open an authority in memory whose time is that of `clock`; `changed` are its settings."""
    with in_process(read(changed), clock) as authority:
        yield authority
