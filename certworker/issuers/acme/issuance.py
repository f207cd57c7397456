"""What an order's status asks for next (RFC 8555 section 7.1.6)."""

import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from certworker.issuers.acme.chains import fetch
from certworker.issuers.acme.client import AcmeClient
from certworker.issuers.acme.journal import Journal
from certworker.issuers.acme.ordering import place
from certworker.issuers.acme.problems import (
    ISSUER_ERROR,
    NOT_FOUND,
    REQUEST_REJECTED,
    AcmeProblem,
    Garbled,
    Problem,
    clean,
    verdict,
)
from certworker.issuers.acme.proofs import Proofs
from certworker.issuers.acme.resources import Authorization, Challenge, Order
from certworker.issuers.acme.solvers import BATCH, DNS_01, Occupied, Proof, Unsolved
from certworker.vault.issuance import IssuanceRequest, Issued, Pending, Rejected, Step

MOST_WITHDRAWN = 20
"""So many authorizations are given up when an order is cancelled; the rest runs out by itself."""

PATIENCE = 3
"""So many times a finalized order may seem to be gone before it is believed."""

POLITE = 8
"""So many looks long another order's proof is not pushed aside: about two minutes."""

VALIDATING = "The CA looks whether it finds the responses to its challenges."
ISSUING = "The CA is issuing the certificate."

Opened = tuple[list[tuple[Authorization, Challenge]], int]
"""What is still to be proven, and how many authorizations were looked at for that."""

SHORTEST_STAY = timedelta(hours=1)
LONGEST_STAY = timedelta(days=7)
"""How long a challenge response is up at the least, should the CA's clock differ, and at the most."""


