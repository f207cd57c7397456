"""Where the audit log can be read: storage accounts, and diagnostic settings that route a vault's records there.

Only adds: a release that knows the schema before goes on beside this one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

ORDERED = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "storage_account",
        sa.Column("folded", ORDERED, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("name", "tenant_id", "subscription_id", "resource_group")),
        sa.Column("folded_group", ORDERED, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("location", "sku", "tags")),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("folded", name="pk_storage_account"),
        _belongs_to("storage_account", "resource_group", ["subscription_id", "folded_group"], ["subscription_id", "folded"]),
    )
    op.create_table(
        "diagnostic_setting",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("storage_account", ORDERED, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("categories", "groups")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("since", "created", "updated")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("created_by", "updated_by")),
        sa.PrimaryKeyConstraint("vault_id", "folded", name="pk_diagnostic_setting"),
        _belongs_to("diagnostic_setting", "vault", ["vault_id"], ["id"]),
        _belongs_to("diagnostic_setting", "storage_account", ["storage_account"], ["folded"]),
    )
    op.create_index("ix_diagnostic_setting_storage_account", "diagnostic_setting", ["storage_account"])


def _belongs_to(table: str, owner: str, columns: list[str], there: list[str]) -> sa.ForeignKeyConstraint:
    referred = [f"{owner}.{column}" for column in there]
    name = f"fk_{table}_{owner}"
    return sa.ForeignKeyConstraint(columns, referred, name, ondelete="CASCADE", deferrable=True, initially="DEFERRED")
