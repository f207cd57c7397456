"""What processes count and time of what they do: the port. Who counts knows nothing of who reads it.

Names and labels are those of the metrics (`metrics/catalogue.py`); labels are given in their order there.
"""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Protocol


class Measure(StrEnum):
    """What is counted, timed or measured, by the name of its metric without what all have in common."""

    __hash__ = str.__hash__  # an enumeration's own is slow, and this is looked up for every request

    ISSUANCE_STEPS = "issuance_steps"
    ISSUANCE_STEP_SECONDS = "issuance_step_duration_seconds"
    ISSUANCE_SECONDS = "issuance_duration_seconds"
    ISSUANCE_FAILURES = "issuance_failures"
    DEFERRALS = "renewals_deferred"
    CA_REQUESTS = "ca_requests"
    CA_SECONDS = "ca_request_duration_seconds"
    CA_RATE_LIMITED = "ca_rate_limited"
    ARI_FETCHES = "ari_fetches"
    REVOCATION_CHECKS = "revocation_checks"
    DELIVERIES = "notice_deliveries"
    RUNS = "scheduler_runs"
    RUN_SECONDS = "scheduler_run_duration_seconds"
    ROUND_ITEMS = "round_items"
    LEASES_LOST = "leases_lost"
    CLOCK_SKEW = "clock_skew_seconds"
    CLOCK_JUMPS = "clock_jumps"
    HTTP_REQUESTS = "http_requests"
    HTTP_SECONDS = "http_request_duration_seconds"
    VAULT_OPERATIONS = "vault_operations"
    VAULT_REQUESTS = "vault_requests"
    SIGN_INS = "sign_ins"
    TRANSACTIONS = "database_transactions"
    TRANSACTION_SECONDS = "database_transaction_duration_seconds"
    PROCESS_STARTS = "process_starts"
    PROCESS_EXITS = "process_exits"
    HSM_OPERATIONS = "hsm_operations"
    HSM_UP = "hsm_up"


class Measures(Protocol):
    """Where measures go. Safe for threads, and quick: it is called for every request."""

    def count(self, measure: Measure, *labels: str, by: int = 1) -> None:
        """Count something that happened."""

    def time(self, measure: Measure, seconds: float, *labels: str) -> None:
        """Note how long something took."""

    def set(self, measure: Measure, value: float, *labels: str) -> None:
        """Note how something stands now."""


class NoMeasures:
    """Nobody counts: of a command that is over at once, say."""

    def count(self, measure: Measure, *labels: str, by: int = 1) -> None:
        """Count nothing."""

    def time(self, measure: Measure, seconds: float, *labels: str) -> None:
        """Note nothing."""

    def set(self, measure: Measure, value: float, *labels: str) -> None:
        """Note nothing."""


NO_MEASURES: Final = NoMeasures()


class Purpose(StrEnum):
    """What somebody else is asked for over HTTP."""

    ISSUANCE = "issuance"
    ADVICE = "advice"
    REVOCATION = "revocation"
    ACCOUNT = "account"
    CRL = "crl"
    OCSP = "ocsp"
    WEBHOOK = "webhook"
    IDENTITY = "identity"


class Errand(NamedTuple):
    """For what others are asked in this context, for which issuer (empty: for none), and who counts that.

    With a `clock`, the time that they tell is held against it.
    """

    measures: Measures
    purpose: Purpose
    issuer: str = ""
    clock: Callable[[], datetime] | None = None


_CURRENT: ContextVar[Errand | None] = ContextVar("certworker_errand", default=None)


def current_errand() -> Errand | None:
    """Give what is asked for in this context; none where nobody counts it."""
    return _CURRENT.get()


class asking:  # noqa: N801 - used as a function, like `correlating`
    """Set for what others are asked, for the time of the block: the HTTP client that is used there counts by it."""

    __slots__ = ("_errand", "_token")

    def __init__(
        self, measures: Measures, purpose: Purpose, issuer: str = "", clock: Callable[[], datetime] | None = None
    ) -> None:
        self._errand = Errand(measures, purpose, issuer, clock)

    def __enter__(self) -> Errand:
        """Set it."""
        self._token = _CURRENT.set(self._errand)
        return self._errand

    def __exit__(self, *_: object) -> None:
        """Set what was asked for before."""
        _CURRENT.reset(self._token)
