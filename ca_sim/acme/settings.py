"""Settings of the ACME server."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from ca_sim.acme.jose import decode
from ca_sim.problems import MalformedError
from ca_sim.setting import Delay, Section, Switch, setting

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


class AcmeSettings(Section):
    """[acme]."""

    issue_seconds: Delay = setting(0, unit="seconds", help="How long an order is processing before its certificate is there.")
    authorization_reuse: Annotated[float, Field(ge=0, le=1)] = setting(
        1.0, unit="share of 1", help="How many of an account's valid authorizations are used again for a new order."
    )
    seed: int = setting(0, unit="number", help="Seed of what is drawn by lot: which valid authorizations are used again.")
    external_account_required: Switch = setting(
        default=False, unit="true or false", help="Whether a new account must be bound to one of the external accounts."
    )
    external_accounts: dict[Annotated[str, Field(min_length=1)], Annotated[SecretStr, AfterValidator(_mac_key)]] = setting(
        {},
        unit="key identifier = MAC key in base64url without padding, of 32 bytes or more",
        help="External accounts, to which new accounts are bound; each binds one account at a time.",
        secret=True,
    )

    @model_validator(mode="after")
    def _check_external_accounts(self) -> Self:
        if self.external_account_required and not self.external_accounts:
            raise ValueError("external_account_required needs external_accounts: give a key identifier and its MAC key")
        return self
