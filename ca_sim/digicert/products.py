"""The products that can be ordered, and what each of them allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PRIVATE_DAYS = 1095


@dataclass(frozen=True, slots=True)
class Product:
    """A product. `validation` is dv, ov or ev; `names` is the most that one certificate may have.

    `days` is the longest validity; none for public products, which all have that of the settings.
    """

    name: str
    validation: Literal["dv", "ov", "ev"]
    names: int = 100
    wildcards: bool = False
    days: int | None = None

    @property
    def is_private(self) -> bool:
        """Whether it is for networks of one's own, addresses included."""
        return self.days is not None

    @property
    def needs_organization(self) -> bool:
        """Whether the certificate names an organization."""
        return self.validation != "dv"


PRODUCTS: Mapping[str, Product] = {
    "ssl_basic": Product("Basic OV", "ov", wildcards=True),
    "ssl_plus": Product("Standard SSL", "ov", names=2),
    "ssl_multi_domain": Product("Multi-Domain SSL", "ov"),
    "ssl_wildcard": Product("Wildcard", "ov", names=5, wildcards=True),
    "ssl_ev_basic": Product("Basic EV", "ev"),
    "ssl_ev_plus": Product("Extended Validation SSL", "ev", names=2),
    "ssl_dv_geotrust_flex": Product("GeoTrust DV SSL", "dv", wildcards=True),
    "private_ssl_plus": Product("Private SSL Plus", "ov", names=2, days=PRIVATE_DAYS),
    "private_ssl_multi_domain": Product("Private SSL Multi-Domain", "ov", days=PRIVATE_DAYS),
    "private_ssl_wildcard": Product("Private SSL Wildcard", "ov", names=5, wildcards=True, days=PRIVATE_DAYS),
    "private_ssl_flex": Product("Private SSL OV", "ov", wildcards=True, days=PRIVATE_DAYS),
}
