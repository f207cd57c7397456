"""The API in the style of DigiCert CertCentral: orders, holds, deliveries, and what it refuses."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from ca_sim.digicert.api import place
from ca_sim.faults.rules import FaultKind
from ca_sim.in_process import NoAnswerError, in_process
from ca_sim.settings import SettingsError, read
from tests.ca_sim.certcentral import (
    OTHER_KEY,
    CertCentral,
    Time,
    cert_central,
    certificate_part,
    document,
    error_code,
    order_body,
)


def issued_id(api: CertCentral, order_id: int) -> int:
    """Give the id of an order's certificate."""
    found = api.read(f"/order/certificate/{order_id}")
    assert found["status"] == "issued"
    return int(found["certificate"]["id"])


def downloaded(api: CertCentral, certificate_id: int) -> list[x509.Certificate]:
    """Download a certificate with its chain and root."""
    answer = api.ask("GET", f"/certificate/{certificate_id}/download/format/pem_all")
    assert answer.status == 200, answer
    return x509.load_pem_x509_certificates(answer.body)


def test_an_order_is_issued_and_downloaded() -> None:
    """What was ordered comes with its chain up to the root, for its names and in the organization's name."""
    with cert_central() as api:
        names = ("www.example.com", "example.com", "*.example.com")
        body = order_body(certificate=certificate_part(*names), comments="a word to the approver", dcv_method="dns-txt-token")
        order = document(api.ask("POST", "/order/certificate/ssl_basic", body), 201)
        assert set(order) == {"id", "requests"}
        shown = api.read(f"/order/certificate/{order['id']}")
        assert shown["requests"][0]["comments"] == "a word to the approver"
        assert shown["certificate"]["csr"] == body["certificate"]["csr"]
        leaf, intermediate, root = downloaded(api, issued_id(api, order["id"]))
        leaf.verify_directly_issued_by(intermediate)
        intermediate.verify_directly_issued_by(root)
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert set(found.get_values_for_type(x509.DNSName)) == set(names)
        (organization,) = leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        assert organization.value == "Example Organization"
        assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=90)
        serial = f"{leaf.serial_number:x}"
        assert api.read(f"/order/certificate/{serial}")["id"] == order["id"]


def test_issuance_downloads_and_lists_lag_behind() -> None:
    """An order is processing for its time; then its certificate cannot be downloaded yet, nor is it in lists at first."""
    with cert_central(issue_seconds=60, download_lag_seconds=30, list_lag_seconds=20) as api:
        order_id = api.order()
        assert api.status(order_id) == "processing"
        assert api.read("/order/certificate")["orders"] == []
        api.time.wait(20)
        assert [one["id"] for one in api.read("/order/certificate")["orders"]] == [order_id]
        api.time.wait(40)
        certificate_id = issued_id(api, order_id)
        path = f"/certificate/{certificate_id}/download/format/pem_all"
        assert error_code(api.ask("GET", path), 404) == "not_found"
        api.time.wait(30)
        assert len(downloaded(api, certificate_id)) == 3


def test_what_is_issued_at_once_comes_with_the_answer() -> None:
    """Where that is set, the answer to an order has the certificate's id and chain, the leaf first."""
    with cert_central(issue_at_once=True) as api:
        order = document(api.ask("POST", "/order/certificate/ssl_basic", order_body()), 201)
        chain = order["certificate_chain"]
        assert [set(one) for one in chain] == [{"subject_common_name", "pem"}] * 3
        assert chain[0]["subject_common_name"] == "www.example.com"
        assert downloaded(api, order["certificate_id"]) == [
            x509.load_pem_x509_certificate(one["pem"].encode()) for one in chain
        ]


@pytest.mark.parametrize(
    ("product", "asked", "days"),
    [
        ("ssl_basic", {"days": 825}, 199),
        ("ssl_plus", {"years": 1}, 199),
        ("private_ssl_plus", {"years": 1}, 365),
        ("private_ssl_plus", {"years": 6}, 1095),
    ],
)
def test_the_validity_is_shortened_without_a_word(product: str, asked: dict[str, int], days: int) -> None:
    """No certificate lives longer than its product allows, whatever was ordered."""
    with cert_central() as api:
        leaf = downloaded(api, issued_id(api, api.order(product, order_validity=asked)))[0]
        assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=days)


