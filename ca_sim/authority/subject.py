"""The subject of a leaf beside its common name, as the APIs of organizations give it."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

_ORDER = (
    ("country", NameOID.COUNTRY_NAME),
    ("state", NameOID.STATE_OR_PROVINCE_NAME),
    ("locality", NameOID.LOCALITY_NAME),
    ("postal_code", NameOID.POSTAL_CODE),
    ("street", NameOID.STREET_ADDRESS),
    ("organization", NameOID.ORGANIZATION_NAME),
    ("organizational_unit", NameOID.ORGANIZATIONAL_UNIT_NAME),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who a leaf is for; what is empty is left out. `country` is a code of two letters (ISO 3166-1)."""

    organization: str = ""
    organizational_unit: str = ""
    street: str = ""
    postal_code: str = ""
    locality: str = ""
    state: str = ""
    country: str = ""

    def name(self, common_name: str | None) -> x509.Name:
        """Give the name with a common name at its end. Raises ValueError for what no certificate can hold."""
        attributes = [x509.NameAttribute(oid, value) for field, oid in _ORDER if (value := getattr(self, field))]
        if common_name:
            attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        return x509.Name(attributes)


NOBODY = Subject()
"""The subject of a certificate for names alone."""
