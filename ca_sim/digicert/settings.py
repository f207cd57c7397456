"""Settings of the API in the style of DigiCert CertCentral."""

from typing import Annotated

from pydantic import Field, field_validator

from ca_sim.digicert.products import PRODUCTS
from ca_sim.setting import Delay, Port, Section, Switch, setting

ALL = "*"


class Organization(Section):
    """Who certificates of the products with organization are for; `country` is a code of two letters (ISO 3166-1)."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    city: Annotated[str, Field(max_length=128)] = ""
    state: Annotated[str, Field(max_length=128)] = ""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "US"


class DigicertSettings(Section):
    """[digicert]."""

    port: Port = setting(14010, unit="TCP port", help="Port of this API (HTTPS); 0 takes a free one.")
    issue_seconds: Delay = setting(
        0, unit="seconds", help="How long an order is processing, once it is approved, before its certificate is there."
    )
    issue_at_once: Switch = setting(
        default=False,
        unit="true or false",
        help="Whether the answer to an order has the certificate, where nothing delays it.",
    )
    download_lag_seconds: Delay = setting(
        0, unit="seconds", help="How long after its issuance a certificate cannot be downloaded yet (404)."
    )
    list_lag_seconds: Delay = setting(0, unit="seconds", help="How long after it was placed an order is missing in lists.")
    approval: Switch = setting(
        default=False, unit="true or false", help="Whether orders and reissues without skip_approval wait for an approval."
    )
    approval_products: tuple[str, ...] = setting(
        (), unit='products, or "*"', help="Products whose orders wait for an approval, whatever skip_approval says."
    )
    approval_rate: Annotated[float, Field(ge=0, le=1)] = setting(
        0.0, unit="0 to 1", help="Part of all orders that waits for an approval, whatever skip_approval says."
    )
    approval_seed: int = setting(0, unit="number", help="What the choice of these orders follows from.")
    revocation_approval: Switch = setting(
        default=False, unit="true or false", help="Whether revocations wait for an approval (201), or are done at once (204)."
    )
    public_validity_days: Annotated[int, Field(strict=True, ge=1, le=3650)] = setting(
        199, unit="days", help="Longest validity of public products; what is asked for beyond it is shortened without a word."
    )
    requests_in_5_seconds: Delay = setting(
        100, unit="requests", help="Requests that an account may make in 5 seconds before it is answered 429; 0: any number."
    )
    requests_in_3_minutes: Delay = setting(
        1000, unit="requests", help="Requests that an account may make in 3 minutes before it is answered 429; 0: any number."
    )
    accounts: dict[str, str] = setting(
        {"1000001": "ca-sim-digicert-api-key"},
        unit="account id (digits) = API key",
        help="Who may ask: the account by what is sent as X-DC-DEVKEY. The one of the default is known to everybody.",
        secret=True,
    )
    organizations: dict[str, Organization] = setting(
        {"1": {"name": "Example Organization", "city": "Lehi", "state": "Utah", "country": "US"}},
        unit="table of name, city, state and country (two letters) by the organization's id (digits)",
        help="Organizations that are validated, for all accounts.",
    )

    @field_validator("accounts", "organizations")
    @classmethod
    def _check_ids(cls, value: dict[str, object]) -> dict[str, object]:
        for name in value:
            if not (name.isascii() and name.isdigit() and len(name) <= 18):  # noqa: PLR2004 - fits JSON's numbers
                raise ValueError(f"{name!r} is not an id of digits")
        return value

    @field_validator("accounts")
    @classmethod
    def _check_keys(cls, value: dict[str, str]) -> dict[str, str]:
        if len(set(value.values())) != len(value) or not all(value.values()):
            raise ValueError("every account needs an API key of its own")
        return value

    @field_validator("approval_products")
    @classmethod
    def _check_products(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name != ALL and name not in PRODUCTS:
                raise ValueError(f"{name!r} is not a product: use one of {', '.join(PRODUCTS)}, or {ALL}")
        return value
