"""What this API shows of orders, requests, products and organizations."""

from datetime import datetime
from typing import Any

from ca_sim.digicert.deliveries import Deliveries
from ca_sim.digicert.objects import Approval, Asked, Order, Status
from ca_sim.digicert.products import PRODUCTS, Product
from ca_sim.digicert.settings import DigicertSettings, Organization

Document = dict[str, Any]


def time(at: datetime) -> str:
    """Write a time as this API does."""
    return at.isoformat()


def placed_document(order: Order, deliveries: Deliveries) -> Document:
    """Show an order as the answer to its placing or reissue does: with the certificate where that is there already."""
    request = order.requests[-1]
    status = Status.PENDING if request.status is Status.PENDING else Status.APPROVED
    document: Document = {"id": order.id, "requests": [{"id": request.id, "status": status}]}
    if order.status is Status.ISSUED:
        document["certificate_id"] = order.certificate.id
        document["certificate_chain"] = deliveries.chain_documents(order.certificate)
    return document


def listed_document(order: Order, status: Status, settings: DigicertSettings) -> Document:
    """Show an order as a list does: without CSR and comments."""
    asked = order.certificate
    document: Document = {
        "id": order.id,
        "certificate": {
            "id": asked.id,
            "common_name": asked.common_name,
            "dns_names": list(asked.names),
            "signature_hash": asked.signature_hash,
        },
        "status": status,
        "is_renewal": order.renewal_of is not None,
        "date_created": time(order.placed_at),
        "product": product_document(order.product),
    }
    found = settings.organizations.get(order.organization_id or "")
    if found is not None:
        document["organization"] = organization_document(order.organization_id or "", found)
    return document


def order_document(order: Order, status: Status, settings: DigicertSettings, deliveries: Deliveries) -> Document:
    """Show all of an order."""
    document = listed_document(order, status, settings)
    document["certificate"] |= _certificate_part(order.certificate, status, deliveries)
    document["requests"] = [request_document(request) for request in order.requests]
    document["notes"] = [{"text": note} for note in order.notes]
    if order.hold:
        document["pending_for"] = order.hold
    if order.renewal_of is not None:
        document["renewal_of_order_id"] = order.renewal_of
    return document


def _certificate_part(asked: Asked, status: Status, deliveries: Deliveries) -> Document:
    part: Document = {"status": status, "csr": asked.csr}
    if asked.server_platform is not None:
        part["server_platform"] = {"id": asked.server_platform}
    valid = deliveries.valid_between(asked)
    if valid is not None and asked.serial is not None and asked.issued_at is not None:
        part |= {"serial_number": asked.serial, "date_issued": time(asked.issued_at)}
        part |= {"valid_from": valid[0].date().isoformat(), "valid_till": valid[1].date().isoformat()}
    return part


def request_document(request: Approval) -> Document:
    """Show a request."""
    return {
        "id": request.id,
        "date": time(request.at),
        "type": request.kind,
        "status": request.status,
        "comments": request.comments,
        "processor_comment": request.processor_comment,
    }


def product_document(product_id: str) -> Document:
    """Show a product by its name."""
    product = PRODUCTS[product_id]
    return {"name_id": product_id, "name": product.name, "type": f"{product.validation}_ssl_certificate"}


def product_details(product_id: str, product: Product, settings: DigicertSettings) -> Document:
    """Show what a product allows."""
    return product_document(product_id) | {
        "allowed_wildcards": product.wildcards,
        "max_domains": product.names,
        "max_validity_days": product.days or settings.public_validity_days,
        "private": product.is_private,
        "signature_hash_types": ["sha256", "sha384", "sha512"],
    }


def organization_document(organization_id: str, organization: Organization) -> Document:
    """Show an organization."""
    return {
        "id": int(organization_id),
        "name": organization.name,
        "display_name": organization.name,
        "is_active": True,
        "status": "active",
        "city": organization.city,
        "state": organization.state,
        "country": organization.country.lower(),
    }
