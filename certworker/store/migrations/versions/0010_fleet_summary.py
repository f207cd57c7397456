"""The summary of the fleet: its tables, and the triggers that note which certificates have changed.

Only adds: a release that knows the schema before goes on beside this one, and what it changes is noted as well.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

ORDERED = sa.String().with_variant(sa.String(collation="C"), "postgresql")
COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

WATCHED = {
    "certificate": (
        "name, issuer, due_at, reason, failures, last_error, deadline, paused_since",
        "",
    ),
    "head": ("current_version, deleted_at", "kind = 'certificate'"),
    "certificate_version": ("enabled, not_before, expires", ""),
    "operation": ("status, due_at, issuer", ""),
    "watch": ("version, state", ""),
}
"""Tables about certificates: the columns whose change is noted, and which rows are about one."""


NOTE = (
    "INSERT INTO fleet_change (vault_id, folded) SELECT ROW.vault_id, ROW.folded "
    "WHERE NOT EXISTS (SELECT 1 FROM fleet_change WHERE vault_id = ROW.vault_id AND folded = ROW.folded)"
)


def upgrade() -> None:
    """Add tables and triggers, and note every certificate that there is."""
    _make_tables()
    if op.get_bind().dialect.name == "sqlite":
        _watch_on_sqlite()
    else:
        _watch_on_postgresql()
    op.execute("INSERT INTO fleet_change (vault_id, folded) SELECT vault_id, folded FROM certificate")


def _make_tables() -> None:
    op.create_table(
        "fleet_member",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("urgency", sa.String(), nullable=False),
        sa.Column("urgent_at", sa.BigInteger(), nullable=False),
        sa.Column("needy_from", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("vault", "name", "issuer", "state")),
        sa.Column("version", sa.String(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("not_before", "not_after", "due_at")),
        sa.Column("source", sa.String(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("deadline", "window_start", "window_end")),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("next_attempt", "paused_since")),
        sa.Column("overdue", sa.String(), nullable=True),
        sa.Column("pending_since", sa.BigInteger(), nullable=True),
        sa.Column("revocation", sa.String(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("revocation_since", "checked")),
        sa.Column("method", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "folded", name="pk_fleet_member"),
    )
    op.create_index("ix_fleet_member_urgency_urgent_at", "fleet_member", ["urgency", "urgent_at"])
    op.create_index("ix_fleet_member_vault_id_urgency_urgent_at", "fleet_member", ["vault_id", "urgency", "urgent_at"])
    _partial_index("ix_fleet_member_not_after", ["not_after"], "enabled")
    _partial_index("ix_fleet_member_vault_id_needy_from", ["vault_id", "needy_from"], "needy_from IS NOT NULL")
    pending = ["vault", "issuer", "pending_since"]
    _partial_index("ix_fleet_member_vault_issuer_pending_since", pending, "pending_since IS NOT NULL")
    op.create_table(
        "fleet_count",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("measure", "vault", "issuer", "word")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("hour", "number")),
        sa.PrimaryKeyConstraint("measure", "vault", "issuer", "word", "hour", name="pk_fleet_count"),
    )
    op.create_table(
        "fleet_change",
        sa.Column("number", COUNTED, nullable=False, autoincrement=True),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_fleet_change"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_fleet_change_vault_id_folded", "fleet_change", ["vault_id", "folded"])


def _partial_index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "fleet_member", columns, sqlite_where=where, postgresql_where=where)


def _watch_on_sqlite() -> None:
    """Note each certificate once: writers are one after the other here, and whoever takes the notes is one of them."""
    for table, (columns, condition) in WATCHED.items():
        for verb, row in ((f"UPDATE OF {columns}", "NEW"), ("INSERT", "NEW"), ("DELETE", "OLD")):
            when = f" WHEN {row}.{condition}" if condition else ""
            name, note = f"fleet_{table}_{verb.split()[0].lower()}", NOTE.replace("ROW", row)
            op.execute(f"CREATE TRIGGER {name} AFTER {verb} ON {table}{when} BEGIN {note}; END")
    op.execute(
        "CREATE TRIGGER fleet_vault_update AFTER UPDATE OF name, deleted ON vault BEGIN "
        "INSERT INTO fleet_change (vault_id, folded) SELECT vault_id, folded FROM certificate WHERE vault_id = NEW.id; END"
    )


def _watch_on_postgresql() -> None:
    """Note each change: whether there is a note already cannot be known, since its taker may be about to take it away."""
    op.execute(
        "CREATE OR REPLACE FUNCTION note_fleet_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'DELETE' THEN INSERT INTO fleet_change (vault_id, folded) VALUES (OLD.vault_id, OLD.folded); "
        "ELSE INSERT INTO fleet_change (vault_id, folded) VALUES (NEW.vault_id, NEW.folded); END IF; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE OR REPLACE FUNCTION note_fleet_of_vault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO fleet_change (vault_id, folded) SELECT vault_id, folded FROM certificate WHERE vault_id = NEW.id; "
        "RETURN NULL; END $$"
    )
    for table, (columns, condition) in WATCHED.items():
        for verb, row in ((f"INSERT OR UPDATE OF {columns}", "NEW"), ("DELETE", "OLD")):
            when = f" WHEN ({row}.{condition})" if condition else ""
            name = f"fleet_{table}_{verb.split()[0].lower()}"
            op.execute(f"CREATE TRIGGER {name} AFTER {verb} ON {table} FOR EACH ROW{when} EXECUTE FUNCTION note_fleet_change()")
    op.execute(
        "CREATE TRIGGER fleet_vault_update AFTER UPDATE OF name, deleted ON vault "
        "FOR EACH ROW EXECUTE FUNCTION note_fleet_of_vault()"
    )
