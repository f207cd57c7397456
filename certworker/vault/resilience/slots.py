"""Order slots: a CA gives the same pending order to all who ask for the same names, so one of them asks at a time."""

import hashlib
from typing import Protocol

from certworker.vault.issuance import IssuanceRequest
from certworker.vault.resilience.memory import digest_of


class SlotReader(Protocol):
    """What can be asked of order slots; a part of the port to the database."""

    def slot_holder(self, key: str) -> str | None:
        """Tell which operation took a slot last, whether it goes on or not."""


class SlotWriter(SlotReader, Protocol):
    """What can be changed in order slots, inside one transaction."""

    def take_slot(self, key: str, operation_id: str) -> bool:
        """Take a slot for an operation, unless another one that is in progress has it; tell whether it is taken.

        It need not be given back: an operation that is over holds nothing.
        """


def slot_of(request: IssuanceRequest) -> str:
    """Name the slot of a request: the account (of a vault at an issuer), the set of names and the profile."""
    parts = (request.vault_id, request.issuer.casefold(), request.account_id, digest_of(request.names), request.profile or "")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
