"""Rate limits in the manner of Let's Encrypt, by the authority's own clock (RFC 8555 section 6.6).

Each limit is a bucket that is refilled steadily: what 3 hours allow can be had at once, and then one more at a time.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from ca_sim.acme.objects import Account, Order
from ca_sim.acme.settings import AcmeSettings, Limit
from ca_sim.book import Book
from ca_sim.clock import Clock
from ca_sim.identifiers import Identifier
from ca_sim.problems import BusyError, RateLimitedError

ROOM = "acme.rate-limit"
KNOWN_SETS = "acme.issued-set"
PERIODS = MappingProxyType(
    {
        Limit.ORDERS: timedelta(hours=3),
        Limit.DOMAIN: timedelta(days=7),
        Limit.DUPLICATES: timedelta(days=7),
        Limit.FAILURES: timedelta(hours=1),
        Limit.ACCOUNTS: timedelta(hours=3),
        Limit.REQUESTS: timedelta(seconds=1),
    }
)
MOST_PLACES = 100
_SECOND = timedelta(seconds=1)
_UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Bucket:
    """Holds `most` tokens and is full again after `period`. Its state is the time at which it will be full.

    This is the generic cell rate algorithm: the state is one time, and how long to wait follows exactly.
    """

    most: int
    period: timedelta

    @property
    def interval(self) -> timedelta:
        """Tell how long one token takes to come back."""
        return self.period // self.most

    def wait(self, full_at: datetime | None, at: datetime) -> timedelta:
        """Tell how long it is from `at` to the next token; nothing or less if there is one."""
        return max(full_at or at, at) + self.interval - self.period - at

    def take(self, full_at: datetime | None, at: datetime) -> datetime:
        """Take a token, also one that is not there, and give the new state."""
        return max(full_at or at, at) + self.interval


@dataclass(frozen=True, slots=True)
class _Charge:
    """What a request takes a token of."""

    limit: Limit
    key: str
    about: str
    identifier: Identifier | None = None

    @property
    def document_id(self) -> str:
        return f"{self.limit}/{self.key}"


class RateLimits:
    """Counts what accounts do. What is written is written in the caller's transaction, and remembered over a restart."""

    def __init__(self, book: Book, settings: AcmeSettings, clock: Clock) -> None:
        self._book = book
        self._settings = settings
        self._clock = clock
        self._busy: dict[str, datetime] = {}

    def check_order(self, account: Account, identifiers: Collection[Identifier], *, replaces: bool) -> None:
        """Check a new order. One that replaces a certificate is exempt, as at Let's Encrypt. Raises RateLimitedError."""
        if not replaces:
            failures = [_failures(account.id, identifier) for identifier in identifiers]
            self._check([*failures, *self._order(account, identifiers), *self._certificate(identifiers)])

    def ordered(self, account: Account, identifiers: Collection[Identifier], *, replaces: bool) -> None:
        """Count a new order."""
        if not replaces:
            self._take(self._order(account, identifiers))

    def issued(self, order: Order) -> None:
        """Count a certificate."""
        if order.replaces is None:
            self._take(self._certificate(order.identifiers))
        if self._is_set(Limit.ORDERS) or self._is_set(Limit.DOMAIN):
            self._book.put_document(KNOWN_SETS, _set_of(order.identifiers), "")

    def failed(self, account_id: str, identifier: Identifier) -> None:
        """Count a validation that failed."""
        self._take([_failures(account_id, identifier)])

    def check_account(self, address: str) -> None:
        """Check whether a client at this address may register one more account. Raises RateLimitedError."""
        self._check([_accounts(address)])

    def registered(self, address: str) -> None:
        """Count a new account, in a transaction of its own."""
        if self._is_set(Limit.ACCOUNTS):
            with self._book.transaction():
                self._take([_accounts(address)])

    def check_request(self, place: str) -> None:
        """Count a request of a kind. Raises BusyError, or RateLimitedError where the settings have it so."""
        if not self._is_set(Limit.REQUESTS):
            return
        at, bucket = self._clock(), self._bucket(Limit.REQUESTS)
        full_at = min(self._busy.get(place, at), at + bucket.period)  # the clock may have been set back
        wait = bucket.wait(full_at, at)
        if wait > timedelta(0):
            kind = BusyError if self._settings.busy_status == _UNAVAILABLE else RateLimitedError
            raise kind(f"more than {bucket.most} requests of this kind in a second", headers=self._headers(wait))
        if len(self._busy) >= MOST_PLACES:  # a client may make paths up
            self._busy = {other: full_at for other, full_at in self._busy.items() if full_at > at}
        self._busy[place] = bucket.take(full_at, at)

    def _order(self, account: Account, identifiers: Collection[Identifier]) -> list[_Charge]:
        if self._is_known(identifiers):
            return []
        return [_Charge(Limit.ORDERS, account.id, "new orders of this account")]

    def _certificate(self, identifiers: Collection[Identifier]) -> list[_Charge]:
        """List the charges of a certificate: a renewal, for a set of names that had one, counts as a duplicate only."""
        same = _Charge(Limit.DUPLICATES, _set_of(identifiers), "certificates for this exact set of names")
        if self._is_known(identifiers):
            return [same]
        domains = sorted({registered_domain(identifier) for identifier in identifiers}, key=lambda domain: domain.value)
        return [same, *(_Charge(Limit.DOMAIN, name.value, f"certificates for {name.value}", name) for name in domains)]

    def _is_known(self, identifiers: Iterable[Identifier]) -> bool:
        return self._book.document(KNOWN_SETS, _set_of(identifiers)) is not None

    def _check(self, charges: Iterable[_Charge]) -> None:
        at = self._clock()
        over: list[tuple[timedelta, _Charge]] = []
        for charge in charges:
            if self._is_set(charge.limit):
                wait = self._bucket(charge.limit).wait(self._full_at(charge), at)
                over += [(wait, charge)] if wait > timedelta(0) else []
        if over:
            raise self._problem(over, at)

    def _problem(self, over: list[tuple[timedelta, _Charge]], at: datetime) -> RateLimitedError:
        problems = [self._problem_of(wait, charge, at) for wait, charge in over]
        longest = max(wait for wait, _ in over)
        if len(problems) == 1:
            return problems[0]
        return RateLimitedError(
            f"{len(problems)} rate limits are exceeded", subproblems=problems, headers=self._headers(longest)
        )

    def _problem_of(self, wait: timedelta, charge: _Charge, at: datetime) -> RateLimitedError:
        most, period = self._settings.rate_limits[charge.limit], PERIODS[charge.limit]
        detail = f"too many {charge.about}: at most {most} in {period}; try again at {(at + _up(wait)).isoformat()}"
        about = charge.identifier.document() if charge.identifier else None
        return RateLimitedError(detail, identifier=about, headers=self._headers(wait))

    def _headers(self, wait: timedelta) -> dict[str, str]:
        headers = {"Retry-After": str(_up(wait) // _SECOND)}
        if self._settings.rate_limits_url:
            headers["Link"] = f'<{self._settings.rate_limits_url}>;rel="help"'
        return headers

    def _take(self, charges: Iterable[_Charge]) -> None:
        at = self._clock()
        for charge in charges:
            if self._is_set(charge.limit):
                full_at = self._bucket(charge.limit).take(self._full_at(charge), at)
                self._book.put_document(ROOM, charge.document_id, full_at.isoformat())

    def _full_at(self, charge: _Charge) -> datetime | None:
        kept = self._book.document(ROOM, charge.document_id)
        return None if kept is None else datetime.fromisoformat(kept)

    def _is_set(self, limit: Limit) -> bool:
        return self._settings.rate_limits.get(limit, 0) > 0

    def _bucket(self, limit: Limit) -> Bucket:
        return Bucket(self._settings.rate_limits[limit], PERIODS[limit])


def registered_domain(identifier: Identifier) -> Identifier:
    """Give the domain that a name counts for: its last two labels, whatever the suffix; an address counts for itself."""
    if identifier.type == "ip":
        return identifier
    return Identifier("dns", ".".join(identifier.base.value.split(".")[-2:]))


def _set_of(identifiers: Iterable[Identifier]) -> str:
    names = sorted(f"{identifier.type}:{identifier.value}" for identifier in identifiers)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _failures(account_id: str, identifier: Identifier) -> _Charge:
    name = identifier.base
    return _Charge(Limit.FAILURES, f"{account_id}/{name.value}", f"failed validations of {name.value}", name)


def _accounts(address: str) -> _Charge:
    return _Charge(Limit.ACCOUNTS, address, "new accounts from this address")


def _up(wait: timedelta) -> timedelta:
    """Round up to whole seconds, so that who waits as long as told does not come too early."""
    return -(-wait // _SECOND) * _SECOND
