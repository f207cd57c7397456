"""Identifiers that an account may not order for until somebody lifts the pause, as Let's Encrypt has it."""

import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from ca_sim.acme.objects import Account
from ca_sim.acme.settings import AcmeSettings
from ca_sim.acme.urls import UNPAUSE, Urls
from ca_sim.book import Book
from ca_sim.identifiers import WILDCARD, Identifier, check_address, check_name
from ca_sim.problems import NotFoundError, RateLimitedError

log = logging.getLogger(__name__)
ROOM = "acme.pause"
TICKETS = "acme.unpause"
FAILURES = "acme.failures-in-a-row"


@dataclass(frozen=True, slots=True)
class Pause:
    """An account may not order for a name or address."""

    account_id: str
    value: str


class Pauses:
    """The pauses of one authority. Those of one account are lifted together, by who knows the URL that it was told."""

    def __init__(self, book: Book, settings: AcmeSettings, urls: Urls) -> None:
        self._book = book
        self._settings = settings
        self._urls = urls

    def pause(self, account_id: str, value: str) -> Pause:
        """Pause a name, with its wildcard, or an address for an account. Raises NotFoundError or MalformedError."""
        if self._book.account(account_id) is None:
            raise NotFoundError("there is no such account")
        value = _value(value)
        with self._book.transaction():
            self._put(account_id, value)
        return Pause(account_id, value)

    def resume(self, account_id: str, value: str | None = None) -> int:
        """Lift the pause of one value, or all of an account; say how many there were."""
        lifted = [found.value for found in self.list_(account_id) if value in {None, found.value}]
        with self._book.transaction():
            for each in lifted:
                self._book.delete_document(ROOM, f"{account_id}/{each}")
                self._book.delete_document(FAILURES, f"{account_id}/{each}")
        log.info("%d pauses of account %s lifted", len(lifted), account_id)
        return len(lifted)

    def list_(self, account_id: str | None = None) -> list[Pause]:
        """List the pauses, of one account or of all."""
        return [Pause(*body.split("/", 1)) for _, body in self._book.documents(ROOM, key=account_id)]

    def account_of(self, ticket: str) -> str:
        """Give the account whose pauses a URL lifts. Raises NotFoundError."""
        kept = self._book.document(TICKETS, ticket)
        if kept is None:
            raise NotFoundError("there is nothing at this URL")
        return kept.split("/", 1)[0]

    def check(self, account: Account, identifiers: Iterable[Identifier]) -> None:
        """Raise RateLimitedError, with a subproblem for each paused identifier and the URL that lifts the pause."""
        paused = [found for found in identifiers if self._is_paused(account.id, found.base.value)]
        if not paused:
            return
        names = ", ".join(identifier.value for identifier in paused)
        url = self._urls.of(UNPAUSE, ticket=self._ticket(account.id))
        subproblems = [
            RateLimitedError(f"{identifier.value} is paused for this account", identifier=identifier.document())
            for identifier in paused
        ]
        detail = f"this account may not order for {names} until the pause is lifted at {url}"
        raise RateLimitedError(
            detail, subproblems=subproblems, headers={"Link": f'<{url}>;rel="help"'}, extra={"instance": url}
        )

    def validated(self, account_id: str, identifier: Identifier, *, is_valid: bool) -> None:
        """Count failures in a row, and pause when there are too many; in the caller's transaction."""
        most = self._settings.pause_after_failures
        place = f"{account_id}/{identifier.value}"
        if not most:
            return
        if is_valid:
            self._book.delete_document(FAILURES, place)
            return
        count = int(self._book.document(FAILURES, place) or 0) + 1
        self._book.put_document(FAILURES, place, str(count))
        if count >= most:
            self._put(account_id, identifier.value)

    def _put(self, account_id: str, value: str) -> None:
        self._book.put_document(ROOM, f"{account_id}/{value}", f"{account_id}/{value}", key=account_id)
        if not self._book.documents(TICKETS, key=account_id):
            ticket = secrets.token_urlsafe(24)
            self._book.put_document(TICKETS, ticket, f"{account_id}/{ticket}", key=account_id)
        log.info("%s is paused for account %s", value, account_id)

    def _is_paused(self, account_id: str, value: str) -> bool:
        return self._book.document(ROOM, f"{account_id}/{value}") is not None

    def _ticket(self, account_id: str) -> str:
        ((_, kept),) = self._book.documents(TICKETS, key=account_id)
        return kept.split("/", 1)[1]


def _value(text: str) -> str:
    if ":" in text or text.replace(".", "").isdigit():
        return check_address(text)
    return check_name(text.lower().removeprefix(WILDCARD))
