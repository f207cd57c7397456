"""`ca_sim`'s authority behind the Provider port, without JWS and HTTP: for years of a large fleet."""

from datetime import datetime, timedelta
from secrets import token_hex

from ca_sim.acme.objects import Account, Order
from ca_sim.acme.renewal_info import Window
from ca_sim.bootstrap import House
from ca_sim.certificates import Certificate
from ca_sim.csr import check_csr, read_csr
from ca_sim.faults.rules import Fault, FaultKind
from ca_sim.identifiers import Identifier
from ca_sim.issuing import Application
from ca_sim.problems import ProblemError, RateLimitedError
from certworker.crypto.x509 import read_certificate, split_pem
from certworker.simulate.calls import Calls
from certworker.vault.issuance import (
    Advice,
    IssuanceRequest,
    Issued,
    NoAdvice,
    Pending,
    Rejected,
    Revocation,
    Step,
    Trouble,
)
from certworker.vault.operations import Progress

ACCOUNT = "port"
ROOM = "port.order"
_BEFORE = (FaultKind.ERROR, FaultKind.THROTTLE, FaultKind.DROP_BEFORE)
ISSUER_ERROR = "Certificate issuer error"


class AuthorityPort:
    """The steps of an order, made by calls: placed, finalized, fetched. Every call can meet the faults of the scenario."""

    def __init__(self, house: House, calls: Calls, validities: dict[str, timedelta], *, exempt: bool) -> None:
        self._house = house
        self._calls = calls
        self._validities = validities
        self._exempt = exempt
        self._account = Account(id=ACCOUNT, jwk={}, created_at=house.clock())

    def step(self, request: IssuanceRequest, progress: Progress | None, at: datetime) -> Step:
        """Make one call."""
        journal = dict(progress or {})
        kind = "finalize" if "order" in journal else "order"
        if pending := self._struck(
            kind, request.names, journal, at, FaultKind.ERROR, FaultKind.THROTTLE, FaultKind.DROP_BEFORE
        ):
            return pending
        self._house.incidents.settle()
        try:
            step = self._finalize(request, journal) if "order" in journal else self._order(request, at)
        except RateLimitedError as problem:
            wait = timedelta(seconds=int(problem.headers.get("Retry-After", "60")))
            return Pending(journal, at + wait, failure=f"{problem.detail}.", trouble=Trouble.THROTTLED)
        except ProblemError as problem:
            return Rejected(ISSUER_ERROR, f"{problem.detail}.", configuration=True)
        return self._struck(kind, request.names, journal, at, FaultKind.DROP_AFTER) or step

    def revoke(self, _request: IssuanceRequest, certificate: bytes, reason: int, at: datetime) -> Revocation:
        """Revoke what was issued."""
        if pending := self._struck("revoke", (), {}, at, *_BEFORE):
            return Revocation(done=False, message=pending.failure or "", retry_at=at + timedelta(minutes=5))
        found = self._find(certificate)
        if found is None:
            return Revocation(done=False, message="The CA has not issued this.")
        if found.revoked_at is None:
            self._house.certificates.revoke(found.serial, reason)
        return Revocation(done=True)

    def _order(self, request: IssuanceRequest, at: datetime) -> Step:
        replaces = self._exempt and request.replaces is not None and self._find(request.replaces) is not None
        identifiers = _identifiers(request)
        limits = self._house.acme.limits
        limits.check_order(self._account, identifiers, replaces=replaces)
        with self._house.book.transaction():
            limits.ordered(self._account, identifiers, replaces=replaces)
        return Pending({"step": "ordered", "order": token_hex(8), "replaces": "yes" if replaces else ""}, at)

    def _finalize(self, request: IssuanceRequest, journal: dict[str, str]) -> Step:
        book = self._house.book
        serial = book.document(ROOM, journal["order"])
        certificate = book.certificate(serial) if serial else None
        if certificate is None:
            certificate = self._issue(request, journal)
        return Issued(split_pem(certificate.chain.encode()), {"step": "issued", "serial": certificate.serial})

    def _issue(self, request: IssuanceRequest, journal: dict[str, str]) -> Certificate:
        identifiers, profile = _identifiers(request), request.profile or ""
        certificate = self._house.issuing.issue(
            Application(
                api="port",
                account_id=ACCOUNT,
                order_id=journal["order"],
                request=check_csr(read_csr(request.csr), identifiers),
                identifiers=identifiers,
                profile=profile,
                validity=self._validities[profile],
            )
        )
        at = self._house.clock()
        order = Order(
            id=journal["order"],
            account_id=ACCOUNT,
            identifiers=identifiers,
            profile=profile,
            authorization_ids=(),
            created_at=at,
            expires_at=at,
            replaces=journal.get("replaces") or None,
        )
        with self._house.book.transaction():
            self._house.book.put_certificate(certificate)
            self._house.book.put_document(ROOM, order.id, certificate.serial)
            self._house.acme.limits.issued(order)
        return certificate

    def _find(self, certificate: bytes) -> Certificate | None:
        return self._house.book.certificate(read_certificate(certificate).serial)

    def _struck(
        self, call: str, names: tuple[str, ...], journal: dict[str, str], at: datetime, *kinds: FaultKind
    ) -> Pending | None:
        if FaultKind.DROP_AFTER not in kinds:
            self._calls.count(f"port.{call}")
        for kind in kinds:
            if fault := self._house.faults.strike(kind, f"port.{call}", names):
                return _failed(fault, journal, at)
        return None


class AdvisingPort(AuthorityPort):
    """The same for a CA that says when it wants a certificate renewed."""

    def __init__(self, house: House, calls: Calls, validities: dict[str, timedelta], retry: timedelta) -> None:
        super().__init__(house, calls, validities, exempt=True)
        self._retry = retry

    def advise(self, _request: IssuanceRequest, certificate: bytes, at: datetime) -> Advice | NoAdvice:
        """Tell the window of a certificate."""
        if pending := self._struck("advise", (), {}, at, *_BEFORE):
            return NoAdvice(pending.failure or "", retry_at=pending.retry_at)
        self._house.incidents.settle()
        found = self._find(certificate)
        if found is None:
            return NoAdvice("The CA does not know this certificate.", passing=False)
        window: Window = self._house.acme.renewals.window(found)
        return Advice(window.start, window.end, window.explanation_url or None, at + self._retry)


def _failed(fault: Fault, journal: dict[str, str], at: datetime) -> Pending:
    if fault.kind is FaultKind.THROTTLE:
        wait = timedelta(seconds=fault.seconds or 60)
        return Pending(journal, at + wait, failure="The CA is asked too much (429).", trouble=Trouble.THROTTLED)
    return Pending(journal, None, failure="The CA does not answer as it should.", trouble=Trouble.OUTAGE)


def _identifiers(request: IssuanceRequest) -> tuple[Identifier, ...]:
    return tuple(Identifier("dns", name) for name in request.names)
