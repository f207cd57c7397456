"""Incidents: the authority must revoke many certificates, and says so first by pulling their renewal windows in (RFC 9773)."""

import logging
import secrets
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from ca_sim.book import Book
from ca_sim.certificates import AUTHORITY_REASONS, REASONS, Certificate, Standing
from ca_sim.clock import VirtualClock
from ca_sim.problems import NotFoundError

log = logging.getLogger(__name__)
ROOM = "incident"
PENDING, CARRIED_OUT = "pending", "carried out"
_PAGE = 1000

PullIn = Callable[[Collection[str], datetime, datetime, str], object]
"""Sets the renewal windows of certificates by their serial numbers: from, until, and the URL that explains why."""


def _reason(word: str) -> str:
    known = {REASONS[code] for code in AUTHORITY_REASONS}
    if word not in known:
        raise ValueError(f"{word!r} is not one of {', '.join(sorted(known))}")
    return word


class Cause(BaseModel):
    """What is wrong with which certificates, as management takes it.

    Those that fit all that is given, all valid ones where nothing is: by serial number, by patterns of names, by profile, by
    the API they were ordered by, by the time of issuance; `most` of them, the oldest. They are revoked `revoke_after_seconds`
    from now, and until then their windows lie between now and that time (or are left alone with `announced` off).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    serials: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    profile: str | None = None
    api: str | None = None
    issued_from: AwareDatetime | None = None
    issued_before: AwareDatetime | None = None
    most: Annotated[int, Field(ge=1)] | None = None
    reason: Annotated[str, AfterValidator(_reason)] = "superseded"
    revoke_after_seconds: Annotated[int, Field(ge=0, le=366 * 86_400)] = 86_400
    announced: bool = True
    explanation_url: str = ""

    def fits(self, certificate: Certificate, at: datetime) -> bool:
        """Whether a certificate is one of those."""
        if certificate.status(at) is not Standing.VALID:
            return False
        if self.profile not in (None, certificate.profile) or self.api not in (None, certificate.api):
            return False
        if self.issued_from and certificate.not_before < self.issued_from:
            return False
        if self.issued_before and certificate.not_before >= self.issued_before:
            return False
        values = [identifier.value for identifier in certificate.identifiers]
        if self.names and not any(fnmatchcase(value, pattern) for value in values for pattern in self.names):
            return False
        return not self.serials or certificate.serial in self.serials


class Incident(BaseModel):
    """An incident under way or over: which certificates, and when they are revoked."""

    id: str
    serials: tuple[str, ...]
    reason: str
    began: AwareDatetime
    revoke_at: AwareDatetime
    revoked: int | None = None


class Incidents:
    """The incidents of one authority. What is due is carried out by `settle`, before anything is looked at."""

    def __init__(self, book: Book, clock: VirtualClock, pull_in: PullIn) -> None:
        self._book = book
        self._clock = clock
        self._pull_in = pull_in
        self._next = min((incident.revoke_at for incident in self._pending()), default=None)

    def begin(self, cause: Cause) -> Incident:
        """Find the certificates, pull their windows in, and plan their revocation.

        Raises NotFoundError for a serial number that is unknown.
        """
        at = self._clock()
        if strange := [serial for serial in sorted(cause.serials) if self._book.certificate(serial) is None]:
            raise NotFoundError(f"there is no certificate with the serial number {strange[0]}")
        serials = self._affected(cause, at)
        revoke_at = at + timedelta(seconds=cause.revoke_after_seconds)
        incident = Incident(id=secrets.token_hex(4), serials=serials, reason=cause.reason, began=at, revoke_at=revoke_at)
        if cause.announced and serials:
            # at once where the revocation is, but never an empty window
            self._pull_in(serials, at, max(revoke_at, at + timedelta(seconds=1)), cause.explanation_url)
        self._keep(incident)
        self._next = min(self._next or revoke_at, revoke_at)
        log.info("incident %s: %d certificates will be revoked at %s", incident.id, len(serials), revoke_at)
        self.settle()
        return self.find(incident.id) or incident

    def find(self, incident_id: str) -> Incident | None:
        """Find an incident by its id."""
        body = self._book.document(ROOM, incident_id)
        return None if body is None else Incident.model_validate_json(body)

    def list_(self) -> list[Incident]:
        """List all incidents, oldest first."""
        return [Incident.model_validate_json(body) for _, body in self._book.documents(ROOM)]

    def settle(self) -> None:
        """Revoke what is due."""
        at = self._clock()
        if self._next is None or at < self._next:
            return
        for incident in self._pending():
            if incident.revoke_at <= at:
                self._carry_out(incident)
        self._next = min((incident.revoke_at for incident in self._pending()), default=None)

    def _carry_out(self, incident: Incident) -> None:
        reason = {word: code for code, word in REASONS.items()}[incident.reason]
        found = [self._book.certificate(serial) for serial in incident.serials]
        revoked = [
            certificate.revoked(at=incident.revoke_at, reason=reason, allowed=AUTHORITY_REASONS)
            for certificate in found
            if certificate is not None and certificate.revoked_at is None
        ]
        with self._book.transaction():
            for certificate in revoked:
                self._book.put_certificate(certificate)
            self._put(incident.model_copy(update={"revoked": len(revoked)}))
        log.info("incident %s: %d certificates revoked", incident.id, len(revoked))

    def _affected(self, cause: Cause, at: datetime) -> tuple[str, ...]:
        serials: list[str] = []
        after, page = 0, self._book.certificates(after=0, limit=_PAGE)
        while page and (cause.most is None or len(serials) < cause.most):
            serials += [certificate.serial for _, certificate in page if cause.fits(certificate, at)]
            after = page[-1][0]
            page = self._book.certificates(after=after, limit=_PAGE)
        return tuple(serials[: cause.most])

    def _pending(self) -> list[Incident]:
        return [Incident.model_validate_json(body) for _, body in self._book.documents(ROOM, key=PENDING)]

    def _keep(self, incident: Incident) -> None:
        with self._book.transaction():
            self._put(incident)

    def _put(self, incident: Incident) -> None:
        key = PENDING if incident.revoked is None else CARRIED_OUT
        self._book.put_document(ROOM, incident.id, incident.model_dump_json(), key)
