"""Keys and secrets whole: SKU and purge protection, release and rotation policies, notices, keys in a token, the master key.

Only adds: a release that knows 0002 goes on beside this one, since what is new has a default.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add five tables, ten columns and three indexes."""
    op.add_column("vault", sa.Column("sku", sa.String(), nullable=False, server_default="standard"))
    op.add_column("vault", sa.Column("purge_protection", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("key_version", sa.Column("hsm_key_id", sa.String(), nullable=True))
    op.add_column("key_version", sa.Column("release_policy", sa.String(), nullable=True))
    op.add_column("operation", sa.Column("hsm_key_id", sa.String(), nullable=True))
    for table in ("key_version", "secret_version"):
        op.add_column(table, sa.Column("notice_at", sa.BigInteger(), nullable=True))
        noticed = sa.text("notice_at IS NOT NULL")
        op.create_index(f"ix_{table}_notice_at", table, ["notice_at"], sqlite_where=noticed, postgresql_where=noticed)
    in_token = sa.text("hsm_key_id IS NOT NULL")
    for table in ("key_version", "operation"):
        op.create_index(f"ix_{table}_hsm_key_id", table, ["hsm_key_id"], sqlite_where=in_token, postgresql_where=in_token)
    _make_tables()


def _make_tables() -> None:
    op.create_table(
        "key_rotation",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_key_rotation"),
        sa.UniqueConstraint("vault_id", "folded", name="uq_key_rotation_vault_id_folded"),
        sa.ForeignKeyConstraint(
            ["vault_id", "kind", "folded"],
            ["head.vault_id", "head.kind", "head.folded"],
            name="fk_key_rotation_head",
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_key_rotation_due_at", "key_rotation", ["due_at"])
    op.create_table(
        "hsm_key",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hsm_key"),
    )
    op.create_table(
        "used_assertion",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_used_assertion"),
    )
    op.create_table(
        "master_key",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_master_key"),
    )
    registry = op.create_table(
        "registry",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_registry"),
    )
    op.bulk_insert(registry, [{"number": 1, "generation": 0}])
    _count_changes()


def _count_changes() -> None:
    """Count changes of the registry in the database itself: those of an older release, and of a person's SQL, count too."""
    tables, count = ("vault", "vault_key", "principal", "signing_key"), "UPDATE registry SET generation = generation + 1"
    if op.get_bind().dialect.name == "sqlite":
        for table in tables:
            for verb in ("INSERT", "UPDATE", "DELETE"):
                op.execute(f"CREATE TRIGGER count_{table}_{verb.lower()} AFTER {verb} ON {table} BEGIN {count}; END")
        return
    op.execute(
        f"CREATE OR REPLACE FUNCTION count_registry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {count}; RETURN NULL; END $$"
    )
    for table in tables:
        op.execute(
            f"CREATE TRIGGER count_{table} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION count_registry()"
        )
