"""What belongs to keys beside their versions: what is asked and what is changed."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, select, update

from certworker.errors import LeaseLost
from certworker.store.tables.keys import HSM_KEY, KEY_ROTATION, MASTER_KEY, USED_ASSERTION, rotation_record, rotation_values
from certworker.store.tables.objects import KEY_VERSION
from certworker.store.tables.operations import OPERATION
from certworker.store.transaction import Transaction
from certworker.vault.objects import fold_name
from certworker.vault.rotation_policy import KeyRotation

_ROTATION = select(KEY_ROTATION).where(
    KEY_ROTATION.c.vault_id == bindparam("vault_id"), KEY_ROTATION.c.folded == bindparam("folded")
)
_MASTER_KEY = select(MASTER_KEY.c.id)
_THE_ONE = 1


class KeyReader(Transaction):
    """What can be asked of keys beside their versions."""

    def rotation(self, vault_id: str, name: str) -> KeyRotation | None:
        """Find a key's rotation policy and the rotation to come."""
        row = self._one(_ROTATION, vault_id=vault_id, folded=fold_name(name))
        return rotation_record(row) if row else None

    def hsm_keys(self) -> tuple[str, ...]:
        """List the ids of all keys that are in the token, or were about to be."""
        return tuple(row.id for row in self._all(select(HSM_KEY.c.id).order_by(HSM_KEY.c.id)))

    def has_hsm_keys(self, vault_id: str) -> bool:
        """Tell whether the token has keys of a vault, or was about to."""
        return self._one(select(HSM_KEY.c.id).where(HSM_KEY.c.vault_id == vault_id).limit(1)) is not None

    def unused_hsm_keys(self, before: datetime, limit: int) -> tuple[str, ...]:
        """List the ids of keys in the token that were noted before a time, and belong to nothing."""
        used = (exists().where(table.c.hsm_key_id == HSM_KEY.c.id) for table in (KEY_VERSION, OPERATION))
        wanted = select(HSM_KEY.c.id).where(HSM_KEY.c.created < before, *(~use for use in used))
        return tuple(row.id for row in self._all(wanted.order_by(HSM_KEY.c.created).limit(limit)))

    def master_key_id(self) -> str | None:
        """Tell the id of the master key in force; none before the first one."""
        row = self._one(_MASTER_KEY)
        return str(row.id) if row else None


class KeyWriter(KeyReader):
    """What can be changed there."""

    def put_rotation(self, rotation: KeyRotation) -> None:
        """Add or replace a key's rotation policy; a lease on it ends, and its fence moves on."""
        self._put(
            KEY_ROTATION,
            {**rotation_values(rotation), "lease_owner": None, "lease_until": None, "fence": 0},
            key=("vault_id", "folded"),
            keep=("name", "created", "fence"),
        )
        self._change(update(KEY_ROTATION).where(_this(rotation)).values(fence=KEY_ROTATION.c.fence + 1))

    def set_rotation(self, rotation: KeyRotation) -> None:
        """Plan the next rotation, under the fence that this one was claimed with; the lease ends. Raises LeaseLost."""
        planned = {"due_at": rotation.due_at, "failures": rotation.failures, "last_error": rotation.last_error}
        ended = {"lease_owner": None, "lease_until": None}
        ours = and_(_this(rotation), KEY_ROTATION.c.fence == rotation.fence)
        if not self._change(update(KEY_ROTATION).where(ours).values({**planned, **ended})):
            raise LeaseLost(f"The rotation of {rotation.name} was taken over, or its policy was changed.")

    def note_hsm_key(self, key_id: str, vault_id: str, at: datetime) -> None:
        """Note a key that is about to be made in the token. Raises Conflict where the id is known."""
        self._add(HSM_KEY, {"id": key_id, "vault_id": vault_id, "created": at}, f"The token's key {key_id} is known already.")

    def forget_hsm_key(self, key_id: str) -> None:
        """Forget a key that was destroyed in the token."""
        self._change(delete(HSM_KEY).where(HSM_KEY.c.id == key_id))

    def use_assertion(self, digest: str, expires: datetime) -> bool:
        """Note that an assertion was used; tell whether it was the first time."""
        return self._try_add(USED_ASSERTION, {"digest": digest, "expires": expires})

    def delete_expired_assertions(self, at: datetime) -> int:
        """Forget the assertions that have expired; give the count."""
        return self._change(delete(USED_ASSERTION).where(USED_ASSERTION.c.expires <= at))

    def set_master_key_id(self, key_id: str, at: datetime) -> None:
        """Put a master key in force."""
        self._put(MASTER_KEY, {"number": _THE_ONE, "id": key_id, "updated": at}, key=("number",))


def _this(rotation: KeyRotation) -> ColumnElement[bool]:
    return and_(KEY_ROTATION.c.vault_id == rotation.vault_id, KEY_ROTATION.c.folded == fold_name(rotation.name))
