"""HTTP to another part of the same process: no sockets and no TLS, so the same at every run."""

from collections.abc import Callable, Mapping, Sequence

import httpx

from certworker.network.egress import AnswerTooLarge, EgressRules
from certworker.network.http import Budget, EgressClient

Answered = tuple[int, Sequence[tuple[str, str]], bytes]
"""Status, headers and body."""
Carry = Callable[[str, str, Mapping[str, str], bytes], Answered]
"""Carries a request (method, URL, headers, body) and gives its answer. Raises Unreachable."""


class CarriedTransport(httpx.BaseTransport):
    """Has requests carried, under the rules that hold for the size of answers."""

    def __init__(self, carry: Carry, rules: EgressRules) -> None:
        self._carry = carry
        self._rules = rules

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and give its answer. Raises Unreachable and AnswerTooLarge, as over a network."""
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        status, answer_headers, body = self._carry(request.method, str(request.url), headers, request.read())
        if len(body) > self._rules.answer_bytes:
            raise AnswerTooLarge(f"{request.url.host} sent an answer of more than {self._rules.answer_bytes} bytes.")
        return httpx.Response(status, headers=list(answer_headers), content=body, request=request)


class CarriedConnect:
    """What builds HTTP clients, for providers and others: each has its requests carried."""

    def __init__(self, carry: Carry) -> None:
        self._carry = carry

    def __call__(self, rules: EgressRules, _ca_bundle: str | None, timeout_seconds: float) -> EgressClient:
        """Build a client."""
        return EgressClient(rules, CarriedTransport(self._carry, rules), Budget(rules.total.total_seconds()), timeout_seconds)
