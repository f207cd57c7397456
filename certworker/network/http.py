"""HTTP to the outside: one httpx client that keeps the egress rules.

Every connection goes to an address that the rules checked, TLS is always verified, and an answer is bounded in size and in
time. What goes wrong is raised as an error of `network/egress.py`.
"""

import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpcore
import httpx

from certworker.correlation import current_correlation
from certworker.errors import BadParameter, CertworkerError, SettingsError
from certworker.network.counting import count_answer, count_failure
from certworker.network.egress import AnswerTooLarge, EgressRefused, EgressRules, Unreachable

if TYPE_CHECKING:
    from certworker.vault.client_certificates import ClientCertificate

_log = logging.getLogger("certworker.outgoing")

USER_AGENT = "certworker"
CONNECTIONS = 20
SHORTEST_WAIT = 0.01


def build_client(
    rules: EgressRules,
    ca_bundle: str | Path | None = None,
    timeout_seconds: float = 10.0,
    trust: "Trust | None" = None,
    presents: "ClientCertificate | None" = None,
) -> "EgressClient":
    """Build a client that keeps `rules`. `ca_bundle` is a PEM file that takes the place of the public authorities.

    `timeout_seconds` is for each wait; the whole exchange is bounded by the rules. `presents` is shown to servers that want a
    client certificate. Its requests raise Unreachable, AnswerTooLarge, EgressRefused, and BadParameter for what is no URL.
    Raises SettingsError for a bundle that cannot be read, and as keys do.
    """
    context = (trust or Trust()).context(ca_bundle, presents) if ca_bundle or presents else _public_authorities()
    budget = Budget(rules.total.total_seconds())
    return EgressClient(rules, EgressTransport(rules, context, budget), budget, timeout_seconds)


def read_body(response: httpx.Response, limit: int) -> bytes:
    """Read the body of a streamed response. Raises AnswerTooLarge where it has more than `limit` bytes."""
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > limit:
            raise AnswerTooLarge(f"{response.url.host} sent an answer of more than {limit} bytes.")
    return bytes(body)


Connect = Callable[[EgressRules, str | None, float], "EgressClient"]
"""Builds a client from the rules, a CA bundle and the seconds for each wait; `build_client`, or what takes its place."""


