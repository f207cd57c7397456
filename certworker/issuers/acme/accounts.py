"""The account at a CA: its key, which can be exchanged, and whom the CA may write to.

A new key is kept before the CA hears of it, under an authority of its own beside the account. From then on the CA may know the
one or the other, and only the CA can tell which: it is asked whether the new key has an account. So a process may be killed
between any two moments, and whoever comes next finds out.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from certworker.crypto.keys import generate_key, public_der
from certworker.issuers.acme.client import AcmeClient, urls_of
from certworker.issuers.acme.problems import AcmeProblem, clean
from certworker.vault.issuance import Account, AccountBook, IssuanceRequest, KeyRoll

Dial = Callable[[Account], AbstractContextManager[AcmeClient]]
"""Opens a client that signs as an account; for one without a URL, by the key itself."""

IN_FLIGHT = timedelta(hours=1)
"""A change of the key that the CA has not heard of by then never reaches it."""
NO_ACCOUNT = "There is no account at the CA yet: the first issuance opens one, with a new key."
NO_CHANGE = "The CA has no way to give an account another key: its directory has no keyChange."
DEACTIVATED = (
    "The CA says that the account is {status}, which is for good. Set an issuer of another name, which gets an account of its "
    "own, and name it in the policies."
)


class AcmeAccounts:
    """The accounts of an ACME provider, in their book."""

    def __init__(self, book: AccountBook) -> None:
        self._book = book

    def find(self, request: IssuanceRequest) -> Account | None:
        """Find the account, as it is kept."""
        return self._book.find(*_place(request))

    def open(self, request: IssuanceRequest) -> Account:
        """Find the account. A new key is kept before the CA hears of it."""
        return self.find(request) or self._book.keep(*_place(request), Account(_new_key()))

    def record(self, request: IssuanceRequest, url: str | None, told: "Told") -> None:
        """Record the account's URL, and what the CA was told."""
        if account := self.find(request):
            self._book.update(*_place(request), replace(account, url=url, document=told.show()))

    def settled(self, request: IssuanceRequest, dial: Dial, at: datetime) -> Account:
        """Find the account with the key that the CA goes by. Raises as the client does, where the CA has to be asked."""
        account, place = self.open(request), _place(request)
        candidate = self._book.find(*_candidate_place(request)) if account.url else None
        if candidate is None:
            return account
        if _is_known(candidate, dial):
            self._book.promote(*place, _candidate_place(request)[-1], candidate)
        elif at - _since(candidate, at) > IN_FLIGHT:
            self._book.discard(*_candidate_place(request), candidate)
        return self.open(request)

    def roll(self, request: IssuanceRequest, dial: Dial, at: datetime) -> KeyRoll:
        """Exchange the account's key, or finish an exchange that was begun (RFC 8555 section 7.3.5).

        Raises as the client does.
        """
        known = self.find(request)
        if known is None or known.url is None:
            return KeyRoll(done=False, message=NO_ACCOUNT)
        account = self.settled(request, dial, at)
        if account.key != known.key:
            return KeyRoll(done=True)
        with dial(account) as client:
            if client.directory().key_change is None:
                return KeyRoll(done=False, message=NO_CHANGE)
            candidate = self._book.keep(*_candidate_place(request), _candidate(at))
            try:
                client.change_key(known.url, candidate.key)
            except AcmeProblem as error:
                # another process may have been first with this very key
                if error.problem.passing or self.settled(request, dial, at).key == account.key:
                    raise
                return KeyRoll(done=True)
        self._book.promote(*_place(request), _candidate_place(request)[-1], candidate)
        return KeyRoll(done=True)


@dataclass(frozen=True, slots=True)
class Told:
    """What the CA was told of an account beside its key: the contacts, and why it refused them if it did."""

    contacts: tuple[str, ...] = ()
    refused: str = ""

    @classmethod
    def read(cls, account: Account) -> "Told":
        """Read what was recorded; nothing of an account that is older than these records."""
        if not account.document:
            return cls()
        fields = json.loads(account.document)
        return cls(tuple(fields["contacts"]), fields["refused"])

    def show(self) -> bytes:
        """Show it as the account's document."""
        return json.dumps(asdict(self)).encode()

    def is_behind(self, contacts: tuple[str, ...]) -> bool:
        """Whether the contacts that are set are not those that the CA was told."""
        return list(self.contacts) != urls_of(contacts)


def tell_contacts(client: AcmeClient, account_url: str, contacts: tuple[str, ...]) -> Told:
    """Tell the CA whom it may write to. What it refuses is not told again until it is changed: certificates go on."""
    refused = ""
    try:
        client.update_contacts(account_url, contacts)
    except AcmeProblem as error:
        if error.problem.passing or error.problem.kind in ("accountDoesNotExist", "unauthorized"):
            raise
        refused = clean(str(error))
    return Told(tuple(urls_of(contacts)), refused)


def why_deactivated(account: Account, dial: Dial) -> str | None:
    """Ask whether a CA that refuses an account has closed it, and say so; none where it has not."""
    try:
        with dial(replace(account, url=None)) as client:
            status = client.find_account().status
    except AcmeProblem as error:
        # the key itself signed: what is not authorized is the account
        status = "deactivated" if error.problem.kind == "unauthorized" else "valid"
    return DEACTIVATED.format(status=status) if status in ("deactivated", "revoked") else None


def _is_known(candidate: Account, dial: Dial) -> bool:
    try:
        with dial(replace(candidate, url=None)) as client:
            client.find_account()
    except AcmeProblem as error:
        if error.problem.kind != "accountDoesNotExist":
            raise
        return False
    return True


def _place(request: IssuanceRequest) -> tuple[str, str, str]:
    return request.vault_id, request.issuer, request.account_id


def _candidate_place(request: IssuanceRequest) -> tuple[str, str, str]:
    # no URL has a blank in it
    return request.vault_id, request.issuer, f"next key for {request.account_id}"


def _candidate(at: datetime) -> Account:
    """Make a key, with a document that no other one has: since when it may be with the CA, and which it is."""
    key = _new_key()
    return Account(key, document=f"{at.isoformat()} {hashlib.sha256(public_der(key)).hexdigest()}".encode())


def _since(candidate: Account, at: datetime) -> datetime:
    return datetime.fromisoformat(candidate.document.decode().partition(" ")[0]) if candidate.document else at


def _new_key() -> bytes:
    return generate_key("EC", None, "P-256")