def test_a_certificate_can_end_on_a_day() -> None:
    """A custom expiration date is kept where the product allows it."""
    with cert_central() as api:
        order_id = api.order(order_validity=None, custom_expiration_date="2026-07-31")
        leaf = downloaded(api, issued_id(api, order_id))[0]
        assert leaf.not_valid_after_utc.isoformat() == "2026-07-31T23:59:59+00:00"


@pytest.mark.parametrize(
    "settings", [{"approval": True}, {"approval_products": ["ssl_basic"]}, {"approval_products": ["*"]}, {"approval_rate": 1.0}]
)
def test_an_order_waits_for_its_approval(settings: dict[str, object]) -> None:
    """A held order is issued once it is approved, and nobody decides twice."""
    with cert_central(**settings) as api:
        order_id = api.order(skip_approval=False)
        assert api.status(order_id) == "needs_approval"
        assert api.manage(f"/digicert/orders/{order_id}/approve").status == 200
        assert api.status(order_id) == "issued"
        assert api.manage(f"/digicert/orders/{order_id}/approve").status == 400


def test_who_may_skips_the_approval() -> None:
    """Where orders wait for approval, skip_approval lets one through, unless its product is held anyway."""
    with cert_central(approval=True, approval_products=["ssl_plus"]) as api:
        assert api.status(api.order()) == "issued"
        assert api.status(api.order("ssl_plus")) == "needs_approval"


def test_the_same_part_of_orders_is_held_every_time() -> None:
    """A rate holds some orders up, the same ones for the same seed."""

    def held(seed: int) -> list[str]:
        with cert_central(approval_rate=0.5, approval_seed=seed) as api:
            return [api.status(api.order()) for _ in range(12)]

    assert held(1) == held(1) != held(2)
    assert set(held(1)) == {"issued", "needs_approval"}


def test_an_order_is_rejected_with_a_reason() -> None:
    """What an administrator says of a rejection is in the order."""
    with cert_central(approval_products=["*"]) as api:
        order_id = api.order()
        request_id = api.read(f"/order/certificate/{order_id}")["requests"][0]["id"]
        decision = {"status": "rejected", "processor_comment": "not this one"}
        assert api.ask("PUT", f"/request/{request_id}/status", decision).status == 204
        shown = api.read(f"/order/certificate/{order_id}")
        assert (shown["status"], shown["requests"][0]["processor_comment"]) == ("rejected", "not this one")
        assert error_code(api.ask("PUT", f"/request/{request_id}/status", decision), 400) == "request_already_processed"


@pytest.mark.parametrize(("kind", "word"), [(FaultKind.CAA, "caa"), (FaultKind.VALIDATION, "dcv")])
def test_an_order_is_pending_while_a_domain_is_held(kind: FaultKind, word: str) -> None:
    """A hold for CAA or for the control of a domain ends with its time, or when it is released."""
    with cert_central() as api:
        api.arm(kind, seconds=100, count=1)
        order_id = api.order()
        assert api.status(order_id) == "pending"
        assert api.read(f"/order/certificate/{order_id}")["pending_for"] == word
        api.time.wait(100)
        assert api.status(order_id) == "issued"
        api.arm(kind, count=1)
        for_good = api.order()
        api.time.wait(10**7)
        assert api.status(for_good) == "pending"
        assert api.manage(f"/digicert/orders/{for_good}/release").status == 200
        assert api.status(for_good) == "issued"


def test_an_order_can_be_denied_by_the_authority() -> None:
    """Who validates can deny what is pending, and not what is issued."""
    with cert_central() as api:
        api.arm(FaultKind.STUCK, count=1)
        order_id = api.order()
        assert api.manage(f"/digicert/orders/{order_id}/deny", {"comment": "no such company"}).status == 200
        shown = api.read(f"/order/certificate/{order_id}")
        assert (shown["status"], shown["notes"]) == ("denied", [{"text": "no such company"}])
        assert api.manage(f"/digicert/orders/{api.order()}/deny").status == 400
        assert api.manage("/digicert/orders/1/deny").status == 404
        assert api.manage(f"/digicert/orders/{order_id}/burn").status == 404