class Trust:
    """The authorities that servers are verified by, loaded once for each state of a bundle (it takes 50 ms). For any thread.

    What is presented to them goes with it: of each client certificate, the version that was asked for last is kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[tuple[str, str], tuple[tuple[int, int, str], ssl.SSLContext]] = {}

    def context(self, ca_bundle: str | Path | None, presents: "ClientCertificate | None" = None) -> ssl.SSLContext:
        """Give what verifies by a bundle as it is now, or by the public authorities. Raises SettingsError, and as keys do."""
        path = "" if ca_bundle is None else str(ca_bundle)
        place = (path, presents.place if presents else "")
        try:
            state = (*_state(path), presents.version if presents else "")
            with self._lock:
                known, context = self._loaded.get(place, (None, None))
                if context is None or known != state:
                    context = _load(path)
                    if presents:
                        from certworker.network.client_tls import present  # noqa: PLC0415  # commands start without the vault

                        present(context, presents)
                    self._loaded[place] = (state, context)
                return context
        except OSError as error:
            raise SettingsError(f"The CA bundle {path} cannot be read: {error}.") from error


def _state(path: str) -> tuple[int, int]:
    if not path:
        return 0, 0
    found = Path(path).stat()
    return found.st_mtime_ns, found.st_size


@cache
def _public_authorities() -> ssl.SSLContext:
    """Give what verifies by the public authorities, loaded once: for HTTP alone, since each client writes `http/1.1` into it.

    A mail relay that is offered that (ALPN, RFC 7301 3.2) may hang up: what speaks another protocol asks a Trust.
    """
    return _load("")


def _load(path: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=path) if path else httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


_NO_URL: Final = (httpx.InvalidURL, UnicodeError)
"""What httpx raises for a URL; of hosts that are no international name (IDNA), UnicodeError."""


class EgressClient(httpx.Client):
    """An httpx client under egress rules, over a transport that keeps them. Safe for threads; close it."""

    def __init__(self, rules: EgressRules, transport: httpx.BaseTransport, budget: "Budget", timeout_seconds: float) -> None:
        self._budget = budget
        super().__init__(
            transport=transport,
            timeout=timeout_seconds,
            follow_redirects=True,
            max_redirects=rules.redirects,
            trust_env=False,  # a proxy of the environment would go past the rules
            event_hooks={"response": [_refuse_downgrade]},
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:  # noqa: ANN401
        """Build a request. Raises BadParameter for what is no URL."""
        try:
            return super().build_request(method, url, **options)
        except _NO_URL as error:
            raise BadParameter(f"This is not a URL that can be asked: {error}.") from error

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:  # noqa: ANN401
        """Send a request, and log one line of it. Its time runs from here, over all redirects, until the answer was read."""
        begun = time.monotonic()
        try:
            response = self._send(request, **options)
        except CertworkerError as error:
            _tell(request, type(error).__name__, begun)
            count_failure(error, time.monotonic() - begun)
            raise
        _tell(request, response.status_code, begun)
        count_answer(response, time.monotonic() - begun)
        return response

    def _send(self, request: httpx.Request, **options: Any) -> httpx.Response:  # noqa: ANN401
        self._budget.start()
        try:
            return super().send(request, **options)
        except httpx.TooManyRedirects as error:
            raise EgressRefused(f"{request.url.host} redirects more than {self.max_redirects} times.") from error
        except _NO_URL as error:
            raise Unreachable(f"{request.url.host} redirects to what is no URL that can be asked.") from error
        except httpx.HTTPError as error:
            raise Unreachable(f"{request.url.host} did not answer as it should ({type(error).__name__}).") from error


def _tell(request: httpx.Request, outcome: int | str, begun: float) -> None:
    """Log an exchange: no query string, no header, no body; the path only of a CA, since those of webhooks can be secret."""
    _, operation_id, attempt = current_correlation()
    level = logging.INFO if operation_id else logging.DEBUG
    if not _log.isEnabledFor(level):
        return
    place = request.url.netloc.decode("ascii", "replace")
    fields: dict[str, object] = {"method": request.method, "host": place}
    if operation_id:
        fields["path"] = path = request.url.raw_path.partition(b"?")[0].decode("ascii", "replace")[:300]
        fields["attempt"] = attempt
        place += path
    took = (time.monotonic() - begun) * 1000
    fields |= {"status" if isinstance(outcome, int) else "failure": outcome, "duration_ms": round(took, 1)}
    _log.log(level, "%s %s %s %.1fms", request.method, place, outcome, took, extra={"fields": fields})


class Budget:
    """The time that an exchange has left, for each thread on its own."""

    def __init__(self, total_seconds: float) -> None:
        self._total = total_seconds
        self._local = threading.local()

    def start(self) -> None:
        """Begin an exchange."""
        self._local.deadline = time.monotonic() + self._total

    def cut(self, timeout: float | None) -> float:
        """Shorten a wait to what is left. Raises httpcore's ReadTimeout when nothing is."""
        left: float = getattr(self._local, "deadline", time.monotonic() + self._total) - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the exchange took too long")
        return left if timeout is None else min(timeout, left)


