"""Certificates that were issued, by whichever API: the record, the reasons, and what the authority does with them."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

from ca_sim.clock import Clock
from ca_sim.identifiers import Identifier
from ca_sim.problems import AlreadyRevokedError, BadRevocationReasonError, NotFoundError

log = logging.getLogger(__name__)

REASONS = {
    0: "unspecified",
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    8: "removeFromCRL",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}
"""Reason codes of RFC 5280 section 5.3.1; 7 is not used."""
SUBSCRIBER_REASONS = frozenset({0, 1, 3, 4, 5})
"""What a subscriber may give: the others are the authority's to say."""
AUTHORITY_REASONS = frozenset({0, 1, 3, 4, 5, 9})
"""What the authority itself may give for a leaf that stays revoked."""


class Standing(StrEnum):
    """What has become of a certificate."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was issued, and whether it was revoked.

    `serial` is lower-case hexadecimal, `chain` the PEM of leaf and intermediate, `spki_sha256` the hexadecimal digest
    of the public key, `reason` a code of RFC 5280 section 5.3.1. `api` says which API it was ordered by, `account_id` and
    `order_id` are in its words. `issuer` names the intermediate that signed it.
    """

    serial: str
    account_id: str
    order_id: str
    identifiers: tuple[Identifier, ...]
    profile: str
    chain: str
    spki_sha256: str
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None = None
    reason: int | None = None
    api: str = "acme"
    issuer: str = ""

    def status(self, at: datetime) -> Standing:
        """Say valid, expired or revoked; a revoked certificate stays so after it expires."""
        if self.revoked_at is not None:
            return Standing.REVOKED
        return Standing.EXPIRED if at > self.not_after else Standing.VALID

    def revoked(self, *, at: datetime, reason: int, allowed: frozenset[int] = SUBSCRIBER_REASONS) -> Self:
        """Revoke (RFC 8555 section 7.6). Raises BadRevocationReasonError or AlreadyRevokedError."""
        if reason not in allowed:
            choice = ", ".join(f"{code} ({REASONS[code]})" for code in sorted(allowed))
            raise BadRevocationReasonError(f"reason {reason} is not taken here: use one of {choice}")
        if self.revoked_at is not None:
            raise AlreadyRevokedError(f"certificate {self.serial} was revoked at {self.revoked_at.isoformat()}")
        return replace(self, revoked_at=at, reason=reason)


class Shelf(Protocol):
    """Where certificates are kept; `ca_sim.book` is one."""

    def certificate(self, serial: str) -> Certificate | None:
        """Find a certificate by its serial number."""

    def keep_certificate(self, certificate: Certificate) -> None:
        """Write a certificate in a transaction of its own."""


class Certificates:
    """The certificates of one authority, whichever API they were ordered by."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock

    def find(self, serial: str) -> Certificate:
        """Give a certificate by its serial number in lower-case hexadecimal. Raises NotFoundError."""
        certificate = self._shelf.certificate(serial)
        if certificate is None:
            raise NotFoundError("there is no certificate with this serial number")
        return certificate

    def revoke(self, serial: str, reason: int, allowed: frozenset[int] = AUTHORITY_REASONS) -> Certificate:
        """Revoke. Raises NotFoundError and what `Certificate.revoked` does."""
        revoked = self.find(serial).revoked(at=self._clock(), reason=reason, allowed=allowed)
        self._shelf.keep_certificate(revoked)
        log.info("certificate %s revoked: %s", revoked.serial, REASONS[reason])
        return revoked
