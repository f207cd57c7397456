"""One issuance at one moment: places the order, or finds the one that may be out, and follows it to its certificate.

The Services API has no key by which an order is placed only once. So it is recorded before the order goes out, and whoever
goes on from there without knowing what came of it looks for the order first, with patience: the CA's lists lag behind.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from certworker.errors import CertworkerError
from certworker.issuers.digicert.attempts import Attempts
from certworker.issuers.digicert.client import PAGE, DigicertClient, Unreadable, read_chain
from certworker.issuers.digicert.journal import Journal
from certworker.issuers.digicert.ordering import (
    DigicertIssuerSettings,
    common_name_of,
    is_ours,
    order_body,
    organization_of,
    product_of,
)
from certworker.issuers.digicert.resources import Listed, OrderInfo
from certworker.issuers.rest import TROUBLES, Refused, earliest, trouble_of
from certworker.issuers.wording import ISSUER_ERROR, REQUEST_REJECTED, Garbled, clean
from certworker.vault.issuance import IssuanceRequest, Issued, Pending, Rejected, Step

UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
SETTLING = timedelta(minutes=5)
"""An order that is placed is in the CA's lists by then: what is not found later was not placed."""
SKEW = timedelta(hours=1)
"""The CA's clock may be so much behind."""
MOST_ATTEMPTS = 3
"""So many times an order is announced and then not known of; after that the last look must do."""
PATIENCE = 3
"""So many times an order may seem to be gone, or its certificate not to be one, before that is believed."""
LATE = 20
"""So many looks later a certificate that cannot be downloaded is a failure that is told."""

WAITS = {
    "needs_approval": "The order {order} waits for its approval at the CA.",
    "pending": "The order {order} is pending: the CA validates the organization or the control of the domains.",
    "processing": "The CA is issuing the certificate of the order {order}.",
    "reissue_pending": "The CA is issuing the certificate of the order {order}.",
    "waiting_pickup": "The order {order} waits at the CA to be picked up.",
}
ENDS = {
    "rejected": REQUEST_REJECTED,
    "denied": REQUEST_REJECTED,
    "canceled": REQUEST_REJECTED,
    "expired": ISSUER_ERROR,
    "revoked": ISSUER_ERROR,
}
CERTIFIED = frozenset({"expired", "revoked"})
CANCELLABLE = frozenset({"needs_approval", "pending", "processing"})


