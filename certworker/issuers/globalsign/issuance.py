"""What the journal of an issuance asks for next.

Atlas issues as soon as it is asked, and has no key by which a request could be sent again without harm. So a request is
recorded before it is sent, under a name (`intent`) that only the process which recorded it has in its memory, and forgets
before it sends: that process sends it, once. Whoever else finds the record, or does not hear the answer, looks for a
certificate of this key through the CA's statistics first, patiently, since they tell of it only after a while. Where there is
none, a request is recorded anew.
"""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from certworker.crypto.received import read_certificates
from certworker.crypto.signing_requests import read_request
from certworker.crypto.x509 import read_certificate
from certworker.errors import BadParameter, CertworkerError, Unavailable
from certworker.issuers.globalsign.client import FORBIDDEN, NOT_FOUND, UNAUTHORIZED, AtlasClient
from certworker.issuers.globalsign.journal import PATIENCE, Journal
from certworker.issuers.globalsign.memory import Memory
from certworker.issuers.globalsign.order import Unfit, order_body, validity_of
from certworker.issuers.globalsign.search import Keys, Search
from certworker.issuers.rest import TROUBLES, Answer, Refused, earliest, trouble_of
from certworker.issuers.wording import (
    ISSUER_ERROR,
    REQUEST_REJECTED,
    REQUEST_TIMEOUT,
    SERVER_ERRORS,
    Garbled,
    clean,
)
from certworker.vault.issuance import IssuanceRequest, Issued, Pending, Rejected, Step

FRESH = timedelta(minutes=1)
"""A request that was recorded longer ago is recorded anew before it is sent: its validity would begin too early."""
PATIENT_ROUNDS = 1
"""So many times a request is recorded after looking in vain. Processes that all end early would come to no end with it."""
MOST_MISSING = 5
"""So many times what the CA said it issued may be missing before that is believed."""
MOST_PAGES = 5
"""So many pages are looked through at once when an operation is cancelled."""
FAILURES = (Refused, *TROUBLES, Unavailable)
"""What goes wrong with the CA, on the way to it, or with a key that lies elsewhere."""

ISSUING = "The CA is issuing the certificate."
LOOKING = "The CA's answer was not heard. Before it is asked again, it is looked for what it may have issued."

Intents = Memory[str, bool]
"""The requests that this process has had recorded, and has not sent."""