class EgressTransport(httpx.BaseTransport):
    """Carries requests over connections that the rules allow, and bounds the answers."""

    def __init__(self, rules: EgressRules, context: ssl.SSLContext, budget: Budget) -> None:
        self._rules = rules
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=5.0,
            network_backend=CheckedBackend(rules, budget),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and give its answer, the body still to be read."""
        host = request.url.host
        if not isinstance(request.stream, httpx.SyncByteStream):
            raise TypeError("an asynchronous request cannot be sent by a synchronous client")
        url = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        raw = httpcore.Request(
            request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        try:
            answer = self._pool.handle_request(raw)
        except HTTPCORE_ERRORS as error:
            raise _wrap(host, error) from error
        body = BoundedStream(answer, host, self._rules.answer_bytes)
        return httpx.Response(answer.status, headers=answer.headers, stream=body, extensions=answer.extensions)

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


class BoundedStream(httpx.SyncByteStream):
    """The body of an answer, up to a number of bytes. What came packed cannot be read, but its status counts."""

    def __init__(self, answer: httpcore.Response, host: str, limit: int) -> None:
        self._answer, self._host, self._limit = answer, host, limit

    def __iter__(self) -> Iterator[bytes]:
        """Give the body in parts. Raises AnswerTooLarge and Unreachable."""
        _refuse_encoding(self._answer, self._host)
        size = 0
        try:
            for part in self._answer.iter_stream():
                size += len(part)
                if size > self._limit:
                    raise AnswerTooLarge(f"{self._host} sent an answer of more than {self._limit} bytes.")
                yield part
        except HTTPCORE_ERRORS as error:
            raise _wrap(self._host, error) from error

    def close(self) -> None:
        """Give the connection back, or close it where the body was not read to its end."""
        self._answer.close()


class CheckedBackend(httpcore.NetworkBackend):
    """Opens connections to addresses that the rules checked; the name stays the one that TLS verifies."""

    def __init__(self, rules: EgressRules, budget: Budget) -> None:
        self._rules = rules
        self._budget = budget
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers. Raises EgressRefused, Unreachable and httpcore's own errors."""
        addresses = self._rules.resolve(host, port)
        deadline = time.monotonic() + self._budget.cut(timeout)
        for left in range(len(addresses), 0, -1):
            _, address = addresses[-left]
            # an address that swallows packets leaves the others their share of the time
            share = max(deadline - time.monotonic(), SHORTEST_WAIT) / left
            try:
                stream = self._sockets.connect_tcp(address[0], port, share, local_address, socket_options or ())
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
            else:
                return TimedStream(stream, self._budget)
        raise Unreachable(f"{host} has no address.")


class TimedStream(httpcore.NetworkStream):
    """A stream whose every wait counts against the exchange: one byte at a time does not outlast it."""

    def __init__(self, stream: httpcore.NetworkStream, budget: Budget) -> None:
        self._stream, self._budget = stream, budget

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there."""
        return self._stream.read(max_bytes, self._budget.cut(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        self._stream.write(buffer, self._budget.cut(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Begin TLS, in which the other side must prove that it is `server_hostname`."""
        stream = self._stream.start_tls(ssl_context, server_hostname, self._budget.cut(timeout))
        return TimedStream(stream, self._budget)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401
        """Tell of the socket below."""
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        """Close the socket below."""
        self._stream.close()


HTTPCORE_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
)


def _wrap(host: str, error: Exception) -> Unreachable:
    """Say what went wrong, in words that hold nothing of what was sent or received."""
    match error:
        case httpcore.TimeoutException():
            text = "did not answer in time"
        case httpcore.ConnectError():
            text = f"cannot be reached: {error}"
        case httpcore.UnsupportedProtocol():
            text = "can be asked over http and https only"
        case httpcore.ProtocolError():
            text = "closed the connection early or does not speak HTTP"
        case _:
            text = "broke the connection"
    return Unreachable(f"{host} {text}.")


def _refuse_encoding(answer: httpcore.Response, host: str) -> None:
    """Refuse a packed body: none was asked for, and a small one can unpack to a very large one."""
    if httpx.Headers(answer.headers).get("content-encoding", "identity") != "identity":
        answer.close()
        raise Unreachable(f"{host} sent an encoded answer though none was asked for.")


def _refuse_downgrade(response: httpx.Response) -> None:
    """Refuse to be sent from https to anything else."""
    if not response.has_redirect_location or response.url.scheme != "https":
        return
    try:
        target = response.url.join(response.headers["location"])
    except httpx.InvalidURL:
        return  # httpx says so itself when it follows
    if target.scheme != "https":
        raise EgressRefused(f"{response.url.host} redirects from https to {target.scheme}, which is not followed.")
