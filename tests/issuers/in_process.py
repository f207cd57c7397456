"""The way from certworker's HTTP client to an authority in the same thread: no sockets, no TLS, the same at every run."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from ca_sim.in_process import InProcess, NoAnswerError
from certworker.network.egress import EgressRules, Unreachable
from certworker.network.http import EgressClient
from certworker.network.in_process import Answered, CarriedConnect, CarriedTransport


class InProcessTransport(CarriedTransport):
    """Carries requests to an authority, as a client whose certificate is `peer_certificate` (DER), if it has one."""

    def __init__(self, authority: InProcess, rules: EgressRules, peer_certificate: bytes | None = None) -> None:
        super().__init__(_Way(authority, peer_certificate), rules)


class InProcessConnect:
    """What builds certworker's HTTP clients, for providers: each leads to the authority alone."""

    def __init__(self, authority: InProcess, peer_certificate: bytes | None = None) -> None:
        self.authority = authority
        self.peer_certificate = peer_certificate
        self._connect = CarriedConnect(_Way(authority, peer_certificate))

    def __call__(self, rules: EgressRules, ca_bundle: str | None, timeout_seconds: float) -> EgressClient:
        """Build a client."""
        return self._connect(rules, ca_bundle, timeout_seconds)


class _Way:
    def __init__(self, authority: InProcess, peer_certificate: bytes | None) -> None:
        self._authority = authority
        self._peer_certificate = peer_certificate

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        try:
            answer = self._authority.request(method, url, headers, body, self._peer_certificate)
        except NoAnswerError as error:
            raise Unreachable(f"{urlsplit(url).hostname} broke the connection: {error}.") from error
        return answer.status, answer.headers, answer.body
