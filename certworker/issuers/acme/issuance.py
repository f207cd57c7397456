"""What an order's status asks for next (RFC 8555 section 7.1.6)."""

from dataclasses import replace
from datetime import datetime, timedelta

from certworker.issuers.acme.client import AcmeClient
from certworker.issuers.acme.journal import Journal
from certworker.issuers.acme.problems import (
    ISSUER_ERROR,
    NOT_FOUND,
    REQUEST_REJECTED,
    AcmeProblem,
    Garbled,
    Problem,
    verdict,
)
from certworker.issuers.acme.resources import Authorization, Challenge, Order
from certworker.vault.issuance import ChallengeBoard, IssuanceRequest, Issued, Pending, Rejected, Step

HTTP_01 = "http-01"
BATCH = 10
"""So many authorizations are dealt with in one step."""

PATIENCE = 3
"""So many times a finalized order may seem to be gone before it is believed."""

SHORTEST_STAY = timedelta(hours=1)
LONGEST_STAY = timedelta(days=7)
"""How long a challenge response is up at the least, should the CA's clock differ, and at the most."""


class Issuance:
    """One issuance at one moment: looks at the order, and takes the one step that its status asks for."""

    def __init__(
        self, client: AcmeClient, board: ChallengeBoard, request: IssuanceRequest, journal: Journal, at: datetime
    ) -> None:
        self._client = client
        self._board = board
        self._request = request
        self._journal = journal
        self._at = at

    def go_on(self) -> Step:
        """Take the next step."""
        if not self._journal.order_url:
            order = self._client.place_order(self._request.names, self._request.profile)
            return Pending(self._journal.forward("ordered", order).show(), self._at)
        try:
            order = self._client.look_at_order(self._journal.order_url)
        except AcmeProblem as error:
            if not _is_gone(error.problem):
                raise
            return begin_anew(self._journal, str(error), self._at)
        except Garbled as error:
            if error.status != NOT_FOUND:
                raise
            return self._miss(str(error))
        return self._after_look(order)

    def _miss(self, why: str) -> Step:
        """Deal with a 404 that says nothing: the CA's way to say that the order is gone, or a broken proxy's.

        An order that may have been finalized is not given up for the first of them.
        """
        if self._journal.step not in ("cleared", "finalized") or self._journal.missing >= PATIENCE:
            return begin_anew(self._journal, why, self._at)
        return Pending(replace(self._journal, missing=self._journal.missing + 1).show(), None, failure=why)

    def _after_look(self, order: Order) -> Step:
        match order.status:
            case "pending":
                return self._prove(order)
            case "ready" if self._journal.cleared < self._journal.answered:
                return self._clear(order)
            case "ready":
                return self._finalize(order)
            case "processing":
                return self._wait(self._finalized(order), order)
            case "valid":
                return self._fetch(order)
            case "invalid":
                return self._give_up(order)
        raise Garbled(f"The CA says that the order is {order.status[:20]!r}, which is no status of ACME.")

    def _prove(self, order: Order) -> Step:
        """Answer the next challenges; once all are answered, wait for the CA to look at them."""
        done = self._journal.answered
        urls = order.authorizations[done : done + BATCH]
        if not urls:
            return self._wait(self._journal, order)
        for url in urls:
            authorization = self._client.look_at_authorization(url)
            if authorization.status not in ("valid", "pending"):
                return self._give_up(order)
            if authorization.status == "pending" and (refused := self._answer(authorization)):
                return refused
        answered = done + len(urls)
        if answered < len(order.authorizations):
            return Pending(replace(self._journal.forward("ordered", order), answered=answered).show(), self._at)
        return self._wait(replace(self._journal.forward("answered", order), answered=answered), order)

    def _answer(self, authorization: Authorization) -> Rejected | None:
        challenge = authorization.challenge(HTTP_01)
        if challenge is None:
            offered = ", ".join(sorted({other.kind for other in authorization.challenges})) or "none"
            text = f"The CA offers no {HTTP_01} challenge for {authorization.identifier}, only: {offered}."
            return Rejected(REQUEST_REJECTED, text, configuration=True)
        if challenge.status == "invalid":
            return verdict(_failures(authorization), [challenge.token])
        self._board.post(challenge.token, self._client.key_authorization(challenge), self._stay(authorization))
        if challenge.status == "pending":
            self._tell(challenge)
        return None

    def _tell(self, challenge: Challenge) -> None:
        try:
            self._client.answer(challenge)
        except AcmeProblem as error:
            if error.problem.kind != "malformed":
                raise
            # it may have been answered a moment ago by a process that was slower to die: the next look will tell
            raise Garbled(str(error)) from error

    def _stay(self, authorization: Authorization) -> datetime:
        stay = (authorization.expires or self._at) - self._at
        return self._at + min(max(stay, SHORTEST_STAY), LONGEST_STAY)

    def _clear(self, order: Order) -> Step:
        """Take down the responses that were looked at."""
        cleared = min(self._journal.cleared + BATCH, self._journal.answered)
        for url in order.authorizations[self._journal.cleared : cleared]:
            if authorization := self._look_if_there(url):
                self._take_down(authorization)
        return Pending(replace(self._journal.forward("cleared", order), cleared=cleared).show(), self._at)

    def _take_down(self, authorization: Authorization) -> None:
        if challenge := authorization.challenge(HTTP_01):
            self._board.take_down(challenge.token)

    def _look_if_there(self, url: str) -> Authorization | None:
        try:
            return self._client.look_at_authorization(url)
        except AcmeProblem as error:
            if error.problem.passing:
                raise
            return None

    def _finalize(self, order: Order) -> Step:
        try:
            order = self._client.finalize(order, self._request.csr)
        except AcmeProblem as error:
            if error.problem.kind != "orderNotReady":
                raise
            return self._wait(self._journal, order)
        journal = self._journal.forward("finalized", order)
        return Pending(journal.show(), self._at) if order.status == "valid" else self._wait(journal, order)

    def _finalized(self, order: Order) -> Journal:
        return self._journal if self._journal.step == "finalized" else self._journal.forward("finalized", order)

    def _fetch(self, order: Order) -> Step:
        if not order.certificate:
            raise Garbled("The CA says that the certificate is issued, but not where it is.")
        return Issued(self._client.download(order.certificate), self._journal.forward("issued", order).show())

    def _wait(self, journal: Journal, order: Order) -> Pending:
        journal, retry_at = journal.polled(order.retry_after, self._at)
        return Pending(journal.show(), retry_at)

    def _give_up(self, order: Order) -> Step:
        """Find out why the order failed; one that only ran out of time is followed by another."""
        found = [one for one in map(self._look_if_there, order.authorizations) if one]
        for authorization in found:
            self._take_down(authorization)
        tokens = [challenge.token for authorization in found for challenge in authorization.challenges if challenge.token]
        problems = [problem for authorization in found for problem in _failures(authorization)]
        if not problems and order.error:
            problems = [order.error]
        if problems:
            return verdict(problems, tokens)
        lapsed = any(authorization.status in ("expired", "deactivated", "revoked") for authorization in found)
        if lapsed or (order.expires and order.expires <= self._at):
            return begin_anew(self._journal, "The order expired before it was fulfilled.", self._at)
        return Rejected(ISSUER_ERROR, "The order became invalid, and the CA does not say why.")


def begin_anew(journal: Journal, why: str, at: datetime) -> Pending:
    """Start over: at once the first time, later as a failure that is tried again with patience."""
    anew = journal.begun_anew()
    return Pending(anew.show(), at) if anew.restarts == 1 else Pending(anew.show(), None, failure=why)


def _is_gone(problem: Problem) -> bool:
    """Whether the CA says of an order's URL that there is none, or none of ours."""
    return not problem.passing and (problem.status == NOT_FOUND or problem.kind in ("malformed", "unauthorized"))


def _failures(authorization: Authorization) -> list[Problem]:
    return [
        replace(challenge.error, identifier=challenge.error.identifier or authorization.identifier)
        for challenge in authorization.challenges
        if challenge.error
    ]