class Issuance:
    """One issuance at one moment: looks at the order, and takes the one step that its status asks for."""

    def __init__(
        self,
        client: AcmeClient,
        proofs: Proofs,
        request: IssuanceRequest,
        journal: Journal,
        at: datetime,
        preferred_chain: str = "",
    ) -> None:
        self._client = client
        self._proofs = proofs
        self._solver = proofs.solver
        self._request = request
        self._journal = journal
        self._at = at
        self._preferred_chain = preferred_chain

    def go_on(self) -> Step:
        """Take the next step."""
        try:
            return self._next()
        except Occupied as error:
            return self._wait(self._journal, None, str(error))
        except Unsolved as error:
            return Pending(self._journal.show(), None, failure=str(error))

    def withdraw(self) -> None:
        """Give up what is pending of an order that is not wanted any more.

        An order itself cannot be withdrawn; without its authorizations it comes to nothing. Raises as the client does.
        """
        order = self._client.look_at_order(self._journal.order_url)
        for url in order.authorizations[:MOST_WITHDRAWN] if order.status == "pending" else ():
            authorization = self._look_if_there(url)
            if authorization and authorization.status == "pending":
                self._client.deactivate(url)

    def _next(self) -> Step:
        if not self._journal.order_url:
            if unfit := self._unfit():
                return unfit
            order = place(self._client, self._request, self._journal.account_url)
            return Pending(self._journal.forward("ordered", order).show(), self._at)
        try:
            order = self._client.look_at_order(self._journal.order_url)
        except AcmeProblem as error:
            if not _is_gone(error.problem):
                raise
            return self._miss(clean(str(error)))
        except Garbled as error:
            if error.status != NOT_FOUND:
                raise
            return self._miss(str(error))
        return self._after_look(order)

    def _miss(self, why: str) -> Step:
        """Deal with an order that is not there: the CA has none, one of its machines does not know it yet, a proxy is broken.

        An order that may have been finalized is not given up for the first of them.
        """
        if self._journal.step not in ("cleared", "finalized") or self._journal.missing >= PATIENCE:
            return self._begin_anew(why)
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
                return self._await_issuance(order)
            case "valid":
                return self._fetch(order)
            case "invalid" | "deactivated":  # the latter is what Pebble says when an authorization was given up
                return self._give_up(order)
        raise Garbled(f"The CA says that the order is {order.status[:20]!r}, which is no status of ACME.")

    def _prove(self, order: Order) -> Step:
        """Put the next proofs up and answer their challenges; once all are answered, wait for the CA to look at them."""
        if self._journal.answered >= len(order.authorizations):
            return self._wait(self._journal, order, VALIDATING)
        if self._solver.waits:
            if self._journal.presented < len(order.authorizations):
                return self._present(order)
            if self._journal.seen < len(proofs := self._proofs.of_order(order.url)):
                return self._look(order, proofs)
        return self._answer(order)

    def _present(self, order: Order) -> Step:
        """Put the next proofs up where they are seen only later; nothing is answered before all of them are seen."""
        done = self._journal.presented
        urls = order.authorizations[done : done + self._solver.batch]
        if isinstance(opened := self._open_challenges(urls, order), Rejected | Pending):
            return opened
        found, looked_at = opened
        self._put_up(found, order)
        journal = replace(self._journal.forward("presented", order), presented=done + looked_at)
        if journal.presented == len(order.authorizations):
            journal = replace(journal, presented_at=int(self._at.timestamp()))
        return Pending(journal.show(), self._at)

    def _look(self, order: Order, proofs: Sequence[Proof]) -> Step:
        """Look whether the next proofs are seen; what is not seen for too long is a failure that is told."""
        for proof in proofs[self._journal.seen : self._journal.seen + self._solver.batch]:
            if why := self._solver.unseen(proof):
                waited = self._at.timestamp() - self._journal.presented_at
                if waited > self._solver.patience_seconds:
                    why = f"{why} That has been so for {timedelta(seconds=int(waited))}."
                    return Pending(self._journal.show(), None, failure=why)
                return self._wait(self._journal, None, why)
        seen = min(self._journal.seen + self._solver.batch, len(proofs))
        return Pending(replace(self._journal.forward("presented", order), seen=seen).show(), self._at)

    def _answer(self, order: Order) -> Step:
        done = self._journal.answered
        urls = order.authorizations[done : done + BATCH]
        if isinstance(opened := self._open_challenges(urls, order), Rejected | Pending):
            return opened
        found, looked_at = opened
        if not self._solver.waits:
            self._put_up(found, order)
        for _, challenge in found:
            if challenge.status == "pending":
                self._tell(challenge)
        answered = done + looked_at
        if answered < len(order.authorizations):
            return Pending(replace(self._journal.forward("ordered", order), answered=answered).show(), self._at)
        return self._wait(replace(self._journal.forward("answered", order), answered=answered), order, VALIDATING)

    def _open_challenges(self, urls: Sequence[str], order: Order) -> Opened | Rejected | Pending:
        """Read authorizations, fewer of a slow CA; give the challenges that are still to be proven, or what ends the order."""
        found, looked_at = list[tuple[Authorization, Challenge]](), 0
        for url in urls:
            looked_at += 1
            authorization = self._client.look_at_authorization(url)
            if not self._is_ordered(authorization.identifier):
                raise Garbled(f"The CA asks to prove control of {authorization.identifier[:100]!r}, which was not ordered.")
            if authorization.status not in ("valid", "pending"):
                return self._give_up(order)
            if authorization.status == "pending":
                challenge = authorization.challenge(self._solver.kind)
                if challenge is None:
                    return self._not_offered(authorization)
                if challenge.status == "invalid":
                    return verdict(_failures(authorization), [challenge.token])
                found.append((authorization, challenge))
            if self._client.is_slow:
                break
        return found, looked_at

    def _put_up(self, found: Sequence[tuple[Authorization, Challenge]], order: Order) -> None:
        proofs = [
            (
                Proof(
                    self._solver.kind,
                    order.url,
                    authorization.identifier,
                    challenge.token,
                    self._client.key_authorization(challenge),
                ),
                self._stay(authorization),
            )
            for authorization, challenge in found
        ]
        self._proofs.put_up(proofs, self._at, insist=self._journal.polls >= POLITE)

    def _not_offered(self, authorization: Authorization) -> Rejected:
        offered = ", ".join(sorted({other.kind for other in authorization.challenges})) or "none"
        text = f"The CA offers no {self._solver.kind} challenge for {authorization.identifier}, only: {offered}."
        return Rejected(REQUEST_REJECTED, clean(text), configuration=True)

    def _is_ordered(self, identifier: str) -> bool:
        """Whether the order is for it, or for a name below it (RFC 9444 section 4): nothing else is put up."""
        wanted = _plain(identifier)
        names = [_plain(name.removeprefix("*.")) for name in self._request.names]
        return any(wanted == name or (not _is_address(name) and name.endswith(f".{wanted}")) for name in names)

    def _unfit(self) -> Rejected | None:
        """Tell which name cannot be proven by this type of challenge at all."""
        for name in self._request.names:
            if name.startswith("*.") and self._solver.kind != DNS_01:
                text = f"The wildcard {name} can be proven by {DNS_01} only"
            elif self._solver.kind == DNS_01 and _is_address(name):
                text = f"The address {name} cannot be proven by {DNS_01}, only by http-01 or tls-alpn-01"
            else:
                continue
            text = f"{text}, and the issuer {self._request.issuer} has the challenge {self._solver.kind}."
            return Rejected(REQUEST_REJECTED, text, configuration=True)
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
        """Take down the proofs that were looked at. One that does not go is tried again at the end; it holds nothing up."""
        answered = self._journal.answered
        before = self._journal.cleared + self._solver.batch
        cleared = before if self._proofs.take_down(self._at) and before < answered else answered
        return Pending(replace(self._journal.forward("cleared", order), cleared=cleared).show(), self._at)

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
            return self._wait(self._journal, order, VALIDATING)
        if order.status == "valid":
            return Pending(self._journal.forward("finalized", order).show(), self._at)
        return self._wait(self._finalized(order), order, ISSUING)

    def _await_issuance(self, order: Order) -> Step:
        if order.expires and order.expires <= self._at:
            # whoever waited on would wait for ever; should it be issued after all, it is for a key that nobody uses
            return self._reject("The CA did not issue before the order expired.")
        return self._wait(self._finalized(order), order, ISSUING)

    def _finalized(self, order: Order) -> Journal:
        return self._journal if self._journal.step == "finalized" else self._journal.forward("finalized", order)

    def _fetch(self, order: Order) -> Step:
        if not order.certificate:
            raise Garbled("The CA says that the certificate is issued, but not where it is.")
        try:
            chain, warnings = fetch(self._client, order.certificate, self._preferred_chain)
        except (AcmeProblem, Garbled) as error:
            return self._miss_certificate(error)
        self._proofs.take_all_down(self._at)
        return Issued(chain, self._journal.forward("issued", order).show(), warnings)

    def _miss_certificate(self, error: AcmeProblem | Garbled) -> Step:
        """Deal with something else in a certificate's place: a broken proxy's, or a slow machine's, for a while.

        Another order could end in a second certificate for one issuance: the operation ends, and the next one orders anew.
        """
        if _is_of_no_certificate(error):
            raise error
        if self._journal.missing < PATIENCE:
            journal = replace(self._journal, missing=self._journal.missing + 1)
            return Pending(journal.show(), None, failure=clean(str(error)))
        return self._reject(f"{clean(str(error))} It was fetched {PATIENCE + 1} times.")

    def _reject(self, why: str) -> Rejected:
        """Give up an order that was finalized."""
        self._proofs.take_all_down(self._at)
        return Rejected(ISSUER_ERROR, why, certified=True)

    def _wait(self, journal: Journal, order: Order | None, why: str) -> Pending:
        journal, retry_at = journal.polled(order.retry_after if order else None, self._at)
        return Pending(journal.show(), retry_at, waits_for=why)

    def _begin_anew(self, why: str) -> Pending:
        self._proofs.take_all_down(self._at)
        return begin_anew(self._journal, why, self._at)

    def _give_up(self, order: Order) -> Rejected | Pending:
        """Find out why the order failed; one that only ran out of time is followed by another."""
        found = []
        for url in order.authorizations:
            if authorization := self._look_if_there(url):
                found.append(authorization)
            if self._client.is_slow:
                break
        tokens = [challenge.token for authorization in found for challenge in authorization.challenges if challenge.token]
        problems = [problem for authorization in found for problem in _failures(authorization)]
        if not problems and order.error:
            problems = [order.error]
        if problems:
            return verdict(problems, tokens)
        lapsed = any(authorization.status in ("expired", "deactivated", "revoked") for authorization in found)
        if lapsed or (order.expires and order.expires <= self._at):
            return self._begin_anew("The order expired before it was fulfilled.")
        return Rejected(ISSUER_ERROR, "The order became invalid, and the CA does not say why.")


def begin_anew(journal: Journal, why: str, at: datetime) -> Pending:
    """Start over: at once the first time, later as a failure that is tried again with patience."""
    anew = journal.begun_anew()
    return Pending(anew.show(), at) if anew.restarts == 1 else Pending(anew.show(), None, failure=why)


def _is_gone(problem: Problem) -> bool:
    """Whether the CA says of an order's URL that there is none, or none of ours."""
    return not problem.passing and (problem.status == NOT_FOUND or problem.kind in ("malformed", "unauthorized"))


def _is_of_no_certificate(error: AcmeProblem | Garbled) -> bool:
    """Whether an answer tells of the CA's own trouble, or of the account."""
    if isinstance(error, AcmeProblem):
        return error.problem.passing or error.problem.kind == "accountDoesNotExist"
    return bool(error.status)


def _plain(name: str) -> str:
    """Give a name as it is compared; an address in its shortest form."""
    return str(ipaddress.ip_address(name)) if _is_address(name) else name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _failures(authorization: Authorization) -> list[Problem]:
    return [
        replace(challenge.error, identifier=challenge.error.identifier or authorization.identifier)
        for challenge in authorization.challenges
        if challenge.error
    ]