class Issuance:
    """One issuance at one moment: takes the one step that its journal asks for."""

    def __init__(self, client: AtlasClient, request: IssuanceRequest, intents: Intents, keys: Keys, at: datetime) -> None:
        self._client = client
        self._request = request
        self._intents = intents
        self._keys = keys
        self._at = at

    def go_on(self, journal: Journal) -> Step:
        """Take the next step."""
        try:
            return self._next(journal)
        except Unfit as error:
            return _rejected(REQUEST_REJECTED, clean(str(error)), journal)
        except FAILURES as error:
            return self._after_failure(error, journal)

    def _next(self, journal: Journal) -> Step:
        if journal.step == "ordered":
            return self._fetch(journal)
        if journal.step == "":
            return self._record(journal)
        if journal.step == "ordering" and self._intents.find(journal.intent, self._at):
            return self._order(journal)
        return self._look(journal.looking())

    def _record(self, journal: Journal) -> Step:
        return Pending(self._intended(journal).show(), self._at)

    def _intended(self, journal: Journal) -> Journal:
        """Make sure that the request can be made, and name it."""
        policy = self._client.policy()
        validity = validity_of(self._request, policy, self._at)
        order_body(self._request, policy, validity)
        intent = secrets.token_hex(8)
        self._intents.keep(intent, True, self._at)  # noqa: FBT003 - that it is there is all
        return journal.ordering(intent, validity, self._at)

    def _order(self, journal: Journal) -> Step:
        if not 0 <= self._at.timestamp() - journal.intended <= FRESH.total_seconds():
            self._intents.take(journal.intent)
            return self._record(journal)
        return self._send(journal)

    def _send(self, journal: Journal) -> Step:
        self._client.log_in()
        body = order_body(self._request, self._client.policy(), (journal.not_before, journal.not_after))
        if not self._intents.take(journal.intent):
            return self._look(journal.looking())
        try:
            serial = self._client.order(body)
        except FAILURES as error:
            if not _is_unheard(error):
                return self._failed(error, journal.looking())
            self._intents.keep(journal.intent, True, self._at)  # noqa: FBT003
            raise
        return Pending(journal.ordered(serial).show(), self._at)

    def _look(self, journal: Journal) -> Step:
        try:
            look = self._search().go_on(journal)
        except FAILURES as error:
            return self._failed(error, journal)
        if look.serial:
            return Pending(journal.ordered(look.serial).show(), self._at)
        if not look.over:
            journal, retry_at = look.journal.polled(None, self._at) if look.undecided else (look.journal, self._at)
            return Pending(journal.show(), retry_at, waits_for=ISSUING if look.undecided else LOOKING)
        if look.journal.looks <= len(PATIENCE):
            return Pending(look.journal.show(), self._at + PATIENCE[look.journal.looks - 1], waits_for=LOOKING)
        if journal.rounds < PATIENT_ROUNDS:
            return self._record(replace(look.journal, rounds=journal.rounds + 1))
        # whoever recorded the last request did not come to send it: it is sent in the step that has just looked
        return self._send(self._intended(look.journal))

    def _search(self) -> Search:
        replaces = self._request.replaces
        but = read_certificate(replaces).serial if replaces else ""  # its key may be the same one
        return Search(self._client, read_request(self._request.csr).public_key, but, self._keys, self._at)

    def _fetch(self, journal: Journal) -> Step:
        fetched = self._client.fetch(journal.serial)
        if isinstance(fetched, Answer):
            journal, retry_at = journal.polled(fetched.retry_after, self._at)
            return Pending(journal.show(), retry_at, waits_for=ISSUING)
        if fetched.status != "ISSUED":
            return _rejected(ISSUER_ERROR, f"The CA says that the certificate is {fetched.status[:20]!r}.", journal)
        try:
            leaf = read_certificates(fetched.text.encode())[:1]
        except BadParameter:
            leaf = (fetched.text.encode(),)  # what it is instead is refused, and kept as evidence
        return Issued((*leaf, *self._client.chain()), journal.show())

    def _after_failure(self, error: CertworkerError, journal: Journal) -> Step:
        if not isinstance(error, Refused):
            return self._failed(error, journal)
        if journal.step == "ordered" and error.status == NOT_FOUND:
            # its books may be behind
            if journal.missing >= MOST_MISSING:
                return _rejected(ISSUER_ERROR, self._client.told(error), journal)
            return self._failed(error, replace(journal, missing=journal.missing + 1))
        if error.passing or journal.step not in ("", "ordering"):
            return self._failed(error, journal)
        self._client.forget()
        code = ISSUER_ERROR if error.status in (UNAUTHORIZED, FORBIDDEN, NOT_FOUND) else REQUEST_REJECTED
        return _rejected(code, self._client.told(error), journal)

    def _failed(self, error: CertworkerError, journal: Journal) -> Pending:
        failure, trouble = self._client.told(error), trouble_of(error)
        return Pending(journal.show(), earliest(error, self._at), failure, trouble=trouble)

    def withdraw(self, journal: Journal) -> str | Pending | None:
        """Find the serial number of what is to be revoked, when the operation was cancelled.

        Pending while the CA's statistics may not tell of it yet; none where nothing was issued. Raises FAILURES.
        """
        if journal.step == "ordered":
            return journal.serial
        look, search = journal.looking().looked(0, 0), self._search()
        for _ in range(MOST_PAGES):
            found = search.go_on(look, likely=True)
            if found.serial:
                return found.serial
            if found.over:
                break
            look = found.journal
        patient = self._at.timestamp() < journal.intended + sum(PATIENCE, timedelta()).total_seconds()
        return Pending(journal.looking().show(), self._at + PATIENCE[0]) if patient else None


def _rejected(code: str, why: str, journal: Journal) -> Rejected:
    certified = journal.step in ("ordered", "looking")
    return Rejected(code, why, configuration=not certified, certified=certified)


def _is_unheard(error: CertworkerError) -> bool:
    """Whether it is certain that nothing was issued."""
    if isinstance(error, Garbled):
        return error.status != REQUEST_TIMEOUT and 400 <= error.status < SERVER_ERRORS  # noqa: PLR2004
    return isinstance(error, Refused) and error.unheard