def test_an_order_is_cancelled_only_while_it_is_pending() -> None:
    """A pending order is cancelled once; an issued one is not, and an approval that comes too late changes nothing."""
    with cert_central(approval_products=["ssl_plus"]) as api:
        order_id = api.order("ssl_plus")
        body = {"status": "CANCELED", "note": "not wanted any more"}
        assert error_code(api.ask("PUT", f"/order/certificate/{order_id}/status", {"status": "ISSUED"}), 400)
        assert api.ask("PUT", f"/order/certificate/{order_id}/status", body).status == 204
        assert api.status(order_id) == "canceled"
        assert api.manage(f"/digicert/orders/{order_id}/approve").status == 400
        for ended in (order_id, api.order()):
            assert error_code(api.ask("PUT", f"/order/certificate/{ended}/status", body), 400) == "invalid_order_status"


def test_an_order_is_reissued_under_its_id() -> None:
    """A reissue is another certificate of the same order, for its own key and names."""
    with cert_central(issue_seconds=10) as api:
        order_id = api.order()
        path = f"/order/certificate/{order_id}/reissue"
        body = {"certificate": certificate_part("www.example.com", "more.example.com")}
        assert error_code(api.ask("POST", path, body), 400) == "invalid_order_status"
        api.time.wait(10)
        first = issued_id(api, order_id)
        assert document(api.ask("POST", path, body), 201)["id"] == order_id
        assert api.status(order_id) == "reissue_pending"
        api.time.wait(10)
        second = issued_id(api, order_id)
        assert second != first
        before, after = (downloaded(api, one)[0] for one in (first, second))
        assert before.public_key() != after.public_key()


def test_a_certificate_is_revoked_by_its_subscriber() -> None:
    """A revocation is done at once, for a reason of a subscriber, and not twice."""
    with cert_central() as api:
        order_id = api.order()
        certificate_id = issued_id(api, order_id)
        path = f"/certificate/{certificate_id}/revoke"
        assert error_code(api.ask("PUT", path, {"revocation_reason": "ca_compromise"}), 400) == "invalid_request"
        assert api.ask("PUT", path, {"revocation_reason": "superseded"}).status == 204
        assert api.status(order_id) == "revoked"
        assert error_code(api.ask("PUT", path), 400) == "certificate_already_revoked"
        serial = api.read(f"/order/certificate/{order_id}")["certificate"]["serial_number"]
        certificate = api.authority.house.certificates.find(serial)
        assert (certificate.reason, certificate.api) == (4, "digicert")


def test_a_revocation_can_wait_for_an_approval() -> None:
    """Where that is set, a revocation is a request, the same one however often it is asked for."""
    with cert_central(revocation_approval=True) as api:
        order_id = api.order()
        path = f"/certificate/{issued_id(api, order_id)}/revoke"
        first = document(api.ask("PUT", path, {}), 201)
        assert (first["type"], first["status"]) == ("revoke", "pending")
        assert document(api.ask("PUT", path, {}), 201)["id"] == first["id"]
        assert api.status(order_id) == "issued"
        assert api.ask("PUT", f"/request/{first['id']}/status", {"status": "approved"}).status == 204
        assert api.status(order_id) == "revoked"


def test_a_list_is_filtered_sorted_and_paged() -> None:
    """Orders are found by name, status, product and serial number, newest first, a page at a time; two alike are two."""
    with cert_central() as api:
        first, second = api.order(), api.order()
        third = api.order("ssl_plus", certificate=certificate_part("other.example.com"))

        def ids(query: str) -> list[int]:
            return [one["id"] for one in api.read(f"/order/certificate?{query}")["orders"]]

        assert ids("filters%5Bcommon_name%5D=www.example.com") == [second, first]
        assert ids("filters[product_name_id]=ssl_plus&filters[status]=issued") == [third]
        assert ids("sort=order_id&limit=2") == [first, second]
        assert ids("sort=order_id&limit=2&offset=2") == [third]
        serial = api.read(f"/order/certificate/{second}")["certificate"]["serial_number"]
        assert ids(f"filters[serial_number]={serial}") == [second]
        assert api.read("/order/certificate?limit=1")["page"] == {"total": 3, "limit": 1, "offset": 0}
        for query in ("filters[comments]=x", "sort=price", "limit=-1", "offset=x"):
            assert error_code(api.ask("GET", f"/order/certificate?{query}"), 400) == "invalid_request"
        api.key = OTHER_KEY
        assert ids("") == []


