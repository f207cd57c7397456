"""What was revoked, by issuer: leaves, and certificates of the authority's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from pydantic import TypeAdapter

from ca_sim.authority.hierarchy import Authority, serial_of
from ca_sim.authority.signers import Signer
from ca_sim.book import Book
from ca_sim.certificates import REASONS
from ca_sim.clock import Clock
from ca_sim.problems import AlreadyRevokedError, BadRevocationReasonError, NotFoundError

ROOM = "revoked-authority"
CA_REASONS = frozenset({1, 2, 3, 4, 5, 9})
"""What may be given for an intermediate: its entry has a reason (baseline requirements, section 7.2.2)."""
_FLAGS = {code: x509.ReasonFlags(word) for code, word in REASONS.items() if code}


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revocation; `reason` is a code of RFC 5280 section 5.3.1."""

    serial: int
    at: datetime
    reason: int
    not_after: datetime

    @property
    def flag(self) -> x509.ReasonFlags | None:
        """Give the reason as CRLs and responders tell it: unspecified is left out (baseline requirements, section 7.2.2)."""
        return _FLAGS.get(self.reason)


_revocation = TypeAdapter(Revocation)


class Revocations:
    """Tells what is to stand in the CRLs of each issuer."""

    def __init__(self, book: Book, authority: Authority, clock: Clock) -> None:
        self._book = book
        self._authority = authority
        self._clock = clock
        self._count = -1
        self._by_issuer: dict[str, list[Revocation]] = {}

    def generation(self) -> int:
        """Count what was revoked: the count grows with each revocation, of whichever issuer."""
        return self._book.revoked_count() + len(self._book.documents(ROOM))

    def of(self, signer: Signer) -> Sequence[Revocation]:
        """List what was revoked of what a signer issued, in the order of issuance."""
        if self._count != (count := self.generation()):
            self._by_issuer, self._count = self._read(), count
        return self._by_issuer.get(signer.id, ())

    def find_own(self, serial: int) -> Revocation | None:
        """Find the revocation of a certificate of the authority's own."""
        body = self._book.document(ROOM, f"{serial:x}")
        return None if body is None else _revocation.validate_json(body)

    def revoke_own(self, certificate: x509.Certificate, reason: int) -> Revocation:
        """Revoke an intermediate or a cross-certificate; what it issued stays as it is.

        Raises NotFoundError for what is no intermediate of the authority, BadRevocationReasonError and AlreadyRevokedError.
        """
        issuer = next(
            (signer for signer in self._authority.signers() if certificate in self._authority.certified(signer)), None
        )
        if issuer is None:
            raise NotFoundError("this is no intermediate of this authority")
        if reason not in CA_REASONS:
            raise BadRevocationReasonError(f"reason {reason} is not taken for an intermediate")
        serial = serial_of(certificate)
        if self._book.document(ROOM, serial) is not None:
            raise AlreadyRevokedError(f"the intermediate {serial} was revoked before")
        revocation = Revocation(certificate.serial_number, self._clock(), reason, certificate.not_valid_after_utc)
        with self._book.transaction():
            self._book.put_document(ROOM, serial, _revocation.dump_json(revocation).decode(), key=issuer.id)
        return revocation

    def _read(self) -> dict[str, list[Revocation]]:
        # Records of the first releases name no issuer: there was one intermediate, the default's first.
        first = self._authority.first_intermediate.id
        found: dict[str, list[Revocation]] = {}
        for serial, issuer, at, reason, end in self._book.revocations():
            revocation = Revocation(int(serial, 16), datetime.fromisoformat(at), reason, datetime.fromisoformat(end))
            found.setdefault(issuer or first, []).append(revocation)
        for signer in self._authority.signers():
            if own := self._book.documents(ROOM, key=signer.id):
                found[signer.id] = [*found.get(signer.id, []), *(_revocation.validate_json(body) for _, body in own)]
        return found
