"""Looking whether the other side can be reached, for a person who has to mend it: what goes wrong is told apart by its kind.

Nothing is sent that changes anything: a connection, a handshake, one GET.
"""

import errno
import re
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from certworker.clock import Clock
from certworker.errors import CertworkerError
from certworker.network.egress import EgressRefused, EgressRules, Unreachable
from certworker.network.http import Trust, build_client, read_body
from certworker.network.smtp import Line

ANSWER_BYTES: Final = 256 * 1024


class Hindrance(StrEnum):
    """What stands between this machine and another one."""

    NAME = "name"
    EGRESS = "egress"
    REFUSED = "refused"
    TIME = "time"
    ROUTE = "route"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    OTHER_NAME = "other name"
    TLS = "tls"
    OTHER = "other"


_EXPIRED, _NOT_YET_VALID, _OTHER_NAME = 10, 9, (62, 64)
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, _CERT_NOT_YET_VALID, and _HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH."""
_KINDS: Final = (
    (TimeoutError, Hindrance.TIME),
    (ssl.SSLError, Hindrance.TLS),
    (ConnectionRefusedError, Hindrance.REFUSED),
    (socket.gaierror, Hindrance.NAME),
)
_TIMED_OUT: Final = re.compile("did not answer in time|timed out")


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer over HTTP. `dated` is the time that the server told with it; `asked` and `came` are this machine's."""

    status: int
    body: bytes
    asked: datetime
    came: datetime
    dated: datetime | None

    @property
    def offset(self) -> timedelta | None:
        """How far this machine's clock is surely ahead of the server's, negative behind; none where no time was told.

        A server tells whole seconds, which many write out anew once a second only, and it may have said so at any moment of the
        round trip.
        """
        if self.dated is None:
            return None
        least, most = self.asked - self.dated - timedelta(seconds=2), self.came - self.dated
        return least if least > timedelta(0) else min(most, timedelta(0))


def ask(
    rules: EgressRules,
    url: str,
    ca_bundle: Path | None,
    seconds: float,
    clock: Clock,
    trust: Trust | None = None,
    *,
    whole: bool = True,
) -> Answered:
    """Get what is at a URL; only its head, where the `whole` of it is not wanted. Raises as `build_client` tells."""
    bounded = EgressRules(rules.allowed, ANSWER_BYTES, timedelta(seconds=seconds), lookup=rules.lookup)
    with build_client(bounded, ca_bundle, seconds, trust) as client:
        asked = clock()
        with client.stream("GET", url) as answer:
            came = clock()
            body = read_body(answer, ANSWER_BYTES) if whole else b""
            return Answered(
                answer.status_code, body, asked, came, _dated(answer.headers.get("date"), answer.headers.get("age"))
            )


def connect(
    rules: EgressRules, host: str, port: int, seconds: float, ca_bundle: Path | None = None, *, tls: bool = True
) -> None:
    """Connect, and shake hands where it is TLS. Raises Unreachable with its cause, EgressRefused, SettingsError."""
    context = Trust().context(ca_bundle) if tls else None
    line = Line(rules, seconds)
    try:
        with line.connect(host, port) as made:
            made.settimeout(seconds)
            if context:
                context.wrap_socket(made, server_hostname=host).close()
    except OSError as error:
        raise Unreachable(f"{host} cannot be reached: {error.strerror or error}.") from error
    finally:
        line.close()


def shown_certificate(address: str, port: int, name: str, seconds: float) -> bytes | None:
    """Give the certificate, in DER, that a server of this machine shows for a name; it is not verified. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # what is wrong with it is to be seen
    with (
        socket.create_connection((address, port), seconds) as made,
        context.wrap_socket(made, server_hostname=name) as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True)


def resolve(name: str) -> tuple[str, ...]:
    """Ask the operating system for the addresses of a name; none where it knows none."""
    try:
        return tuple(sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}))
    except (OSError, UnicodeError):
        return ()


def cannot_listen(address: str, port: int) -> OSError | None:
    """Say what keeps a program from this port of this machine; none where it is free. Nobody is listened to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as made:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((address, port))
    except OSError as error:
        return error
    return None


def hindrance_of(error: CertworkerError) -> Hindrance:
    """Tell what kind of trouble is at the root of an error of this room."""
    if isinstance(error, EgressRefused):
        return Hindrance.EGRESS
    if " does not resolve" in str(error):
        return Hindrance.NAME
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    found = (_kind_of(cause) for cause in reversed(causes))
    return next((kind for kind in found if kind), Hindrance.TIME if _TIMED_OUT.search(str(error)) else Hindrance.OTHER)


def _kind_of(error: BaseException) -> Hindrance | None:
    match error:
        case ssl.SSLCertVerificationError(verify_code=code):
            by_code = {_EXPIRED: Hindrance.EXPIRED, _NOT_YET_VALID: Hindrance.NOT_YET_VALID}
            return Hindrance.OTHER_NAME if code in _OTHER_NAME else by_code.get(code, Hindrance.UNTRUSTED)
        case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH | errno.ENETDOWN):
            return Hindrance.ROUTE
    return next((kind for type_, kind in _KINDS if isinstance(error, type_)), None)


def _dated(date: str | None, age: str | None) -> datetime | None:
    """Read the time that a server tells (RFC 9110 section 6.6.1); what a cache has kept is older by its age."""
    try:
        told = parsedate_to_datetime(date or "").astimezone(UTC)
        return told + timedelta(seconds=int(age) if age and age.isdecimal() else 0)
    except (ValueError, OverflowError):
        return None
