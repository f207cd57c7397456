"""A fault: what goes wrong, for which requests, how often and when. Pure: no I/O, no clock."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from ca_sim.setting import LONGEST

TOO_MANY_REQUESTS = 429
UNAVAILABLE = 503


class FaultKind(StrEnum):
    """What can go wrong."""

    # on the wire, whatever is asked
    LATENCY = "latency"
    ERROR = "error"
    THROTTLE = "throttle"
    DROP_BEFORE = "drop-before"
    DROP_AFTER = "drop-after"
    MANGLE = "mangle"
    # in ACME
    BAD_NONCE = "bad-nonce"
    VALIDATION = "validation"
    CAA = "caa"
    # in the issuing, by whichever API
    STUCK = "stuck"
    WRONG_KEY = "wrong-key"
    WRONG_CHAIN = "wrong-chain"
    WRONG_NAMES = "wrong-names"
    WRONG_VALIDITY = "wrong-validity"
    GARBAGE = "garbage"
    CLOCK_SKEW = "clock-skew"
    # in what tells of revocations
    STALE = "stale"
    BROKEN = "broken"


class Mangling(StrEnum):
    """How an answer is spoilt."""

    TRUNCATED = "truncated"
    HTML = "html"
    JSON = "json"
    HUGE = "huge"


class Breakage(StrEnum):
    """How a CRL or an answer of the OCSP responder is broken.

    Garbage is no DER, `signature` is by a key that is not the issuer's. The others are answers of the responder; for a CRL they
    are the status 503.
    """

    GARBAGE = "garbage"
    SIGNATURE = "signature"
    TRY_LATER = "try-later"
    INTERNAL_ERROR = "internal-error"
    UNAUTHORIZED = "unauthorized"


class Fault(BaseModel):
    """One fault, as the management API takes it.

    `at` are patterns of request kinds (`acme.finalize`, `digicert.*`, `ocsp`), `names` patterns of identifiers for faults that
    are about some; none means all. Of the requests that fit, the first `skip` are spared; of the others each is struck with
    probability `rate`, by numbers that follow from `seed`, until `count` were. It holds from `begins` until before `ends`.
    `seconds` is the delay of a latency, the Retry-After of a throttle or an error (as a date with `as_date`), the time that an
    order is stuck (none: for good), the skew of the clock (may be negative), the length of a wrong validity (none: it is over
    already), how stale what is stale is. `status` is that of an
    error or a throttle, `breakage` says how what is broken is broken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    at: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    names: tuple[str, ...] = ()
    rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    count: Annotated[int, Field(ge=1)] | None = None
    skip: Annotated[int, Field(ge=0)] = 0
    begins: AwareDatetime | None = None
    ends: AwareDatetime | None = None
    seconds: Annotated[float, Field(ge=-LONGEST, le=LONGEST, allow_inf_nan=False)] | None = None
    as_date: bool = False
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    mangling: Mangling = Mangling.TRUNCATED
    breakage: Breakage = Breakage.GARBAGE
    seed: int = 0

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.begins and self.ends and self.ends <= self.begins:
            raise ValueError("ends lies before begins")
        if self.kind is FaultKind.LATENCY and not (self.seconds and 0 < self.seconds <= 3600):  # noqa: PLR2004 - an hour
            raise ValueError("a latency needs seconds, up to 3600")
        if self.kind is FaultKind.CLOCK_SKEW and not self.seconds:
            raise ValueError("a clock-skew needs seconds, before or after the right time")
        if self.kind is FaultKind.WRONG_VALIDITY and (self.seconds or 0) < 0:
            raise ValueError("a wrong-validity of less than nothing cannot be signed: without seconds it is over already")
        if self.kind is FaultKind.THROTTLE and self.status not in (None, TOO_MANY_REQUESTS, UNAVAILABLE):
            raise ValueError("the status of a throttle is 429 or 503")
        return self

    def fits(self, place: str, names: Collection[str], at: datetime) -> bool:
        """Whether a request of this kind, about these names, at this time, is one that it may strike."""
        if (self.begins and at < self.begins) or (self.ends and at >= self.ends):
            return False
        if not any(fnmatchcase(place, pattern) for pattern in self.at):
            return False
        return not self.names or any(fnmatchcase(name, pattern) for name in names for pattern in self.names)
