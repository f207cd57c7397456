"""What belongs to keys beside their versions: rotation, the keys of a token, used assertions; and the master key in force."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row as Found
from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from certworker.store.columns import KindText, OrderedText, RotationText, Serial, UnixTime
from certworker.store.tables.row import Row, Values, belongs_to, table_of
from certworker.vault.objects import ObjectKind, fold_name
from certworker.vault.rotation_policy import KeyRotation, RotationPolicy


class KeyRotationRow(Row, table=True):
    """A key's rotation policy, the rotation to come, and the lease of whoever sees to it. `number` is as for certificates."""

    __tablename__ = "key_rotation"
    __table_args__ = (
        belongs_to("head", "vault_id", "kind", "folded"),
        UniqueConstraint("vault_id", "folded"),
        {"sqlite_autoincrement": True},
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=Serial)
    vault_id: str
    folded: str = Field(sa_type=OrderedText)
    kind: ObjectKind = Field(sa_type=KindText)
    name: str
    policy: RotationPolicy = Field(sa_type=RotationText)
    created: datetime = Field(sa_type=UnixTime)
    updated: datetime = Field(sa_type=UnixTime)
    due_at: datetime | None = Field(sa_type=UnixTime, index=True)
    failures: int
    last_error: str | None
    lease_owner: str | None
    lease_until: datetime | None = Field(sa_type=UnixTime)
    fence: int


class HsmKeyRow(Row, table=True):
    """A key that was made in the token, or was about to be: recorded before, so that none is left there unknown."""

    __tablename__ = "hsm_key"

    id: str = Field(primary_key=True)
    vault_id: str
    created: datetime = Field(sa_type=UnixTime)


class UsedAssertionRow(Row, table=True):
    """An assertion that a key was released for, by its hash; kept until it has expired, so that it counts once."""

    __tablename__ = "used_assertion"

    digest: str = Field(primary_key=True)
    expires: datetime = Field(sa_type=UnixTime)


class MasterKeyRow(Row, table=True):
    """The id of the master key in force: one row. Vault keys are wrapped under it, and under no other from then on."""

    __tablename__ = "master_key"

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    id: str
    updated: datetime = Field(sa_type=UnixTime)


KEY_ROTATION = table_of(KeyRotationRow)
HSM_KEY = table_of(HsmKeyRow)
USED_ASSERTION = table_of(UsedAssertionRow)
MASTER_KEY = table_of(MasterKeyRow)


def rotation_record(row: Found[Any]) -> KeyRotation:
    """Make the record of a rotation."""
    return KeyRotation(
        vault_id=row.vault_id,
        name=row.name,
        policy=row.policy,
        created=row.created,
        updated=row.updated,
        due_at=row.due_at,
        failures=row.failures,
        last_error=row.last_error,
        fence=row.fence,
    )


def rotation_values(rotation: KeyRotation) -> Values:
    """Make the row of a rotation, without lease and fence."""
    return {
        "vault_id": rotation.vault_id,
        "folded": fold_name(rotation.name),
        "kind": ObjectKind.KEY,
        "name": rotation.name,
        "policy": rotation.policy,
        "created": rotation.created,
        "updated": rotation.updated,
        "due_at": rotation.due_at,
        "failures": rotation.failures,
        "last_error": rotation.last_error,
    }
