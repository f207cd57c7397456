"""What is done with accounts: register, find, update, deactivate, change the key (RFC 8555 section 7.3)."""

import logging
import re
import secrets
from dataclasses import replace

from ca_sim.acme.external_accounts import ExternalAccounts
from ca_sim.acme.jose import public_jwk, read_jwk, read_jws
from ca_sim.acme.objects import Account, Status
from ca_sim.acme.urls import ACCOUNT, Urls
from ca_sim.acme.wire import AccountUpdate, KeyChange, NewAccount, read
from ca_sim.book import Book
from ca_sim.clock import Clock
from ca_sim.problems import (
    AccountDoesNotExistError,
    ConflictError,
    DeactivatedAccountError,
    InvalidContactError,
    MalformedError,
    UnsupportedContactError,
    UserActionRequiredError,
)
from ca_sim.settings import Settings

log = logging.getLogger(__name__)
_MAILBOX = re.compile(r"[^@\s,?<>]+@[^@\s,?<>]+")


class Accounts:
    """The accounts of one authority."""

    def __init__(self, book: Book, settings: Settings, clock: Clock, urls: Urls) -> None:
        self._book = book
        self._settings = settings
        self._clock = clock
        self._urls = urls
        acme = settings.acme
        self._external = ExternalAccounts(book, acme.external_accounts, required=acme.external_account_required)

    def register(self, jwk: dict[str, str], request: NewAccount, *, url: str) -> tuple[Account, bool]:
        """Give the account of a key and whether it is new (sections 7.3, 7.3.1 and 7.3.4); `url` is that of the request.

        Raises AccountDoesNotExistError, UserActionRequiredError, DeactivatedAccountError, a contact's problem or that of an
        external account's binding.
        """
        known = self._book.account_of_key(jwk)
        if known is not None:
            return usable(known), False
        if request.only_return_existing:
            raise AccountDoesNotExistError("no account has this key")
        terms = self._settings.terms_of_service
        if terms and not request.terms_of_service_agreed:
            # The spec wants this link only where terms have changed; here it says what is to be agreed to.
            headers = {"Link": f'<{terms}>;rel="terms-of-service"'}
            raise UserActionRequiredError(f"agree to the terms of service at {terms}", headers=headers)
        contacts = _checked(request.contact)
        binding = self._external.check(request.external_account_binding, jwk=jwk, url=url)
        account = Account(
            id=secrets.token_urlsafe(12),
            jwk=jwk,
            created_at=self._clock(),
            contacts=contacts,
            external_account_binding=binding.document if binding else None,
        )
        with self._book.transaction():
            self._book.put_account(account)
            if binding is not None:
                self._external.bind(binding, account)
        log.info("account %s registered%s", account.id, f", bound to {binding.kid!r}" if binding else "")
        return account, True

    def knows(self, jwk: dict[str, str]) -> bool:
        """Whether a key has an account."""
        return self._book.account_of_key(jwk) is not None

    def of_url(self, url: object) -> Account:
        """Find the account that a `kid` names. Raises AccountDoesNotExistError or DeactivatedAccountError."""
        account_id = self._urls.account_id(url)
        account = self._book.account(account_id) if account_id else None
        if account is None:
            raise AccountDoesNotExistError("kid is not the URL of an account of this server")
        return usable(account)

    def update(self, account: Account, request: AccountUpdate) -> Account:
        """Change the contacts or deactivate (sections 7.3.2 and 7.3.6)."""
        if request.status == Status.DEACTIVATED:
            account = account.deactivated()
        elif request.status not in {None, Status.VALID}:
            raise MalformedError(f"an account cannot be made {request.status!r}: only deactivated")
        if request.contact is not None:
            account = replace(account, contacts=_checked(request.contact))
        self._put(account)
        log.info("account %s updated: %s", account.id, account.status)
        return account

    def change_key(self, account: Account, url: str, inner: bytes) -> Account:
        """Replace the key of an account; `inner` is the JWS by the new key, `url` that of the outer one (7.3.5).

        Raises MalformedError, or ConflictError with the Location of the account that the new key belongs to.
        """
        jws = read_jws(inner)
        key = read_jwk(jws.header.get("jwk"))
        jws.verify(key)
        if "kid" in jws.header or "nonce" in jws.header or jws.header.get("url") != url:
            raise MalformedError("the inner JWS must have jwk and the url of the outer one, and neither kid nor nonce")
        change = read(KeyChange, jws.payload)
        if change.account != self._urls.of(ACCOUNT, id=account.id):
            raise MalformedError("the inner JWS names another account than the outer one")
        if public_jwk(read_jwk(change.old_key)) != account.jwk:
            raise MalformedError("oldKey is not the key of the account")
        jwk = public_jwk(key)
        holder = self._book.account_of_key(jwk)
        if holder is not None:
            location = self._urls.of(ACCOUNT, id=holder.id)
            raise ConflictError("the new key belongs to an account already", headers={"Location": location})
        account = replace(account, jwk=jwk)
        self._put(account)
        log.info("account %s has a new key", account.id)
        return account

    def _put(self, account: Account) -> None:
        with self._book.transaction():
            self._book.put_account(account)


def usable(account: Account) -> Account:
    """Give the account back. Raises DeactivatedAccountError."""
    if account.status is not Status.VALID:
        raise DeactivatedAccountError("the account is deactivated")
    return account


def _checked(contacts: list[str]) -> tuple[str, ...]:
    """Check contact URLs: mailto with one address and no header fields (section 7.3)."""
    for contact in contacts:
        scheme, _, address = contact.partition(":")
        if scheme.lower() != "mailto":
            raise UnsupportedContactError(f"contacts of scheme {scheme!r} are not taken: use mailto")
        if not _MAILBOX.fullmatch(address):
            raise InvalidContactError("a mailto contact has one address, and no header fields")
    return tuple(contacts)
