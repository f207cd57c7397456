"""Vaults and the people: what is asked and what is changed."""

from sqlalchemy import and_, bindparam, select, update

from certworker.errors import MasterKeyChanged
from certworker.store.tables.keys import MASTER_KEY
from certworker.store.tables.vaults import (
    PRINCIPAL,
    SIGNING_KEY,
    VAULT,
    VAULT_KEY,
    principal_record,
    principal_values,
    signing_key_record,
    signing_key_values,
    vault_record,
    vault_values,
    wrapped_key_record,
    wrapped_key_values,
)
from certworker.store.transaction import Transaction
from certworker.vault.objects import fold_name
from certworker.vault.vaults import Principal, SigningKey, Vault, WrappedKey

_VAULT = select(VAULT).where(VAULT.c.id == bindparam("id"))
_VAULT_BY_NAME = select(VAULT).where(VAULT.c.folded == bindparam("folded"), VAULT.c.deleted.is_(None))
_VAULTS = select(VAULT).where(VAULT.c.deleted.is_(None)).order_by(VAULT.c.folded)
_WRAPPED_KEYS = select(VAULT_KEY).where(VAULT_KEY.c.vault_id == bindparam("vault_id")).order_by(VAULT_KEY.c.term)
_PRINCIPAL = select(PRINCIPAL).where(PRINCIPAL.c.object_id == bindparam("object_id"))
_PRINCIPAL_BY_CLIENT = select(PRINCIPAL).where(PRINCIPAL.c.client_id == bindparam("client_id"))
_PRINCIPALS = select(PRINCIPAL).order_by(PRINCIPAL.c.number)
_SIGNING_KEYS = select(SIGNING_KEY).where(SIGNING_KEY.c.tenant_id == bindparam("tenant_id")).order_by(SIGNING_KEY.c.number)

# held until the transaction ends: meanwhile nobody puts another one in force
_MASTER_KEY = select(MASTER_KEY.c.id).with_for_update(read=True)


class VaultReader(Transaction):
    """What can be asked of vaults and people."""

    def vault(self, vault_id: str) -> Vault | None:
        """Find a vault by its id."""
        row = self._one(_VAULT, id=vault_id)
        return vault_record(row) if row else None

    def vault_by_name(self, name: str) -> Vault | None:
        """Find a vault by its name, unless it was deleted."""
        row = self._one(_VAULT_BY_NAME, folded=fold_name(name))
        return vault_record(row) if row else None

    def vaults(self) -> tuple[Vault, ...]:
        """List all vaults by name, but for deleted ones."""
        return tuple(map(vault_record, self._all(_VAULTS)))

    def wrapped_keys(self, vault_id: str) -> tuple[WrappedKey, ...]:
        """List a vault's wrapped keys, the newest term last."""
        return tuple(map(wrapped_key_record, self._all(_WRAPPED_KEYS, vault_id=vault_id)))

    def principal(self, object_id: str) -> Principal | None:
        """Find a principal by its object id."""
        row = self._one(_PRINCIPAL, object_id=object_id)
        return principal_record(row) if row else None

    def principal_by_client(self, client_id: str) -> Principal | None:
        """Find a principal by its application's client id."""
        row = self._one(_PRINCIPAL_BY_CLIENT, client_id=client_id)
        return principal_record(row) if row else None

    def principals(self) -> tuple[Principal, ...]:
        """List all principals, the oldest first."""
        return tuple(map(principal_record, self._all(_PRINCIPALS)))

    def signing_keys(self, tenant_id: str) -> tuple[SigningKey, ...]:
        """List a tenant's signing keys, the newest last."""
        return tuple(map(signing_key_record, self._all(_SIGNING_KEYS, tenant_id=tenant_id)))


class VaultWriter(VaultReader):
    """What can be changed in vaults and people."""

    def add_vault(self, vault: Vault) -> None:
        """Add a vault. Raises Conflict where the name is taken, if only by a deleted one."""
        self._add(VAULT, vault_values(vault), f"The vault name '{vault.name}' is already in use.")

    def replace_wrapped_key(self, key: WrappedKey) -> None:
        """Put another wrapping of the same vault key in the place of the one of its term."""
        this = and_(VAULT_KEY.c.vault_id == key.vault_id, VAULT_KEY.c.term == key.term)
        self._change(update(VAULT_KEY).where(this).values(wrapped=key.wrapped, master_key_id=key.master_key_id))

    def add_wrapped_key(self, key: WrappedKey) -> None:
        """Add a vault key under a new term.

        Raises Conflict where the term is taken, MasterKeyChanged where it was wrapped by a master key that is in force no more.
        """
        in_force = self._one(_MASTER_KEY)
        if in_force and in_force.id != key.master_key_id:
            raise MasterKeyChanged(in_force.id)
        self._add(VAULT_KEY, wrapped_key_values(key), f"The vault already has a key of term {key.term}.")

    def add_principal(self, principal: Principal) -> None:
        """Add a principal. Raises Conflict where one of its ids is taken."""
        self._add(PRINCIPAL, principal_values(principal), "The object id or client id is already in use.")

    def set_principal_secret(self, object_id: str, secret_hash: str) -> None:
        """Replace the hash of a principal's secret."""
        self._change(update(PRINCIPAL).where(PRINCIPAL.c.object_id == object_id).values(secret_hash=secret_hash))

    def add_signing_key(self, key: SigningKey) -> None:
        """Add a signing key. Raises Conflict where its id is taken."""
        self._add(SIGNING_KEY, signing_key_values(key), f"There is already a signing key {key.id}.")
