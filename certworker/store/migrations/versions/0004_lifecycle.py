"""The lifecycle whole: what a renewal remembers, urgency, and watches over certificates.

Only adds: a release that knows 0003 goes on beside this one, since what is new may be absent or has a default.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add columns to certificates and operations, and the tables of the lifecycle."""
    for name in ("deadline", "paused_since", "requested_at", "blamed_since"):
        op.add_column("certificate", sa.Column(name, sa.BigInteger(), nullable=True))
    for name in ("paused_by", "paused_why"):
        op.add_column("certificate", sa.Column(name, sa.String(), nullable=True))
    op.add_column("operation", sa.Column("issuer", sa.String(), nullable=True))
    op.add_column("operation", sa.Column("deadline", sa.BigInteger(), nullable=True))
    _make_watches()
    _make_spare_keys()


def _make_watches() -> None:
    op.create_table(
        "watch",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_watch"),
        sa.UniqueConstraint("what", "vault_id", "folded", name="uq_watch_what_vault_id_folded"),
        sa.ForeignKeyConstraint(
            ["vault_id", "kind", "folded"],
            ["head.vault_id", "head.kind", "head.folded"],
            name="fk_watch_head",
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_watch_what_due_at", "watch", ["what", "due_at"])


def _make_spare_keys() -> None:
    op.create_table(
        "spare_key",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_spare_key"),
        sa.UniqueConstraint("id", name="uq_spare_key_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_spare_key_kind_number", "spare_key", ["kind", "number"])
