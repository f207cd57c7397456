"""Contacts of a vault; warnings and evidence of an operation; chains whose order is kept.

Only adds: a release that knows 0001 goes on beside this one, since what is new has a default.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add two tables and three columns."""
    op.create_table(
        "contact",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("phone", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("vault_id", "position", name="pk_contact"),
        _belongs_to("contact", "vault", "vault_id"),
    )
    op.create_table(
        "evidence",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("operation_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_evidence"),
        _belongs_to("evidence", "operation", "operation_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_evidence_operation_id", "evidence", ["operation_id"])
    op.add_column("operation", sa.Column("warnings", sa.String(), nullable=False, server_default="[]"))
    op.add_column("operation", sa.Column("preserve_order", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("certificate_version", sa.Column("preserve_order", sa.Boolean(), nullable=False, server_default=sa.false()))


def _belongs_to(table: str, owner: str, column: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{owner}"
    return sa.ForeignKeyConstraint(
        [column], [f"{owner}.id"], name=name, ondelete="CASCADE", deferrable=True, initially="DEFERRED"
    )
