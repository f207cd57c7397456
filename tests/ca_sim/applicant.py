"""An applicant at an authority in the same thread, on a clock that stands still until it is moved."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from cryptography import x509

from ca_sim.acme.renewal_info import certificate_id
from ca_sim.identifiers import Identifier
from ca_sim.in_process import InProcess, in_process
from ca_sim.problems import UnauthorizedError
from ca_sim.server import Running
from ca_sim.settings import read
from tests.ca_sim.caller import Caller, Key, make_csr
from tests.support.clock import FakeClock

KINDS = ("http-01", "dns-01", "tls-alpn-01")


class Carrier(httpx.BaseTransport):
    """Carries requests to an authority in this thread."""

    def __init__(self, authority: InProcess) -> None:
        self._authority = authority

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request."""
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        answer = self._authority.request(request.method, str(request.url), headers, request.read())
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body, request=request)


@dataclass
class Look:
    """A validation that meets every challenge but those of the names that fail."""

    failing: set[str] = field(default_factory=set)

    async def __call__(self, identifier: Identifier, _token: str, _key_authorization: str) -> None:
        """Look at an identifier."""
        if identifier.value in self.failing:
            raise UnauthorizedError(f"{identifier.value} shows nothing")


class Applicant(Caller):
    """A client that proves what it is asked to, as far as `look` lets it."""

    def __init__(self, running: Running, http: httpx.Client, authority: InProcess, clock: FakeClock, look: Look) -> None:
        super().__init__(running, http)
        self.authority = authority
        self.clock = clock
        self.look = look

    def other(self) -> "Applicant":
        """Register another account."""
        house = self.authority.house
        running = Running(house.directory_url, house.bases, house.authority.root_pem)
        made = Applicant(running, self.http, self.authority, self.clock, self.look)
        assert made.register().status_code == 201
        return made

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**time))

    def prove(self, order: dict[str, Any]) -> None:
        """Answer a challenge of each pending authorization."""
        for url in order["authorizations"]:
            authorization = self.post(url).json()
            if authorization["status"] == "pending":
                assert self.post(authorization["challenges"][0]["url"], {}).status_code == 200

    def obtain(self, *names: str, **members: object) -> x509.Certificate:
        """Go the whole way to a certificate."""
        return x509.load_pem_x509_certificate(self.obtained(*names, **members).content)

    def obtained(self, *names: str, **members: object) -> httpx.Response:
        """Go the whole way to the download."""
        answer = self.order(*names, **members)
        assert answer.status_code == 201, answer.text
        self.prove(answer.json())
        assert self.finalize(answer.json(), make_csr(names)).status_code == 200
        order = self.post(answer.headers["Location"]).json()
        assert order["status"] == "valid", order
        return self.post(order["certificate"])

    def renewal_info(self, identifier: str) -> httpx.Response:
        """Ask when to renew."""
        return self.http.get(f"{self.directory['renewalInfo']}/{identifier}")

    def window(self, leaf: x509.Certificate) -> dict[str, Any]:
        """Give the suggested window of a certificate."""
        window: dict[str, Any] = self.renewal_info(certificate_id(leaf)).json()["suggestedWindow"]
        return window

    def manage(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Ask the management endpoint."""
        base = next(url for name, url in self.authority.house.bases.items() if name == "management")
        return self.http.request(method, base + path, json=body)


@contextmanager
def applying(kinds: Sequence[str] = KINDS, key: Key | None = None, **settings: object) -> Iterator[Applicant]:
    """Open an authority with these settings, and an account there, of this key if there is one."""
    clock, look = FakeClock(), Look()
    table = {"profiles": {"long": {"validity_seconds": 7_776_000}, "brief": {"validity_seconds": 300}}} | settings
    with in_process(read(table), clock, dict.fromkeys(kinds, look)) as authority:
        house = authority.house
        running = Running(house.directory_url, house.bases, house.authority.root_pem)
        with httpx.Client(transport=Carrier(authority)) as http:
            applicant = Applicant(running, http, authority, clock, look)
            applicant.key = key or applicant.key
            assert applicant.register().status_code == (200 if key else 201)
            yield applicant
