"""Certificates of this API: asked for, fetched, revoked, counted and listed.

A request is answered with the serial number at once; the certificate can be fetched when its time has come.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel

from ca_sim.acme.jose import PublicKey
from ca_sim.authority.hierarchy import Authority
from ca_sim.book import Book
from ca_sim.certificates import AUTHORITY_REASONS, REASONS, Certificate, Certificates
from ca_sim.clock import Clock
from ca_sim.csr import SigningRequest
from ca_sim.faults.engine import Faults
from ca_sim.faults.rules import FaultKind
from ca_sim.globalsign.claims import Claims
from ca_sim.globalsign.errors import AtlasError, UnknownError, UnprocessableError
from ca_sim.globalsign.policy import ValidationPolicy
from ca_sim.globalsign.possession import proven_key
from ca_sim.globalsign.settings import GlobalsignSettings
from ca_sim.globalsign.wire import CertificateRequest, Revocation
from ca_sim.identifiers import Identifier, read_identifiers
from ca_sim.issuing import Application, Issuing
from ca_sim.problems import BadCsrError, ProblemError

log = logging.getLogger(__name__)
API = "globalsign"
PEM_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)
ROOM = "globalsign-certificate"
PLACE = "globalsign.issue"


class Issued(BaseModel):
    """That an account was issued a certificate, and from when it can be fetched; none is never."""

    serial: str
    account: str
    issued_at: datetime
    ready_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate of an account with what this API knows of it."""

    issued: Issued
    certificate: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class AtlasCertificates:
    """The certificates of all accounts. `policy` gives the validation policy as it is now."""

    book: Book
    issuing: Issuing
    authority: Authority
    certificates: Certificates
    claims: Claims
    faults: Faults
    settings: GlobalsignSettings
    blocked: tuple[str, ...]
    clock: Clock
    policy: Callable[[], ValidationPolicy]

    def request(self, account: str, asked: CertificateRequest) -> str:
        """Issue a certificate; give its serial number. Raises UnprocessableError, and AtlasError for what cannot be signed."""
        at, policy = self.clock(), self.policy()
        policy.check_names(asked.san)
        policy.check_usages(asked)
        key = proven_key(policy, asked.public_key, asked.public_key_signature)
        application = self._application(account, asked, policy, key, at)
        self.claims.check(account, application.identifiers)
        if self.quota(account) < 1:
            raise UnprocessableError("the quota of the account is used up")
        if self.faults.strike(FaultKind.CAA, PLACE, application.names):
            raise UnprocessableError(f"CAA records forbid this authority to issue for {application.names[0]}")
        ready_at = self.issuing.ready_at(PLACE, application.names, at, timedelta(seconds=self.settings.issue_seconds))
        try:
            certificate = self.issuing.issue(application)
        except BadCsrError as problem:
            raise UnprocessableError(problem.detail) from problem
        except ProblemError as problem:
            raise AtlasError(problem.detail) from problem
        issued = Issued(serial=certificate.serial, account=account, issued_at=at, ready_at=ready_at)
        with self.book.transaction():
            self.book.put_certificate(certificate)
            self.book.put_document(ROOM, issued.serial, issued.model_dump_json(), account)
        log.info("certificate %s issued for %s", certificate.serial, ", ".join(application.names))
        return certificate.serial

    def _application(
        self, account: str, asked: CertificateRequest, policy: ValidationPolicy, key: PublicKey, at: datetime
    ) -> Application:
        begin, length = policy.span(asked.validity, at)
        names = self._names(asked)
        common_name = asked.subject_dn.common_name
        if common_name is not None:
            common_name = common_name.lower()  # as the name in san that it repeats
            if common_name not in {name.value for name in names}:
                raise UnprocessableError("subject_dn.common_name: it is none of the names in san")
        return Application(
            api=API,
            account_id=account,
            order_id="",
            request=SigningRequest(key, common_name),
            identifiers=names,
            profile="atlas",
            # no not_after of its own, so that a fault can shorten it
            validity=length,
            not_before=begin,
            subject=policy.subject(asked.subject_dn),
            extended_key_usages=asked.extended_key_usages,
        )

    def _names(self, asked: CertificateRequest) -> tuple[Identifier, ...]:
        pairs = [("dns", name) for name in asked.san.dns_names] + [("ip", address) for address in asked.san.ip_addresses]
        try:
            return read_identifiers(pairs, blocked=self.blocked)
        except ProblemError as problem:
            details = [one.detail for one in problem.subproblems] or [problem.detail]
            raise UnprocessableError(f"san: {'; '.join(details)}") from problem

    def find(self, account: str, serial: str) -> Entry:
        """Give a certificate of the account. Raises UnknownError."""
        body = self.book.document(ROOM, serial)
        issued = Issued.model_validate_json(body) if body else None
        if issued is None or issued.account != account:
            raise UnknownError("there is no such certificate")
        return Entry(issued, self.certificates.find(serial))

    def is_ready(self, issued: Issued) -> bool:
        """Whether the certificate can be fetched."""
        return issued.ready_at is not None and self.clock() >= issued.ready_at

    def revoke(self, account: str, serial: str, asked: Revocation) -> None:
        """Revoke from now on. Raises UnknownError and UnprocessableError."""
        entry = self.find(account, serial)
        codes = {REASONS[code]: code for code in AUTHORITY_REASONS}
        if asked.revocation_reason not in codes:
            raise UnprocessableError(f"revocation_reason: it is one of {', '.join(codes)}")
        if asked.revocation_time > self.clock().timestamp():
            raise UnprocessableError("revocation_time: it lies in the future")
        try:
            self.certificates.revoke(entry.certificate.serial, codes[asked.revocation_reason])
        except ProblemError as problem:
            raise UnprocessableError(problem.detail) from problem

    def issued(self, account: str, begin: datetime, end: datetime) -> list[Certificate]:
        """List what was issued to the account from `begin` until before `end`, as far as the statistics know it by now."""
        shown = self.clock() - timedelta(seconds=self.settings.stats_lag_seconds)
        return [
            self.certificates.find(issued.serial)
            for issued in self._of(account)
            if begin <= issued.issued_at < end and issued.issued_at <= shown
        ]

    def revoked(self, account: str, begin: datetime, end: datetime) -> list[Certificate]:
        """List the account's certificates that were revoked from `begin` until before `end`."""
        found = (self.certificates.find(issued.serial) for issued in self._of(account))
        return [one for one in found if one.revoked_at is not None and begin <= one.revoked_at < end]

    def expiring(self, account: str, begin: datetime, end: datetime) -> list[Certificate]:
        """List the account's certificates that expire from `begin` until before `end`."""
        found = (self.certificates.find(issued.serial) for issued in self._of(account))
        return [one for one in found if begin <= one.not_after < end]

    def count(self, account: str, *, revoked: bool = False) -> int:
        """Count what was issued to the account, or what of it was revoked."""
        if not revoked:
            return self.book.count_documents(ROOM, account)
        return sum(self.certificates.find(issued.serial).revoked_at is not None for issued in self._of(account))

    def quota(self, account: str) -> int:
        """Tell how many certificates the account may still have."""
        return max(self.settings.quota - self.count(account), 0)

    def trust_chain(self, account: str) -> list[str]:
        """Give what leads up from the account's newest certificate, each in PEM: its issuer first, the root last."""
        newest = next((self.certificates.find(issued.serial) for issued in reversed(self._of(account))), None)
        above = PEM_BLOCK.findall(newest.chain)[1:] if newest else []
        if self.faults.strike(FaultKind.WRONG_CHAIN, "globalsign.trustchain"):
            wrong = self.authority.wrong_chain(self.authority.intermediate.certificate, self.clock())
            return PEM_BLOCK.findall(wrong)[1:]
        if newest is None or not above:
            return [_pem(certificate) for certificate in self.authority.line()]
        return [*above, _pem(self.authority.root_over(newest.issuer))]

    def _of(self, account: str) -> list[Issued]:
        return [Issued.model_validate_json(body) for _, body in self.book.documents(ROOM, key=account)]


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")
