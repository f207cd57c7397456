"""What the settings say of one issuer at GlobalSign."""

from dataclasses import dataclass

ATLAS_URL = "https://emea.api.hvca.globalsign.com:8443/v2"


@dataclass(frozen=True, slots=True)
class GlobalsignIssuerSettings:
    """The settings of one issuer. `ca_bundle` is a PEM file that takes the place of the public authorities.

    `client_certificate` is VAULT/NAME of what is presented in TLS; none presents nothing. `timeout_seconds` is for each wait.
    """

    url: str = ATLAS_URL
    ca_bundle: str | None = None
    client_certificate: str | None = None
    timeout_seconds: float = 15.0
