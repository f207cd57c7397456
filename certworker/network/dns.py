"""DNS to the outside: records that are put up by dynamic update, and the look whether every name server shows them.

The only importer of dnspython. Every server that somebody named, in settings or in a zone, is reached under the egress rules;
the operating system's own resolvers are used as it uses them itself.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver
import dns.tsig
import dns.update

from certworker.errors import BadParameter, SettingsError
from certworker.network.egress import EgressRules, Unreachable

PORT: Final = 53
MOST_ALIASES = 8
MOST_SERVERS = 20
MOST_ADDRESSES = 2
"""So many addresses of one name server are tried."""

_ANSWERED = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


class DnsRefused(Unreachable):
    """A name server answered, but not with what was asked for. The message names the server and the name."""

    code = "dns_refused"


@dataclass(frozen=True, slots=True)
class NameServer:
    """Where a name server listens: a host name or an address, and a port."""

    host: str
    port: int = PORT

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `HOST`, `HOST:PORT`, an IPv6 address or `[IPv6]:PORT`. Raises SettingsError."""
        host, colon, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "")
        host = host.strip("[]")
        if not host or (colon and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 0xFFFF)):  # noqa: PLR2004
            raise SettingsError(f"{text!r} is not a name server: HOST or HOST:PORT is needed.")
        return cls(host, int(port) if colon else PORT)

    def __str__(self) -> str:
        """Show it as it is written in settings."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORT else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UpdateKey:
    """A TSIG key (RFC 8945). `algorithm` as hmac-sha256; `secret` in base64."""

    name: str
    algorithm: str
    secret: str = field(repr=False)

    def check(self) -> Self:
        """Give the key, if it can be one. Raises SettingsError; the secret is not repeated."""
        try:
            usable = base64.b64decode(self.secret, validate=True)
        except (binascii.Error, ValueError):
            usable = b""
        if not usable:
            raise SettingsError(f"The secret of the TSIG key {self.name} is not base64, as `tsig-keygen` makes it.")
        dotted(self.name)
        return self


class DynamicUpdates:
    """Adds and removes single TXT values at a server that takes dynamic updates (RFC 2136), signed by TSIG.

    Its methods raise DnsRefused, Unreachable and EgressRefused. `zone` is found by asking the server where it is not given.
    """

    def __init__(
        self, rules: EgressRules, server: NameServer, key: UpdateKey, zone: str | None, ttl_seconds: int, timeout_seconds: float
    ) -> None:
        self._rules = rules
        self._server = server
        self._key = dns.tsig.Key(dotted(key.name), key.secret, dotted(key.algorithm))
        self._zone = dotted(zone) if zone else None
        self._ttl_seconds = ttl_seconds
        self._timeout_seconds = timeout_seconds

    def add(self, name: str, value: str) -> None:
        """Add a value beside those that are there."""
        update = self._update(name)
        update.add(dotted(name), self._ttl_seconds, "TXT", f'"{value}"')
        self._send(update, name)

    def remove(self, name: str, value: str) -> None:
        """Remove this value, and no other."""
        update = self._update(name)
        update.delete(dotted(name), "TXT", f'"{value}"')
        self._send(update, name)

    def _update(self, name: str) -> dns.update.UpdateMessage:
        zone = self._zone or self._find_zone(name)
        if not dotted(name).is_subdomain(zone):
            raise DnsRefused(f"{name} is not in the zone {zone}, which is the one that may be updated.")
        return dns.update.UpdateMessage(zone, keyring=self._key)

    def _find_zone(self, name: str) -> dns.name.Name:
        query = dns.message.make_query(dotted(name), "SOA")
        query.use_tsig(self._key)
        answer = self._exchange(query)
        if zone := _apex(answer, dotted(name)):
            return zone
        raise DnsRefused(f"{self._server} does not say which zone {name} is in ({_rcode(answer)}): it may not be its own.")

    def _send(self, update: dns.update.UpdateMessage, name: str) -> None:
        answer = self._exchange(update)
        if answer.rcode() != dns.rcode.NOERROR:
            raise DnsRefused(
                f"{self._server} refused the update of {name} in the zone {update.zone[0].name} ({_rcode(answer)})."
            )

    def _exchange(self, message: dns.message.Message) -> dns.message.Message:
        """Ask over TCP. What is answered without our signature is not believed."""

        def ask(address: str) -> dns.message.Message:
            return dns.query.tcp(message, address, self._timeout_seconds, self._server.port)

        answer = _ask_any(self._rules, self._server, ask)
        if answer.rcode() == dns.rcode.NOERROR and not answer.had_tsig:
            raise DnsRefused(f"{self._server} answered without the signature of the key {self._key.name}.")
        return answer


class Zones:
    """What name servers say: aliases, the servers of a zone, and whether they show a value.

    `servers` are asked for everything; without them aliases and zones are looked up by the system's resolvers (`system`), and
    a value must be shown by every name server of its zone. Methods raise DnsRefused, Unreachable and EgressRefused.
    """

    def __init__(
        self,
        rules: EgressRules,
        servers: Sequence[NameServer],
        timeout_seconds: float,
        system: Callable[[], Sequence[NameServer]] | None = None,
        port: int = PORT,
    ) -> None:
        self._rules = rules
        self._servers = tuple(servers)
        self._timeout_seconds = timeout_seconds
        self._system = system or system_resolvers
        self._port = port

    def follow(self, name: str) -> str:
        """Follow CNAMEs (RFC 1034 section 3.6.2) to where a record of `name` belongs; gives it with its dot at the end."""
        current = dotted(name)
        for followed in range(MOST_ALIASES):
            answer = self._look_up(current, "CNAME", may_refuse=followed > 0)
            rrset = answer.get_rrset(answer.answer, current, dns.rdataclass.IN, dns.rdatatype.CNAME) if answer else None
            if rrset is None:
                return current.to_text()
            current = rrset[0].target
        raise DnsRefused(f"{name} leads through more than {MOST_ALIASES} aliases.")

    def lacking(self, name: str, value: str) -> str | None:
        """Say in one sentence which name server does not show a TXT value; none where all of them do."""
        for server in self._servers or self._servers_of(name):
            try:
                answer = self._ask(server, dotted(name), "TXT", by_rules=True)
            except Unreachable as error:
                return str(error)
            if answer.rcode() not in _ANSWERED:
                return f"The name server {server} answers {_rcode(answer)} when it is asked for {name}."
            if value not in _texts(answer, dotted(name)):
                return f"The name server {server} does not show the TXT record of {name} yet."
        return None

    def _servers_of(self, name: str) -> list[NameServer]:
        soa = self._look_up(dotted(name), "SOA")
        zone = _apex(soa, dotted(name)) if soa else None
        found = self._look_up(zone, "NS") if zone else None
        rrset = found.get_rrset(found.answer, zone, dns.rdataclass.IN, dns.rdatatype.NS) if found and zone else None
        if not rrset:
            raise DnsRefused(f"The name servers of {name} were not found: name some to ask.")
        return sorted(
            (NameServer(record.target.to_text(omit_final_dot=True), self._port) for record in rrset[:MOST_SERVERS]),
            key=lambda server: server.host,
        )

    def _look_up(self, name: dns.name.Name, kind: str, *, may_refuse: bool = False) -> dns.message.Message | None:
        """Ask the first server that answers; none where they refuse and may."""
        failure = DnsRefused("This system knows no name server to ask.")
        for server in self._servers or self._system():
            try:
                answer = self._ask(server, name, kind, by_rules=bool(self._servers))
            except Unreachable as error:
                failure = DnsRefused(str(error))
                continue
            if answer.rcode() in _ANSWERED:
                return answer
            failure = DnsRefused(f"The name server {server} answers {_rcode(answer)} when it is asked for {name}.")
        if may_refuse:
            return None
        raise failure

    def _ask(self, server: NameServer, name: dns.name.Name, kind: str, *, by_rules: bool) -> dns.message.Message:
        query = dns.message.make_query(name, kind)

        def ask(address: str) -> dns.message.Message:
            # a forged datagram is passed over; a truncated answer is asked for again over TCP
            answer, _ = dns.query.udp_with_fallback(
                query, address, self._timeout_seconds, server.port, ignore_unexpected=True, ignore_errors=True
            )
            return answer

        return _ask_any(self._rules if by_rules else None, server, ask)


def _ask_any(rules: EgressRules | None, server: NameServer, ask: Callable[[str], dns.message.Message]) -> dns.message.Message:
    """Ask a server at the first of its addresses that answers; without rules its host is an address."""
    addresses = [address[0] for _, address in rules.resolve(server.host, server.port)] if rules else [server.host]
    failure = Unreachable(f"The name server {server} has no address.")
    for address in addresses[:MOST_ADDRESSES]:
        try:
            with _wrapped(server):
                return ask(address)
        except DnsRefused:
            raise
        except Unreachable as error:
            failure = error
    raise failure


@contextmanager
def _wrapped(server: NameServer) -> Iterator[None]:
    try:
        yield
    except (dns.tsig.PeerBadKey, dns.tsig.PeerBadSignature) as error:
        raise DnsRefused(
            f"The name server {server} does not accept the TSIG key: its name, algorithm or secret is wrong."
        ) from error
    except dns.tsig.PeerBadTime as error:
        raise DnsRefused(f"The name server {server} has a clock that is too far from ours for TSIG.") from error
    except (dns.tsig.BadSignature, dns.tsig.PeerError) as error:
        raise DnsRefused(f"The name server {server} does not sign as TSIG wants it ({type(error).__name__}).") from error
    except dns.exception.Timeout as error:
        raise Unreachable(f"The name server {server} did not answer in time.") from error
    except dns.exception.FormError as error:
        raise DnsRefused(f"The name server {server} sent no proper answer: {str(error) or 'it cannot be read'}.") from error
    except (dns.exception.DNSException, OSError, EOFError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise Unreachable(f"The name server {server} cannot be asked: {told}.") from error


def system_resolvers() -> list[NameServer]:
    """Give the resolvers that the operating system uses."""
    try:
        found = dns.resolver.Resolver()
    except (dns.exception.DNSException, OSError):
        return []
    return [NameServer(str(address), found.port) for address in found.nameservers if isinstance(address, str)]


def dotted(name: str) -> dns.name.Name:
    """Read a domain name as an absolute one. Raises BadParameter for what is none."""
    try:
        return dns.name.from_text(name)
    except dns.exception.DNSException as error:
        raise BadParameter(f"{name[:300]!r} is not a domain name that DNS can hold ({type(error).__name__}).") from error


def _apex(answer: dns.message.Message, name: dns.name.Name) -> dns.name.Name | None:
    """Find the zone that a name is in by its SOA, which is with the answer or, where there is none, beside it."""
    for rrset in (*answer.answer, *answer.authority):
        if rrset.rdtype == dns.rdatatype.SOA and name.is_subdomain(rrset.name):
            return rrset.name
    return None


def _texts(answer: dns.message.Message, name: dns.name.Name) -> set[str]:
    rrset = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, dns.rdatatype.TXT)
    return {b"".join(record.strings).decode("ascii", "replace") for record in rrset} if rrset else set()


def _rcode(answer: dns.message.Message) -> str:
    return dns.rcode.to_text(answer.rcode())