@pytest.mark.parametrize(
    ("product", "changed", "code"),
    [
        ("ssl_basic", {"certificate": None}, "invalid_request"),
        ("ssl_basic", {"certificate": certificate_part("a.test", csr=None)}, "invalid_request"),
        ("ssl_basic", {"certificate": certificate_part("a.test", csr="nothing")}, "invalid_csr"),
        ("ssl_basic", {"certificate": certificate_part("a.test", signature_hash="md5")}, "invalid_request"),
        ("ssl_basic", {"certificate": certificate_part("not a name")}, "invalid_dns_name"),
        ("ssl_basic", {"certificate": certificate_part("www.blocked.test")}, "invalid_dns_name"),
        ("ssl_basic", {"certificate": certificate_part("a" * 60 + ".test")}, "invalid_request"),
        ("ssl_basic", {"certificate": certificate_part("10.0.0.1", csr=certificate_part("a.test")["csr"])}, "invalid_dns_name"),
        ("ssl_plus", {"certificate": certificate_part("*.a.test")}, "invalid_dns_name"),
        ("ssl_plus", {"certificate": certificate_part("a.test", "b.test", "c.test")}, "too_many_dns_names"),
        ("ssl_basic", {"organization": None}, "invalid_request"),
        ("ssl_basic", {"organization": {"id": 77}}, "invalid_organization"),
        ("ssl_basic", {"order_validity": None}, "invalid_request"),
        ("ssl_basic", {"order_validity": {"days": 0}}, "invalid_request"),
        ("ssl_basic", {"order_validity": {"days": 5, "years": 1}}, "invalid_request"),
        ("ssl_basic", {"order_validity": None, "custom_expiration_date": "2026-13-01"}, "invalid_request"),
        ("ssl_basic", {"order_validity": None, "custom_expiration_date": "2020-01-01"}, "invalid_request"),
        ("ssl_basic", {"skip_approval": "yes"}, "invalid_request"),
    ],
)
def test_a_bad_order_is_refused(product: str, changed: dict[str, Any], code: str) -> None:
    """What is missing or wrong is named, and nothing is ordered."""
    with cert_central() as api:
        assert error_code(api.ask("POST", f"/order/certificate/{product}", order_body(**changed)), 400) == code
        assert api.read("/order/certificate")["orders"] == []


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_object_is_refused(raw: bytes) -> None:
    """Malformed JSON is answered in the API's own shape."""
    with cert_central() as api:
        assert error_code(api.ask("POST", "/order/certificate/ssl_basic", raw=raw), 400).startswith("invalid_")


def test_a_body_without_end_is_not_read() -> None:
    """A body that is too large is refused."""
    with cert_central() as api:
        assert error_code(api.ask("POST", "/order/certificate/ssl_basic", raw=b" " * 300_000), 413) == "request_too_large"


def test_who_is_not_known_is_refused() -> None:
    """No key, a wrong key, and another account's order are refused each in its way."""
    with cert_central() as api:
        order_id = api.order()
        api.key = OTHER_KEY
        assert error_code(api.ask("GET", f"/order/certificate/{order_id}"), 403) == "access_denied"
        assert api.read("/user/me")["account"]["id"] == 2000002
        for key in (None, "wrong", "ca-sim-digicert-api-ke"):
            api.key = key
            assert error_code(api.ask("GET", "/user/me"), 401) == "invalid_api_key"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/order/certificate/1", 404),
        ("GET", "/order/certificate/abcdef", 404),
        ("GET", "/certificate/1/download/format/pem_all", 404),
        ("POST", "/order/certificate/ssl_unheard_of", 404),
        ("GET", "/request/1", 404),
        ("GET", "/organization/9", 404),
        ("GET", "/product/nothing", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/order/certificate", 405),
    ],
)
def test_what_is_not_there_is_said_so(method: str, path: str, status: int) -> None:
    """An unknown thing, path or method is answered in the API's own shape."""
    with cert_central() as api:
        assert error_code(api.ask(method, path, order_body() if method == "POST" else None), status)


