"""What an order says: the product, the names, the key, how long, and the mark by which it is found again."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from certworker.crypto.csr import csr_to_pem, read_csr, read_pem_csr
from certworker.errors import BadParameter, SettingsError
from certworker.issuers.digicert.resources import OrderInfo
from certworker.vault.issuance import IssuanceRequest
from certworker.vault.lifetime import add_months

PUBLIC_URL = "https://www.digicert.com/services/v2"
PRODUCT = "ssl_basic"
PRODUCTS: Mapping[str, str] = MappingProxyType(
    {"OV-SSL": "ssl_basic", "EV-SSL": "ssl_ev_basic", "DV-SSL": "ssl_dv_geotrust_flex"}
)
"""Key Vault's words for the type of a certificate, and the products that they mean."""

LONGEST_COMMON_NAME = 64
DEFAULT_MONTHS = 12
_PRODUCT = re.compile(r"[a-z0-9_]{1,64}")
_DIGITS = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class DigicertIssuerSettings:
    """The settings of one DigiCert issuer. `ca_bundle` is a PEM file that takes the place of the public authorities.

    `product` is ordered where the policy has no certificate type; `products` tells what a type means. `skip_approval` asks
    that no administrator has to approve an order. `timeout_seconds` is for each wait for the CA.
    """

    url: str = PUBLIC_URL
    ca_bundle: str | None = None
    timeout_seconds: float = 10.0
    product: str = PRODUCT
    products: Mapping[str, str] = field(default_factory=lambda: PRODUCTS)
    skip_approval: bool = True


def product_of(request: IssuanceRequest, settings: DigicertIssuerSettings) -> str:
    """Tell which product is meant by the policy's certificate type. Raises SettingsError for what can be none."""
    if not request.profile:
        product = settings.product
    else:
        known = {name.casefold(): product for name, product in settings.products.items()}
        product = known.get(request.profile.casefold(), request.profile)
    if not _PRODUCT.fullmatch(product):
        choice = ", ".join(settings.products)
        raise SettingsError(
            f"The certificate type {product[:40]!r} is no product of DigiCert: use one of {choice}, or a product."
        )
    return product


def order_body(request: IssuanceRequest, settings: DigicertIssuerSettings, at: datetime) -> dict[str, Any]:
    """Write an order. Raises BadParameter for a CSR that cannot be read."""
    common_name = common_name_of(request)
    body: dict[str, Any] = {
        "certificate": {
            "common_name": common_name,
            "dns_names": [name for name in request.names if name != common_name],
            "csr": csr_to_pem(request.csr),
            "signature_hash": "sha256",
        },
        "order_validity": {"days": (add_months(at, request.validity_months or DEFAULT_MONTHS) - at).days},
        "comments": tag_of(request),
        "skip_approval": settings.skip_approval,
    }
    organization = organization_of(request)
    if organization:
        body["organization"] = {"id": int(organization)}
    return body


def organization_of(request: IssuanceRequest) -> str:
    """Read the organization's id out of the issuer record; empty where it has none. Raises SettingsError."""
    try:
        record = json.loads(request.organization or "{}")
    except ValueError:
        record = {}
    value = record.get("id") if isinstance(record, dict) else None
    if value in (None, ""):
        return ""
    if not _DIGITS.fullmatch(str(value)):
        raise SettingsError("The issuer's org_details.id is not the id of a DigiCert organization, which is a number.")
    return str(value)


def common_name_of(request: IssuanceRequest) -> str:
    """Choose the common name: that of the CSR where it is one of the names, else the first name that is short enough."""
    wished = read_csr(request.csr).common_name
    names = [name for name in request.names if len(name) <= LONGEST_COMMON_NAME]
    return next((name for name in names if name.casefold() == wished.casefold()), (names or list(request.names))[0])


def tag_of(request: IssuanceRequest) -> str:
    """Give the mark of an operation's one order."""
    return f"certworker operation {request.operation_id}"


def is_ours(order: OrderInfo, request: IssuanceRequest) -> bool:
    """Whether an order is the one of this operation: it bears our mark, and is for our key."""
    if not any(tag_of(request) in comment for comment in order.comments):
        return False
    try:
        return read_pem_csr(order.csr).public_key == read_csr(request.csr).public_key
    except BadParameter:
        return False