class Issuance:
    """Takes the one step that is next. Raises TROUBLES and Refused where the CA does not answer as it should."""

    def __init__(
        self,
        client: DigicertClient,
        request: IssuanceRequest,
        settings: DigicertIssuerSettings,
        journal: Journal,
        attempts: Attempts,
        at: datetime,
    ) -> None:
        self._client = client
        self._request = request
        self._settings = settings
        self._journal = journal
        self._attempts = attempts
        self._at = at

    def go_on(self) -> Step:
        """Take the next step."""
        match self._journal.step:
            case "ordered":
                return self._look()
            case "issued":
                return self._download()
            case "ordering":
                return self._place() if self._may_place() else self._find_out()
        return self._announce()

    def search(self) -> Pending | OrderInfo | None:
        """Look for the order that may be out, one exchange at a time.

        Pending where there is more to look at, or it is too early to know; none once it is certain that there is none.
        """
        candidates = [one for one in self._journal.candidates.split(",") if one]
        if candidates:
            order = self._look_at(candidates[0])
            if order is not None and is_ours(order, self._request):
                return order
            return self._go_on_searching(candidates[1:], self._journal.offset)
        offset = self._journal.offset
        page = self._client.find_orders(common_name_of(self._request), offset)
        recent = [one for one in page if self._is_recent(one)]
        more = offset + PAGE if page and len(recent) == len(page) >= PAGE else 0
        return self._go_on_searching([one.order_id for one in recent], more)

    def _find_out(self) -> Step:
        found = self.search()
        if isinstance(found, OrderInfo):
            self._journal = self._journal.ordered(found.order_id)
            return self._after_look(found)
        return found or self._place_again()

    def _may_place(self) -> bool:
        return self._attempts.take(self._request.operation_id, self._journal.attempts, self._at)

    def _announce(self) -> Pending:
        journal = self._journal.ordering(self._at)
        self._attempts.announce(self._request.operation_id, journal.attempts, self._at)
        return Pending(journal.show(), self._at)

    def _place(self) -> Step:
        body = order_body(self._request, self._settings, self._at)
        product = product_of(self._request, self._settings)
        try:
            placed = self._client.place(product, body)
        except Refused as error:
            return self._not_placed(error)
        except TROUBLES as error:
            return self._lost(error)
        journal = self._journal.ordered(placed.order_id)
        if placed.chain:
            try:
                return Issued(read_chain(placed.chain.encode()), journal.show())
            except Unreadable:
                pass  # the order tells where the certificate can be had
        return Pending(journal.show(), self._at)

    def _lost(self, error: CertworkerError) -> Pending:
        """Note that an order may be out of which nothing is known."""
        return Pending(
            self._journal.lost(self._at).show(),
            earliest(error, self._at),
            failure=self._client.told(error),
            trouble=trouble_of(error),
        )

    def _not_placed(self, error: Refused) -> Step:
        if not error.unheard:
            return self._lost(error)
        text = self._client.told(error)
        if error.passing:
            return Pending(
                Journal(since=self._journal.since).show(), earliest(error, self._at), failure=text, trouble=trouble_of(error)
            )
        if error.status in (UNAUTHORIZED, FORBIDDEN):
            return Rejected(ISSUER_ERROR, text, configuration=True)
        if not organization_of(self._request):
            text += " The issuer's record has no organization (org_details.id)."
        return Rejected(REQUEST_REJECTED, text, configuration=True)

    def _is_recent(self, listed: Listed) -> bool:
        return listed.created is None or listed.created >= self._journal.since_at - SKEW

    def _look_at(self, order_id: str) -> OrderInfo | None:
        try:
            return self._client.look(order_id)
        except Refused as error:
            if error.status in (FORBIDDEN, NOT_FOUND):
                return None
            raise

    def _go_on_searching(self, candidates: list[str], offset: int) -> Pending | None:
        journal = self._journal.looked(candidates, offset)
        if candidates or offset:
            return Pending(journal.show(), self._at)
        settled = journal.begun_at + SETTLING
        if self._at < settled:
            text = "What came of the order is not known; the CA's list is looked through until it must be in it."
            return Pending(journal.show(), settled, waits_for=text)
        return None

    def _place_again(self) -> Step:
        """Order anew: nothing is out. It is recorded first, unless every process that records it ends before it goes on."""
        if self._journal.attempts < MOST_ATTEMPTS:
            return self._announce()
        return self._place()

    def _look(self) -> Step:
        try:
            order = self._client.look(self._journal.order_id)
        except Refused as error:
            return self._missed(error) if error.status == NOT_FOUND else self._failed(error)
        return self._after_look(order)

    def _missed(self, error: Refused) -> Step:
        """Deal with an order that is not there: not yet on all of the CA's machines, or gone."""
        if self._journal.missing >= PATIENCE:
            text = f"The order {self._journal.order_id} is gone: {self._client.told(error)}"
            return Rejected(ISSUER_ERROR, text, certified=True)
        journal = replace(self._journal, missing=self._journal.missing + 1)
        return Pending(journal.show(), None, failure=self._client.told(error))

    def _failed(self, error: CertworkerError) -> Pending:
        """Keep an order that was paid for: who mends the key, or the network, has its certificate."""
        return Pending(
            self._journal.show(), earliest(error, self._at), failure=self._client.told(error), trouble=trouble_of(error)
        )

    def _after_look(self, order: OrderInfo) -> Step:
        if order.status == "issued":
            if not order.certificate_id:
                raise Garbled(f"The CA says that the order {order.order_id} is issued, but not what its certificate is.")
            return Pending(self._journal.issued(order.certificate_id).show(), self._at)
        if order.status in WAITS:
            return self._wait(WAITS[order.status].format(order=order.order_id), order.retry_after)
        if order.status in ENDS:
            said = f": {clean('; '.join(dict.fromkeys(order.reasons)))}" if order.reasons else ", and the CA does not say why"
            text = f"The order {order.order_id} is {order.status}{said}."
            return Rejected(ENDS[order.status], text, certified=order.status in CERTIFIED)
        raise Garbled(f"The CA says that the order {order.order_id} is {order.status!r}, which is no status that is known.")

    def _download(self) -> Step:
        try:
            chain = self._client.download(self._journal.certificate_id)
        except Refused as error:
            if error.status != NOT_FOUND or self._journal.polls >= LATE:
                return self._failed(error)
            return self._wait("The certificate is issued, and the CA does not have it ready yet.", error.retry_header)
        except Unreadable as error:
            return self._unreadable(error)
        return Issued(chain, self._journal.show())

    def _unreadable(self, error: Unreadable) -> Step:
        if self._journal.unreadable >= PATIENCE:
            text = f"{error} The order {self._journal.order_id} is left as it is."
            return Rejected(ISSUER_ERROR, text, certified=True)
        journal = replace(self._journal, unreadable=self._journal.unreadable + 1)
        return Pending(journal.show(), None, failure=str(error))

    def _wait(self, why: str, retry_after: str | None) -> Pending:
        journal, retry_at = self._journal.polled(retry_after, self._at)
        return Pending(journal.show(), retry_at, waits_for=why)
