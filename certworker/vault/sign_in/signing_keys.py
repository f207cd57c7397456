"""The keys that sign tokens: one follows the other, and what the older one has signed holds until it expires."""

from datetime import datetime, timedelta
from typing import Final

from certworker.clock import Clock, whole_second
from certworker.crypto.tokens import SKEW_SECONDS
from certworker.errors import SetupError
from certworker.vault.audit.acts import own_record
from certworker.vault.audit.record import AuditRecord
from certworker.vault.directory import Directory
from certworker.vault.store import Store
from certworker.vault.vaults import SYSTEM_VAULT, SigningKey

_MARGIN: Final = timedelta(seconds=SKEW_SECONDS) + timedelta(minutes=1)
"""For a token that another process signs by the older key at the same moment, and for clocks that differ."""


class SigningKeys:
    """Rotates the keys that sign tokens: by hand, or when the newest is old enough."""

    def __init__(self, store: Store, directory: Directory, token_lifetime: timedelta, age: timedelta, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._token_lifetime = token_lifetime
        self._age = age
        self._clock = clock

    def rotate(self) -> SigningKey:
        """Put a new key in the place of the one that signs, which retires once its last token has expired.

        Raises SetupError where there is no identity provider yet.
        """
        return self._rotate(newest=None)

    def tend(self, at: datetime) -> int:
        """Rotate a key that is old enough, and delete those that have retired; count."""
        with self._store.reading() as reader:
            system = reader.vault_by_name(SYSTEM_VAULT)
            keys = reader.signing_keys(system.tenant_id) if system else ()
        done = 0
        if keys and at - keys[-1].created >= self._age:
            self._rotate(newest=keys[-1].id)
            done = 1
        if any(key.retires and key.retires <= at for key in keys):
            with self._store.writing() as writer:
                done += writer.delete_retired_signing_keys(at)
        return done

    def _rotate(self, newest: str | None) -> SigningKey:
        with self._store.reading() as reader:
            system = reader.vault_by_name(SYSTEM_VAULT)
        if system is None:
            raise SetupError("This deployment has no identity provider yet: start it once.")
        key = self._directory.new_signing_key(system.tenant_id, system.id)
        retires = whole_second(self._clock()) + self._token_lifetime + _MARGIN
        with self._store.writing() as writer:
            known = writer.signing_keys(system.tenant_id)
            if newest and known[-1].id != newest:
                return known[-1]  # another process was quicker
            writer.add_signing_key(key)
            writer.retire_signing_keys(system.tenant_id, key.id, retires)
            if newest:
                writer.add_pending_record(self._record(system.tenant_id, key.id).text())
        return key

    def _record(self, tenant_id: str, key_id: str) -> AuditRecord:
        """Make the record of what the service does by itself: whoever rotates by hand has one already."""
        where, details = f"/tenants/{tenant_id}", {"name": key_id, "reason": "age"}
        return own_record("SigningKeyRotate", where, self._clock(), details)
