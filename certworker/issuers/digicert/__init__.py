"""DigiCert CertCentral: certificates over its Services API, which Key Vault integrates too."""

from certworker.issuers.digicert.ordering import PRODUCT, PUBLIC_URL, DigicertIssuerSettings
from certworker.issuers.digicert.provider import DigicertProvider

__all__ = ["PRODUCT", "PUBLIC_URL", "DigicertIssuerSettings", "DigicertProvider"]
