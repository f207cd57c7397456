"""Where orders are kept: documents of the book, and which order a certificate or a request belongs to."""

from ca_sim.book import Book
from ca_sim.digicert.objects import Order

ORDERS = "digicert.order"
PARTS = "digicert.part"
COUNTER = "digicert.counter"
FIRST_ID = 100_001


class Shelf:
    """The orders of all accounts. Write inside a transaction of the book."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def new_ids(self, count: int) -> range:
        """Take ids that nothing else has: orders, requests and certificates are numbered together."""
        first = int(self._book.document(COUNTER, "next") or FIRST_ID)
        self._book.put_document(COUNTER, "next", str(first + count))
        return range(first, first + count)

    def put(self, order: Order) -> None:
        """Write an order, new or changed."""
        self._book.put_document(ORDERS, str(order.id), order.model_dump_json(), key=order.account_id)
        for part_id in (*(one.id for one in order.certificates), *(one.id for one in order.requests)):
            if self._book.document(PARTS, str(part_id)) is None:
                self._book.put_document(PARTS, str(part_id), str(order.id))

    def order(self, order_id: str) -> Order | None:
        """Find an order."""
        body = self._book.document(ORDERS, order_id)
        return None if body is None else Order.model_validate_json(body)

    def order_of(self, part_id: int) -> Order | None:
        """Find the order of a certificate or a request."""
        order_id = self._book.document(PARTS, str(part_id))
        return None if order_id is None else self.order(order_id)

    def orders(self, account_id: str | None = None) -> list[Order]:
        """List the orders of an account, or of all, oldest first."""
        return [Order.model_validate_json(body) for _, body in self._book.documents(ORDERS, key=account_id)]
