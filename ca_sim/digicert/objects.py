"""What the API remembers: an order, the requests that somebody approves, and the certificates of the order. Pure states."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict

from ca_sim.digicert.errors import invalid


class Status(StrEnum):
    """The statuses of an order, and of a request."""

    NEEDS_APPROVAL = "needs_approval"
    PENDING = "pending"
    PROCESSING = "processing"
    REISSUE_PENDING = "reissue_pending"
    ISSUED = "issued"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DENIED = "denied"
    CANCELED = "canceled"
    REVOKED = "revoked"
    APPROVED = "approved"


OPEN = frozenset({Status.NEEDS_APPROVAL, Status.PENDING, Status.PROCESSING})
"""While no certificate was issued: it can be cancelled, rejected and denied."""
IN_WORK = frozenset({Status.PENDING, Status.PROCESSING, Status.REISSUE_PENDING})


class Kind(StrEnum):
    """What a request asks an administrator for."""

    NEW = "new_request"
    REISSUE = "reissue"
    REVOKE = "revoke"


class Record(BaseModel):
    """A record; a change makes a new one."""

    model_config = ConfigDict(frozen=True)


class Asked(Record):
    """One certificate, asked for or issued. `names` has the common name first; `csr` is PEM.

    `days` and `not_after` are what was asked: one of them is set. `ready_at` is when it is issued, none if nobody knows.
    `serial` is lower-case hexadecimal.
    """

    id: int
    common_name: str
    names: tuple[str, ...]
    csr: str
    signature_hash: str
    server_platform: int | None = None
    days: int | None = None
    not_after: datetime | None = None
    ready_at: datetime | None = None
    issued_at: datetime | None = None
    serial: str | None = None


class Approval(Record):
    """A request: what somebody asked for, and what an administrator made of it."""

    id: int
    kind: Kind
    at: datetime
    status: Status
    comments: str = ""
    processor_comment: str = ""
    certificate_id: int | None = None
    reason: int = 0


class Order(Record):
    """An order. The last of `certificates` is its current one; `hold` says what it is pending for."""

    id: int
    account_id: str
    product: str
    organization_id: str | None
    placed_at: datetime
    status: Status
    requests: tuple[Approval, ...]
    certificates: tuple[Asked, ...]
    hold: str = ""
    notes: tuple[str, ...] = ()
    renewal_of: int | None = None

    @property
    def certificate(self) -> Asked:
        """Give the certificate that the order is about now."""
        return self.certificates[-1]

    @property
    def is_reissue(self) -> bool:
        """Whether it has had a certificate before the one that it is about now."""
        return any(one.serial for one in self.certificates[:-1])

    @property
    def waits_for_approval(self) -> bool:
        """Whether somebody has yet to say that its certificate may be issued."""
        return any(one.status is Status.PENDING and one.kind is not Kind.REVOKE for one in self.requests)

    def find(self, certificate_id: int) -> Asked | None:
        """Find a certificate of the order."""
        return next((one for one in self.certificates if one.id == certificate_id), None)

    def is_due(self, at: datetime) -> bool:
        """Whether it is to be issued now."""
        asked = self.certificate
        return self.status in IN_WORK and asked.serial is None and asked.ready_at is not None and asked.ready_at <= at

    def begun(self, ready_at: datetime | None, hold: str) -> Self:
        """Begin the work on what was approved, which is done at `ready_at`."""
        status = Status.REISSUE_PENDING if self.is_reissue else Status.PENDING if hold else Status.PROCESSING
        return self._with(self.certificate.model_copy(update={"ready_at": ready_at}), status=status, hold=hold)

    def issued(self, serial: str, at: datetime) -> Self:
        """Note the issuance."""
        asked = self.certificate.model_copy(update={"serial": serial, "issued_at": at})
        return self._with(asked, status=Status.ISSUED, hold="")

    def failed(self, why: str) -> Self:
        """Give up what cannot be issued; a reissue leaves the certificate that was there before."""
        order = self.model_copy(update={"hold": "", "notes": (*self.notes, why)})
        return order.without_reissue() if self.is_reissue else order.model_copy(update={"status": Status.DENIED})

    def without_reissue(self) -> Self:
        """Take back what a reissue asked for."""
        return self.model_copy(update={"certificates": self.certificates[:-1], "status": Status.ISSUED})

    def decided(self, request_id: int, status: Status, comment: str) -> Self:
        """Note what became of a request. Raises ApiError where somebody decided before."""
        requests = []
        for request in self.requests:
            changed = request
            if request.id == request_id:
                if request.status is not Status.PENDING:
                    raise invalid(f"The request {request_id} is {request.status} already.", "request_already_processed")
                changed = request.model_copy(update={"status": status, "processor_comment": comment})
            requests.append(changed)
        return self.model_copy(update={"requests": tuple(requests)})

    def ended(self, status: Status, comment: str) -> Self:
        """End an order before its certificate. Raises ApiError once there is one, or an end."""
        if self.status not in OPEN:
            text = f"The order {self.id} is {self.status}: only one without a certificate can be {status}."
            raise invalid(text, "invalid_order_status")
        ended = {"status": Status.CANCELED}
        requests = (one.model_copy(update=ended) if one.status is Status.PENDING else one for one in self.requests)
        notes = (*self.notes, comment) if comment else self.notes
        return self.model_copy(update={"status": status, "hold": "", "requests": tuple(requests), "notes": notes})

    def asks(self, request: Approval, asked: Asked | None = None) -> Self:
        """Add a request, and what it asks for."""
        certificates = (*self.certificates, asked) if asked else self.certificates
        return self.model_copy(update={"requests": (*self.requests, request), "certificates": certificates})

    def can_be_downloaded(self, certificate_id: int, at: datetime, lag: timedelta) -> bool:
        """Whether a certificate was issued long enough ago."""
        asked = self.find(certificate_id)
        return asked is not None and asked.issued_at is not None and asked.issued_at + lag <= at

    def _with(self, asked: Asked, **changed: object) -> Self:
        return self.model_copy(update={"certificates": (*self.certificates[:-1], asked), **changed})