def test_organizations_and_products_are_shown() -> None:
    """What can be ordered, and for whom, can be asked."""
    with cert_central() as api:
        assert api.read("/organization/1")["status"] == "active"
        assert [one["id"] for one in api.read("/organization")["organizations"]] == [1]
        assert api.read("/product/private_ssl_plus")["max_validity_days"] == 1095
        assert {"ssl_basic", "ssl_plus"} <= {one["name_id"] for one in api.read("/product")["products"]}


def test_an_account_is_slowed_down() -> None:
    """More requests than a window allows are answered 429 with the time to wait; other accounts are not touched."""
    with cert_central(requests_in_5_seconds=3, requests_in_3_minutes=5) as api:
        for _ in range(3):
            assert api.ask("GET", "/user/me").status == 200
        api.time.wait(2)
        answer = api.ask("GET", "/user/me")
        assert error_code(answer, 429) == "request_limit_exceeded"
        assert dict(answer.headers)["retry-after"] == "3"
        api.time.wait(3)
        assert [api.ask("GET", "/user/me").status for _ in range(3)] == [200, 200, 429]
        assert dict(api.ask("GET", "/user/me").headers)["retry-after"] == "175"
        api.key = OTHER_KEY
        assert api.ask("GET", "/user/me").status == 200


def test_faults_are_told_in_the_shape_of_the_api() -> None:
    """An error and a throttle of the management look like the API's own; a dropped answer leaves its order behind."""
    with cert_central() as api:
        api.arm(FaultKind.ERROR, "digicert.list", count=1, seconds=7)
        answer = api.ask("GET", "/order/certificate")
        assert error_code(answer, 503) == "service_unavailable"
        assert dict(answer.headers)["retry-after"] == "7"
        api.arm(FaultKind.THROTTLE, "digicert.look", count=1)
        assert error_code(api.ask("GET", "/order/certificate/1"), 429) == "request_limit_exceeded"
        api.arm(FaultKind.DROP_AFTER, "digicert.order", count=1)
        with pytest.raises(NoAnswerError):
            api.order()
        assert len(api.read("/order/certificate")["orders"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/services/v2/order/certificate/ssl_plus", "digicert.order"),
        ("GET", "/services/v2/order/certificate/5", "digicert.look"),
        ("GET", "/services/v2/order/certificate", "digicert.list"),
        ("POST", "/services/v2/order/certificate/5/reissue", "digicert.reissue"),
        ("PUT", "/services/v2/order/certificate/5/status", "digicert.cancel"),
        ("GET", "/services/v2/certificate/5/download/format/pem_all", "digicert.download"),
        ("PUT", "/services/v2/certificate/5/revoke", "digicert.revoke"),
        ("GET", "/services/v2/user/me", "digicert.user"),
    ],
)
def test_faults_know_the_kinds_of_requests(method: str, path: str, kind: str) -> None:
    """Each kind of request has a name by which faults are armed."""
    assert place(method, path) == kind


def test_a_restart_goes_on_with_the_orders(tmp_path: Path) -> None:
    """What was ordered before a restart is issued after it, under the ids that it had."""
    time = Time()
    settings = read({"digicert": {"issue_seconds": 60}, "state_directory": str(tmp_path)})
    with in_process(settings, time) as authority:
        order_id = CertCentral(authority, time).order()
    time.wait(60)
    with in_process(settings, time) as authority:
        api = CertCentral(authority, time)
        assert len(downloaded(api, issued_id(api, order_id))) == 3
        assert api.order() > order_id


@pytest.mark.parametrize(
    "section",
    [
        {"accounts": {"one": "a-secret-key"}},
        {"accounts": {"1": "a-secret-key", "2": "a-secret-key"}},
        {"accounts": {"1": ["a-secret-key"]}},
        {"organizations": {"1": {"name": ""}}},
        {"approval_products": ["no_product"]},
        {"approval_rate": 2},
        {"approval": "no"},
        {"organizations": {"1": {"name": "Example", "city": "x" * 129}}},
    ],
)
def test_bad_settings_are_refused(section: dict[str, object]) -> None:
    """A wrong setting is named, and no API key is in what is said of it."""
    with pytest.raises(SettingsError) as refusal:
        read({"digicert": section})
    assert "digicert" in str(refusal.value)
    assert "a-secret-key" not in str(refusal.value)
