"""Issuer records, contacts, accounts at CAs and challenges: what is asked and what is changed."""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, select, update

from certworker.store.tables.issuers import (
    ACCOUNT,
    CHALLENGE,
    CONTACT,
    ISSUER,
    account_record,
    account_values,
    issuer_record,
    issuer_values,
)
from certworker.store.tables.vaults import VAULT
from certworker.store.transaction import Transaction
from certworker.vault.objects import fold_name
from certworker.vault.store import Page
from certworker.vault.vaults import Contact, Issuer, SealedAccount

# told once: it is asked for with each step of each issuance
_ISSUER: Final = select(ISSUER).where(ISSUER.c.vault_id == bindparam("vault"), ISSUER.c.folded == bindparam("name"))
_EVERY: Final = (
    select(VAULT.c.name.label("vault"), ISSUER)
    .join(VAULT, and_(VAULT.c.id == ISSUER.c.vault_id, VAULT.c.deleted.is_(None)))
    .order_by(VAULT.c.folded, ISSUER.c.folded)
)
_NAMES: Final = (
    select(VAULT.c.name.label("vault"), ISSUER.c.name)
    .join(VAULT, and_(VAULT.c.id == ISSUER.c.vault_id, VAULT.c.deleted.is_(None)))
    .order_by(VAULT.c.folded, ISSUER.c.folded)
)
_CONTACTS: Final = select(CONTACT).where(CONTACT.c.vault_id == bindparam("vault")).order_by(CONTACT.c.position)


class IssuerReader(Transaction):
    """What can be asked of issuers."""

    def issuer(self, vault_id: str, name: str) -> Issuer | None:
        """Find an issuer record."""
        row = self._one(_ISSUER, vault=vault_id, name=fold_name(name))
        return issuer_record(row) if row else None

    def issuers(self, vault_id: str, after: str | None, limit: int) -> Page[Issuer]:
        """List issuer records by folded name, beginning after the folded name `after`."""
        wanted = select(ISSUER).where(ISSUER.c.vault_id == vault_id, ISSUER.c.folded > (after or ""))
        rows = self._all(wanted.order_by(ISSUER.c.folded).limit(limit + 1))
        following = rows[limit - 1].folded if len(rows) > limit else None
        return Page(tuple(map(issuer_record, rows[:limit])), following)

    def issuer_names(self) -> tuple[tuple[str, str], ...]:
        """List the names of all live vaults' issuers: (vault's name, issuer's name)."""
        return tuple((row.vault, row.name) for row in self._all(_NAMES))

    def issuers_of_all(self) -> tuple[tuple[str, Issuer], ...]:
        """List all live vaults' issuers, each with its vault's name."""
        return tuple((row.vault, issuer_record(row)) for row in self._all(_EVERY))

    def contacts(self, vault_id: str) -> tuple[Contact, ...]:
        """List a vault's contacts, in the order in which they were set."""
        rows = self._all(_CONTACTS, vault=vault_id)
        return tuple(Contact(row.email, row.name, row.phone) for row in rows)

    def account(self, vault_id: str, issuer: str, authority: str) -> SealedAccount | None:
        """Find the account at a CA."""
        row = self._one(select(ACCOUNT).where(_account(vault_id, issuer, authority)))
        return account_record(row) if row else None

    def challenge(self, token: str) -> str | None:
        """Find the response to a challenge's token, unless it has expired."""
        row = self._one(select(CHALLENGE.c.response).where(CHALLENGE.c.token == token, CHALLENGE.c.expires > self._at()))
        return str(row.response) if row else None


class IssuerWriter(IssuerReader):
    """What can be changed in issuers."""

    def put_issuer(self, issuer: Issuer) -> None:
        """Add or replace an issuer record."""
        self._put(ISSUER, issuer_values(issuer), key=("vault_id", "folded"))

    def delete_issuer(self, vault_id: str, name: str) -> None:
        """Delete an issuer record."""
        self._change(delete(ISSUER).where(_issuer(vault_id, name)))

    def set_contacts(self, vault_id: str, contacts: tuple[Contact, ...]) -> None:
        """Replace all contacts of a vault."""
        self._change(delete(CONTACT).where(CONTACT.c.vault_id == vault_id))
        for position, contact in enumerate(contacts, 1):
            values = {"email": contact.email, "name": contact.name, "phone": contact.phone}
            self._change(insert(CONTACT).values(vault_id=vault_id, position=position, **values))

    def keep_account(self, vault_id: str, issuer: str, authority: str, account: SealedAccount) -> SealedAccount:
        """Keep an account unless there is one already; give back the one that is kept."""
        place = {"vault_id": vault_id, "folded": fold_name(issuer), "authority": authority}
        if self._try_add(ACCOUNT, place | account_values(account)):
            return account
        return self.account(vault_id, issuer, authority) or account

    def update_account(self, vault_id: str, issuer: str, authority: str, url: str | None, document: bytes | None) -> None:
        """Replace what is kept of an account beside its key."""
        self._change(update(ACCOUNT).where(_account(vault_id, issuer, authority)).values(url=url, document=document))

    def set_account_key(self, vault_id: str, issuer: str, authority: str, sealed_key: bytes) -> None:
        """Replace an account's key."""
        self._change(update(ACCOUNT).where(_account(vault_id, issuer, authority)).values(sealed_key=sealed_key))

    def delete_account(self, vault_id: str, issuer: str, authority: str, document: bytes | None) -> bool:
        """Delete an account that has this document; tell whether there was one."""
        this = and_(_account(vault_id, issuer, authority), ACCOUNT.c.document.is_not_distinct_from(document))
        return self._change(delete(ACCOUNT).where(this)) > 0

    def put_challenge(self, token: str, response: str, expires: datetime) -> None:
        """Put a challenge's response up."""
        self._put(CHALLENGE, {"token": token, "response": response, "expires": expires}, key=("token",))

    def delete_challenge(self, token: str) -> None:
        """Take a challenge's response down."""
        self._change(delete(CHALLENGE).where(CHALLENGE.c.token == token))

    def delete_expired_challenges(self, at: datetime) -> int:
        """Take down what has expired; give the count."""
        return self._change(delete(CHALLENGE).where(CHALLENGE.c.expires <= at))


def _issuer(vault_id: str, name: str) -> ColumnElement[bool]:
    return and_(ISSUER.c.vault_id == vault_id, ISSUER.c.folded == fold_name(name))


def _account(vault_id: str, issuer: str, authority: str) -> ColumnElement[bool]:
    return and_(ACCOUNT.c.vault_id == vault_id, ACCOUNT.c.folded == fold_name(issuer), ACCOUNT.c.authority == authority)
