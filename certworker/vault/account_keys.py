"""The key of an account at a CA is exchanged for a new one, because somebody asks for it."""

from typing import cast

from certworker.clock import Clock, whole_second
from certworker.measures import Measures, Purpose, asking
from certworker.vault.access import Access, Caller
from certworker.vault.issuance import KeyRoller
from certworker.vault.issuers import Issuers, refusal
from certworker.vault.vaults import Issuer, Vault


class AccountKeys:
    """Asks the providers, which ask the CAs, in no transaction. The account's orders and certificates stay its own."""

    def __init__(self, access: Access, issuers: Issuers, clock: Clock, measures: Measures) -> None:
        self._access = access
        self._issuers = issuers
        self._clock = clock
        self._measures = measures

    def roll(self, caller: Caller, vault: Vault, name: str) -> Issuer:
        """Exchange the key of an issuer's account; a change that was begun and cut off is finished.

        Raises IssuerNotFound, Conflict where there is no account or the CA refuses, and Unavailable where it has to be asked
        again later.
        """
        self._access.require(caller, vault, "certificates", "setissuers")
        issuer = self._issuers.find(vault, name)
        roller = cast("KeyRoller", self._issuers.provider_that_can("roll_key", issuer))
        at = whole_second(self._clock())
        with asking(self._measures, Purpose.ACCOUNT, issuer.name, self._clock):
            result = roller.roll_key(self._issuers.request(issuer), at)
        if not result.done:
            raise refusal(f"The key of the account of {issuer.name} is not exchanged.", result.message, result.retry_at, at)
        return issuer
