"""The states of ACME and the passing of time, without a server."""

from datetime import timedelta

import pytest

from ca_sim.acme.nonces import MOST, Nonces
from ca_sim.acme.objects import Authorization, Challenge, Order, Status
from ca_sim.certificates import AUTHORITY_REASONS, Certificate, Standing
from ca_sim.identifiers import Identifier
from ca_sim.problems import AlreadyRevokedError, BadNonceError, MalformedError, OrderNotReadyError, UnauthorizedError
from tests.support.clock import START

NAME = Identifier("dns", "a.test")
HOUR = timedelta(hours=1)
AUTHORIZATION = Authorization(
    id="z",
    account_id="a",
    order_id="o",
    identifier=NAME,
    expires_at=START + HOUR,
    challenges=(Challenge(type="http-01", token="t"),),
)
ORDER = Order(
    id="o",
    account_id="a",
    identifiers=(NAME,),
    profile="p",
    authorization_ids=("z",),
    created_at=START,
    expires_at=START + 2 * HOUR,
)
CERTIFICATE = Certificate(
    serial="1",
    account_id="a",
    order_id="o",
    identifiers=(NAME,),
    profile="p",
    chain="",
    spki_sha256="",
    not_before=START,
    not_after=START + HOUR,
)
PROBLEM = UnauthorizedError("no").document()


def test_a_validated_authorization_makes_the_order_ready() -> None:
    """It is valid for its lifetime from the validation, and the order goes on to valid."""
    answered = AUTHORIZATION.answered("http-01")
    assert answered.challenge("http-01").status is Status.PROCESSING
    valid = answered.validated("http-01", at=START, lifetime=3 * HOUR)
    assert (valid.status, valid.expires_at) == (Status.VALID, START + 3 * HOUR)
    assert ORDER.as_of(START, [answered]).status is Status.PENDING
    ready = ORDER.as_of(START, [valid])
    assert ready.status is Status.READY
    assert ready.finalized("csr", START).issued("1").status is Status.VALID


def test_an_authorization_expires_and_its_order_with_it() -> None:
    """At its end it is expired, cannot be answered, and the order is invalid and says why."""
    expired = AUTHORIZATION.as_of(START + HOUR)
    assert expired.status is Status.EXPIRED
    with pytest.raises(MalformedError):
        expired.answered("http-01")
    order = ORDER.as_of(START + HOUR, [expired])
    assert order.status is Status.INVALID
    assert order.error is not None
    assert "a.test is expired" in order.error["detail"]


def test_an_order_expires_unless_it_is_in_work() -> None:
    """Processing goes on beyond the end; pending and ready do not."""
    late = START + 2 * HOUR
    valid = AUTHORIZATION.validated("http-01", at=START, lifetime=9 * HOUR)
    ready = ORDER.as_of(START, [valid])
    assert ready.as_of(late, [valid]).status is Status.INVALID
    working = ready.finalized("csr", START)
    assert working.as_of(late, [valid]) == working


def test_what_ended_while_it_was_validated_stays_ended() -> None:
    """A late result does not bring back what was deactivated."""
    gone = AUTHORIZATION.answered("http-01").deactivated()
    assert gone.validated("http-01", at=START, lifetime=HOUR).status is Status.DEACTIVATED
    assert gone.failed("http-01", PROBLEM).status is Status.DEACTIVATED


def test_only_a_ready_order_is_finalized() -> None:
    """Pending and processing orders refuse."""
    with pytest.raises(OrderNotReadyError):
        ORDER.finalized("csr", START)


def test_a_certificate_is_revoked_once_and_stays_so() -> None:
    """Revoked goes before expired."""
    assert CERTIFICATE.status(START + HOUR) is Standing.VALID
    assert CERTIFICATE.status(START + 2 * HOUR) is Standing.EXPIRED
    revoked = CERTIFICATE.revoked(at=START, reason=9, allowed=AUTHORITY_REASONS)
    assert revoked.status(START + 2 * HOUR) is Standing.REVOKED
    with pytest.raises(AlreadyRevokedError):
        revoked.revoked(at=START, reason=0)


def test_a_nonce_grows_old() -> None:
    """At the end of its lifetime it is refused."""
    nonces = Nonces(HOUR)
    nonce = nonces.issue(START)
    with pytest.raises(BadNonceError):
        nonces.use(nonce, START + HOUR)


def test_unused_nonces_are_bounded() -> None:
    """The oldest are forgotten when there are too many."""
    nonces = Nonces(HOUR)
    first = nonces.issue(START)
    last = [nonces.issue(START) for _ in range(MOST)][-1]
    nonces.use(last, START)
    with pytest.raises(BadNonceError):
        nonces.use(first, START)
