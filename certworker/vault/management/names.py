"""Names of vaults: which are valid, and which are free. They are unique in the whole deployment: each is part of a host's."""

from dataclasses import dataclass
from typing import Final

from certworker.errors import BadParameter, InvalidResource, ResourceConflict
from certworker.vault.access import Access, Caller
from certworker.vault.management.places import scope_of_subscription
from certworker.vault.store import Reader, Store
from certworker.vault.vaults import check_vault_name

_READ: Final = "Microsoft.KeyVault/checkNameAvailability/read"
_TYPE: Final = "Microsoft.KeyVault/vaults"
_MORE: Final = "Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742"


@dataclass(frozen=True, slots=True)
class NameAvailability:
    """Whether a vault can be called so; if not, why, in the word of the wire and in a sentence."""

    available: bool
    reason: str | None = None
    message: str | None = None


class VaultNames:
    """Tells whoever may ask whether a name is free."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    def check(self, caller: Caller, subscription_id: str, name: str, resource_type: str) -> NameAvailability:
        """Tell whether a vault can be called `name`. Raises AuthorizationFailed, InvalidResource for another type."""
        self._access.require_action(caller, scope_of_subscription(subscription_id), _READ)
        if resource_type.lower() != _TYPE.lower():
            raise InvalidResource("BadRequest", f"The type is '{_TYPE}', and not '{resource_type[:80]}'.", "type")
        try:
            check_name(name)
        except InvalidResource as error:
            return NameAvailability(available=False, reason="AccountNameInvalid", message=str(error))
        with self._store.reading() as reader:
            taken = find_taken(reader, name)
        if taken is None:
            return NameAvailability(available=True)
        return NameAvailability(available=False, reason="AlreadyExists", message=str(taken))


def check_name(name: str) -> str:
    """Give back `name` if a vault may be called so. Raises InvalidResource."""
    try:
        return check_vault_name(name)
    except BadParameter:
        message = (
            f"The vault name '{name[:40]}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name "
            f"must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. {_MORE}"
        )
        raise InvalidResource("VaultNameNotValid", message, "name") from None


def find_taken(reader: Reader, name: str) -> ResourceConflict | None:
    """Give the error that says who has a name: a vault, or a deleted one; none where it is free."""
    if reader.vault_by_name(name):
        text = (
            f"The vault name '{name}' is already in use. Names are unique in the whole deployment: choose another one, or name "
            "the resource group that the vault is in."
        )
        return ResourceConflict("VaultAlreadyExists", text)
    deleted = reader.deleted_vault(name)
    if deleted:
        text = (
            f"The vault name '{name}' is held by a vault that was deleted and can still be recovered. Recover it (createMode "
            f"'recover', in the resource group '{deleted.resource_group}'), or purge it first."
        )
        return ResourceConflict("VaultAlreadyExists", text)
    return None
