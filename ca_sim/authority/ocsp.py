"""The OCSP responder (RFC 6960, 5019, 9654): by delegation, with certificates of its own that live for a short time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ca_sim.authority.hierarchy import Authority
from ca_sim.authority.keys import SigningKey, make_key, type_of
from ca_sim.authority.ocsp_messages import (
    CertId,
    MalformedRequestError,
    Question,
    ResponseStatus,
    Single,
    answer,
    failure,
    read_request,
)
from ca_sim.authority.revocations import Revocation, Revocations
from ca_sim.authority.settings import AuthoritySettings
from ca_sim.authority.signers import Signer
from ca_sim.authority.templates import ca_name, issued_by, responder_template, signed
from ca_sim.book import Book
from ca_sim.clock import Clock
from ca_sim.faults.rules import Breakage

BACKDATE = timedelta(hours=1)
_HASHES: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    "1.3.14.3.2.26": hashes.SHA1,
    "2.16.840.1.101.3.4.2.1": hashes.SHA256,
    "2.16.840.1.101.3.4.2.2": hashes.SHA384,
    "2.16.840.1.101.3.4.2.3": hashes.SHA512,
}
_FAILURES = {
    Breakage.TRY_LATER: ResponseStatus.TRY_LATER,
    Breakage.INTERNAL_ERROR: ResponseStatus.INTERNAL_ERROR,
    Breakage.UNAUTHORIZED: ResponseStatus.UNAUTHORIZED,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request; the times are those of its validity, none if it may not be kept."""

    der: bytes
    this_update: datetime | None = None
    next_update: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Delegate:
    """The responder for one issuer."""

    key: SigningKey
    certificate: x509.Certificate

    def serves(self, at: datetime) -> bool:
        """Whether it is in the first half of its life."""
        start, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        return start <= at < start + (end - start) / 2


class OcspResponder:
    """Tells what has become of a certificate, for every issuer of the authority."""

    def __init__(
        self, book: Book, authority: Authority, revocations: Revocations, settings: AuthoritySettings, clock: Clock
    ) -> None:
        self._book = book
        self._authority = authority
        self._revocations = revocations
        self._settings = settings
        self._clock = clock
        self._delegates: dict[str, _Delegate] = {}
        self._issuers: dict[tuple[str, bytes, bytes], Signer] = {}

    def reply(self, request: bytes, *, stale: timedelta | None = None, breakage: Breakage | None = None) -> Reply:
        """Answer a request in DER; `stale` gives what ran out so long ago, `breakage` what is not right."""
        if breakage is Breakage.GARBAGE:
            return Reply(b"this is no answer of OCSP")
        if breakage in _FAILURES:
            return Reply(failure(_FAILURES[breakage]))
        try:
            question = read_request(request)
        except MalformedRequestError:
            return Reply(failure(ResponseStatus.MALFORMED_REQUEST))
        issuers = [self._issuer(cert_id) for cert_id in question.certificates]
        issuer = issuers[0]
        # One signature for all: they must be of one issuer (RFC 6960 section 4.2.2.2).
        if issuer is None or any(other is not issuer for other in issuers):
            return Reply(failure(ResponseStatus.UNAUTHORIZED))
        return self._answer(question, issuer, stale, forged=breakage is Breakage.SIGNATURE)

    def _answer(self, question: Question, issuer: Signer, stale: timedelta | None, *, forged: bool) -> Reply:
        lifetime = timedelta(seconds=self._settings.ocsp_lifetime_seconds)
        at = self._clock() if stale is None else self._clock() - stale - lifetime
        if at >= issuer.certificate.not_valid_after_utc:
            return Reply(failure(ResponseStatus.UNAUTHORIZED))  # there is nobody who could sign for it any more
        delegate = self._delegate(issuer, at) if stale is None else self._appoint(issuer, at)
        singles = [self._single(cert_id, issuer, at, at + lifetime) for cert_id in question.certificates]
        nonce = question.nonce if self._settings.ocsp_nonce else None
        key = make_key(type_of(delegate.key)) if forged else delegate.key
        der = answer(singles, responder=delegate.certificate, key=key, produced_at=at, nonce=nonce)
        return Reply(der, None if nonce else at, None if nonce else at + lifetime)

    def _issuer(self, cert_id: CertId) -> Signer | None:
        kind = _HASHES.get(cert_id.algorithm)
        if kind is None:
            return None
        asked = (cert_id.algorithm, cert_id.name_hash, cert_id.key_hash)
        if asked not in self._issuers:
            for signer in self._authority.signers():
                digests = _digest(kind(), signer.name_der), _digest(kind(), signer.key_bits)
                self._issuers[cert_id.algorithm, *digests] = signer
        return self._issuers.get(asked)

    def _single(self, cert_id: CertId, issuer: Signer, at: datetime, until: datetime) -> Single:
        known, revocation = self._standing(cert_id.serial, issuer, at)
        archive = timedelta(seconds=self._settings.ocsp_archive_seconds)
        if revocation is not None and revocation.at > at:  # a stale answer does not know of it
            revocation = None
        return Single(
            cert_id=cert_id,
            known=known,
            revoked_at=revocation.at if revocation else None,
            reason=revocation.reason if revocation else 0,
            this_update=at,
            next_update=until,
            archive_cutoff=at - archive if archive else None,
        )

    def _standing(self, serial: int, issuer: Signer, at: datetime) -> tuple[bool, Revocation | None]:
        """Say whether the certificate is one of the issuer's, not ended too long ago, and what revoked it."""
        if any(certificate.serial_number == serial for certificate in self._authority.certified(issuer)):
            return True, self._revocations.find_own(serial)
        record = self._book.certificate(f"{serial:x}")
        if record is None or (record.issuer or self._authority.first_intermediate.id) != issuer.id:
            return False, None
        if at > record.not_after + timedelta(seconds=self._settings.ocsp_archive_seconds):
            return False, None
        if record.revoked_at is None:
            return True, None
        return True, Revocation(serial, record.revoked_at, record.reason or 0, record.not_after)

    def _delegate(self, issuer: Signer, at: datetime) -> _Delegate:
        delegate = self._delegates.get(issuer.id)
        if delegate is None or not delegate.serves(at):
            delegate = self._delegates[issuer.id] = self._appoint(issuer, at)
        return delegate

    def _appoint(self, issuer: Signer, at: datetime) -> _Delegate:
        key = make_key(type_of(issuer.key))
        builder = issued_by(responder_template(ca_name("responder", key.public_key()), key.public_key()), issuer)
        start = at - BACKDATE
        end = min(at + timedelta(seconds=self._settings.ocsp_signer_seconds), issuer.certificate.not_valid_after_utc)
        return _Delegate(key, signed(builder, issuer.key, start, end))


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()
