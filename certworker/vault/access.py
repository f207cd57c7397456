"""Who may do what. Every service method asks here for the permission that it needs."""

from dataclasses import dataclass

from certworker.errors import Forbidden
from certworker.vault.store import HotReader, Store
from certworker.vault.vaults import SYSTEM_VAULT, Principal, Vault


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose identity was checked. The service itself acts with `is_service` set, which no token can do."""

    object_id: str
    client_id: str
    tenant_id: str
    is_service: bool = False


SERVICE = Caller("certworker", "certworker", "", is_service=True)
"""The worker, acting on its own behalf."""


class Access:
    """Decides from the store, on every request: whoever was removed is refused at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def require(self, caller: Caller, vault: Vault, noun: str, permission: str, reader: HotReader | None = None) -> None:
        """Refuse a caller who lacks `permission` (Key Vault's word) on `noun` (keys, secrets, certificates) in `vault`.

        The administrator may do everything in every vault but the service's own. `reader` is a glance that is open already.
        Raises Forbidden.
        """
        if caller.is_service:
            return
        principal = reader.principal(caller.object_id) if reader else self._principal(caller)
        if principal and principal.administrator and principal.tenant_id == vault.tenant_id and vault.name != SYSTEM_VAULT:
            return
        raise Forbidden(
            f"The user, group or application 'appid={caller.client_id};oid={caller.object_id};tid={caller.tenant_id}' does not "
            f"have {noun} {permission} permission on key vault '{vault.name};location={vault.location}'."
        )

    def _principal(self, caller: Caller) -> Principal | None:
        with self._store.glance() as reader:
            return reader.principal(caller.object_id)
