"""Settings of the ACME server."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from ca_sim.acme.jose import decode
from ca_sim.problems import MalformedError
from ca_sim.setting import Delay, Seconds, Section, Switch, Url, setting

Share = Annotated[float, Field(ge=0, le=1)]
MIN_MAC_KEY = 32
"""Bytes of SHA-256's result, and so of the shortest key for HS256 (RFC 7518 section 3.2)."""


def _mac_key(key: SecretStr) -> SecretStr:
    try:
        size = len(decode(key.get_secret_value(), "the key"))
    except MalformedError as error:
        raise ValueError(error.detail) from error
    if size < MIN_MAC_KEY:
        raise ValueError(f"the key has {size} bytes, fewer than {MIN_MAC_KEY}")
    return key


class Limit(StrEnum):
    """What a rate limit is about. A registered domain is the last two labels of a name."""

    ORDERS = "new_orders_per_account"
    DOMAIN = "certificates_per_domain"
    DUPLICATES = "duplicate_certificates"
    FAILURES = "failed_validations"
    ACCOUNTS = "new_accounts_per_address"
    REQUESTS = "requests_per_second"


class AcmeSettings(Section):
    """[acme]."""

    issue_seconds: Delay = setting(0, unit="seconds", help="How long an order is processing before its certificate is there.")
    authorization_reuse: Share = setting(
        1.0, unit="share of 1", help="How many of an account's valid authorizations are used again for a new order."
    )
    seed: int = setting(0, unit="number", help="Seed of what is drawn by lot: which valid authorizations are used again.")
    order_reuse: Switch = setting(
        default=True,
        unit="true or false",
        help="Whether who asks again for what an open order of the account is for gets that order, and no new one.",
    )
    order_dates: Switch = setting(
        default=True,
        unit="true or false",
        help="Whether an order may say notBefore and notAfter; public authorities refuse them.",
    )
    pre_authorization: Switch = setting(
        default=False, unit="true or false", help="Whether a name can be authorized before there is an order for it."
    )
    renewal_info: Switch = setting(
        default=True, unit="true or false", help="Whether the directory says where renewal information (RFC 9773) is."
    )
    renewal_window: tuple[Share, Share] = setting(
        (0.66, 0.68), unit="two shares of 1", help="The part of a certificate's lifetime in which it is best renewed."
    )
    renewal_retry_seconds: Seconds = setting(
        21_600, unit="seconds", help="Retry-After of renewal information: how long a client may go by it."
    )
    busy_status: Literal[429, 503] = setting(
        503, unit="429 or 503", help="Status of an answer beyond requests_per_second of the rate limits."
    )
    rate_limits_url: Url = setting(
        "https://ca-sim.example/rate-limits", unit="URL", help="Documentation that a rateLimited answer links to; empty: none."
    )
    pause_after_failures: Delay = setting(
        0, unit="validations", help="How many failures in a row pause a name for an account. 0: none does."
    )
    external_account_required: Switch = setting(
        default=False, unit="true or false", help="Whether a new account must be bound to one of the external accounts."
    )
    external_accounts: dict[Annotated[str, Field(min_length=1)], Annotated[SecretStr, AfterValidator(_mac_key)]] = setting(
        {},
        unit="key identifier = MAC key in base64url without padding, of 32 bytes or more",
        help="External accounts, to which new accounts are bound; each binds one account at a time.",
        secret=True,
    )

    rate_limits: dict[Limit, Delay] = setting(
        {limit.value: 0 for limit in Limit},
        unit="limit = how many in 3 hours (new orders, new accounts), a week (certificates), an hour (failures), a second",
        help="Rate limits in the manner of Let's Encrypt; a limit that is 0 or not given is off.",
    )

    @model_validator(mode="after")
    def _check_renewal_window(self) -> Self:
        starts, ends = self.renewal_window
        if starts >= ends:
            raise ValueError("renewal_window ends before it begins")
        return self

    @model_validator(mode="after")
    def _check_external_accounts(self) -> Self:
        if self.external_account_required and not self.external_accounts:
            raise ValueError("external_account_required needs external_accounts: give a key identifier and its MAC key")
        return self
