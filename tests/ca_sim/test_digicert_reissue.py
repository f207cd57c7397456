"""Reissues at the API in the style of DigiCert: how long they last, when they are refused, and what they leave as it is."""

import asyncio

import pytest
from starlette.types import Message

from ca_sim.digicert.wire import Reissue
from ca_sim.faults.rules import FaultKind
from ca_sim.planes import PlaneName
from tests.ca_sim.certcentral import KEY, CertCentral, cert_central, certificate_part, document, error_code, order_body

DAY = 86_400
BODY = {"certificate": certificate_part("www.example.com"), "skip_approval": True}


def certificate_of(api: CertCentral, order_id: int) -> dict[str, object]:
    """Give what an order tells of its certificate."""
    found: dict[str, object] = api.read(f"/order/certificate/{order_id}")["certificate"]
    return found


def test_a_reissue_ends_with_its_order() -> None:
    """However late it is asked for, a reissue does not make the order last longer."""
    with cert_central() as api:
        order_id = api.order(order_validity={"days": 90})
        end = certificate_of(api, order_id)["valid_till"]
        for _ in range(2):
            api.time.wait(30 * DAY)
            document(api.ask("POST", f"/order/certificate/{order_id}/reissue", BODY), 201)
            assert certificate_of(api, order_id)["valid_till"] == end


@pytest.mark.parametrize("over", ["expired", "revoked"])
def test_what_is_over_is_not_reissued(over: str) -> None:
    """An expired or revoked order stays so."""
    with cert_central() as api:
        order_id = api.order(order_validity={"days": 1})
        if over == "expired":
            api.time.wait(2 * DAY)
        else:
            assert api.ask("PUT", f"/certificate/{certificate_of(api, order_id)['id']}/revoke").status == 204
        assert error_code(api.ask("POST", f"/order/certificate/{order_id}/reissue", BODY), 400) == "invalid_order_status"
        assert api.status(order_id) == over


def test_a_reissue_that_fails_leaves_the_certificate_that_was_there() -> None:
    """What cannot be issued in the end is taken back: the order is still issued, with its first certificate."""
    with cert_central() as api:
        order_id = api.order()
        first = certificate_of(api, order_id)["id"]
        api.arm(FaultKind.CLOCK_SKEW, count=1, seconds=100 * DAY)
        document(api.ask("POST", f"/order/certificate/{order_id}/reissue", BODY), 201)
        assert api.status(order_id) == "issued"
        assert certificate_of(api, order_id)["id"] == first
        assert api.ask("GET", f"/certificate/{first}/download/format/pem_all").status == 200


def test_a_slow_body_does_not_undo_what_was_done_meanwhile() -> None:
    """A reissue between the head and the body of a request to revoke is kept, and so is the request."""
    with cert_central(revocation_approval=True) as api:
        order_id = api.order()
        first = certificate_of(api, order_id)["id"]

        async def receive() -> Message:
            api.authority.house.digicert.orders.reissue("1000001", order_id, Reissue.model_validate(BODY))
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Message) -> None:
            assert message.get("status", 201) == 201, message

        path = f"/services/v2/certificate/{first}/revoke"
        headers = [(b"x-dc-devkey", KEY.encode()), (b"host", b"localhost")]
        scope = {"type": "http", "method": "PUT", "path": path, "headers": headers, "query_string": b"", "root_path": ""}

        async def ask() -> None:
            await api.authority.house.planes[PlaneName.DIGICERT].app(scope, receive, send)

        asyncio.run(ask())
        shown = api.read(f"/order/certificate/{order_id}")
        assert shown["certificate"]["id"] != first
        assert [one["type"] for one in shown["requests"]] == ["new_request", "reissue", "revoke"]


def test_a_name_too_many_is_refused_at_once() -> None:
    """What the authority would not sign is no order: as many names as a product takes are issued, one more is refused."""
    with cert_central() as api:
        most = api.read("/product/ssl_multi_domain")["max_domains"]
        names = [f"host{number}.example.com" for number in range(most + 1)]
        answer = api.ask("POST", "/order/certificate/ssl_multi_domain", order_body(*names))
        assert error_code(answer, 400) == "too_many_dns_names"
        placed = document(api.ask("POST", "/order/certificate/ssl_multi_domain", order_body(*names[:-1])), 201)
        assert api.status(placed["id"]) == "issued"


def test_a_reissue_that_waits_for_its_approval_is_not_released() -> None:
    """Only an approval lets it be issued, once; a rejection leaves the certificate that was there."""
    with cert_central(approval=True) as api:
        order_id = api.order()
        first = certificate_of(api, order_id)["id"]
        for word, changes in (("approve", True), ("reject", False)):
            before = certificate_of(api, order_id)["id"]
            api.ask("POST", f"/order/certificate/{order_id}/reissue", BODY | {"skip_approval": False})
            assert api.status(order_id) == "reissue_pending"
            assert api.manage(f"/digicert/orders/{order_id}/release").status == 400
            assert api.manage(f"/digicert/orders/{order_id}/{word}").status == 200
            assert api.status(order_id) == "issued"
            assert (certificate_of(api, order_id)["id"] != before) is changes
        assert api.ask("GET", f"/certificate/{first}/download/format/pem_all").status == 200
