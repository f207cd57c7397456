"""The first tables: vaults and people, issuers, objects and their versions, operations, events and counts.

Revises nothing. The types are written out here and not taken from the tables of today, which move on.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ORDERED: Final = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SERIAL: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IN_PROGRESS: Final = sa.text("status = 'inProgress'")
DELETED: Final = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    """Create the tables, owners before what belongs to them."""
    _create_vaults()
    _create_issuers()
    _create_heads()
    _create_keys()
    _create_secrets()
    _create_certificate_versions()
    _create_certificates()
    _create_operations()
    _create_journal()
    _create_events()
    _create_counts()


def _belongs_to(table: str, owner: str, *columns: str, to: tuple[str, ...] | None = None) -> sa.ForeignKeyConstraint:
    there = [f"{owner}.{column}" for column in to or columns]
    name = f"fk_{table}_{owner}"
    return sa.ForeignKeyConstraint(columns, there, name=name, ondelete="CASCADE", deferrable=True, initially="DEFERRED")


def _create_vaults() -> None:
    op.create_table(
        "vault",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("resource_group", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_vault"),
        sa.UniqueConstraint("folded", name="uq_vault_folded"),
    )
    op.create_table(
        "vault_key",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("master_key_id", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "term", name="pk_vault_key"),
        _belongs_to("vault_key", "vault", "vault_id", to=("id",)),
    )
    op.create_table(
        "principal",
        sa.Column("number", SERIAL, nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("administrator", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_principal"),
        sa.UniqueConstraint("client_id", name="uq_principal_client_id"),
        sa.UniqueConstraint("object_id", name="uq_principal_object_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "signing_key",
        sa.Column("number", SERIAL, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_signing_key"),
        sa.UniqueConstraint("id", name="uq_signing_key_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_signing_key_tenant_id", "signing_key", ["tenant_id"], unique=False)


def _create_issuers() -> None:
    op.create_table(
        "issuer",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("sealed_credential", sa.LargeBinary(), nullable=True),
        sa.Column("organization", sa.String(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "folded", name="pk_issuer"),
        _belongs_to("issuer", "vault", "vault_id", to=("id",)),
    )
    op.create_table(
        "account",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("vault_id", "folded", "authority", name="pk_account"),
        _belongs_to("account", "vault", "vault_id", to=("id",)),
    )
    op.create_table(
        "challenge",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("response", sa.String(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_challenge"),
    )
    op.create_index("ix_challenge_expires", "challenge", ["expires"], unique=False)


def _create_heads() -> None:
    op.create_table(
        "head",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("current_version", sa.String(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("managed", sa.Boolean(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("purge_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("vault_id", "kind", "folded", name="pk_head"),
        _belongs_to("head", "vault", "vault_id", to=("id",)),
    )
    op.create_index("ix_head_purge_at", "head", ["purge_at"], unique=False, sqlite_where=DELETED, postgresql_where=DELETED)


def _create_keys() -> None:
    op.create_table(
        "key_version",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("version", ORDERED, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("tags", sa.String(), nullable=False),
        sa.Column("kty", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("key_ops", sa.String(), nullable=False),
        sa.Column("exportable", sa.Boolean(), nullable=False),
        sa.Column("managed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "folded", "version", name="pk_key_version"),
        _belongs_to("key_version", "head", "vault_id", "kind", "folded"),
    )


def _create_secrets() -> None:
    op.create_table(
        "secret_version",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("version", ORDERED, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("tags", sa.String(), nullable=False),
        sa.Column("sealed_value", sa.LargeBinary(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=True),
        sa.Column("managed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "folded", "version", name="pk_secret_version"),
        _belongs_to("secret_version", "head", "vault_id", "kind", "folded"),
    )


def _create_certificate_versions() -> None:
    op.create_table(
        "certificate_version",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("version", ORDERED, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("tags", sa.String(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "folded", "version", name="pk_certificate_version"),
        _belongs_to("certificate_version", "head", "vault_id", "kind", "folded"),
    )


def _create_certificates() -> None:
    op.create_table(
        "certificate",
        sa.Column("number", SERIAL, nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("policy_created", sa.BigInteger(), nullable=False),
        sa.Column("policy_updated", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("jitter", sa.Double(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_certificate"),
        _belongs_to("certificate", "head", "vault_id", "kind", "folded"),
        sa.UniqueConstraint("vault_id", "folded", name="uq_certificate_vault_id_folded"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_certificate_due_at", "certificate", ["due_at"], unique=False)


def _create_operations() -> None:
    op.create_table(
        "operation",
        sa.Column("number", SERIAL, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("csr", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("tags", sa.String(), nullable=False),
        sa.Column("progress", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("cancellation_requested", sa.Boolean(), nullable=False),
        sa.Column("status_details", sa.String(), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_operation"),
        _belongs_to("operation", "head", "vault_id", "kind", "folded"),
        sa.UniqueConstraint("id", name="uq_operation_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_operation_due_at",
        "operation",
        ["due_at", "number"],
        unique=False,
        sqlite_where=IN_PROGRESS,
        postgresql_where=IN_PROGRESS,
    )
    op.create_index("ix_operation_vault_id_folded_number", "operation", ["vault_id", "folded", "number"], unique=False)
    op.create_index(
        "ux_operation_in_progress",
        "operation",
        ["vault_id", "folded"],
        unique=True,
        sqlite_where=IN_PROGRESS,
        postgresql_where=IN_PROGRESS,
    )


def _create_journal() -> None:
    op.create_table(
        "journal",
        sa.Column("operation_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("operation_id", "sequence", name="pk_journal"),
        _belongs_to("journal", "operation", "operation_id", to=("id",)),
    )


def _create_events() -> None:
    op.create_table(
        "event",
        sa.Column("sequence", SERIAL, nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_event"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cursor",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_cursor"),
    )


def _create_counts() -> None:
    op.create_table(
        "tally",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "folded", "result", name="pk_tally"),
        _belongs_to("tally", "vault", "vault_id", to=("id",)),
    )
    op.create_table(
        "heartbeat",
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("job", name="pk_heartbeat"),
    )
