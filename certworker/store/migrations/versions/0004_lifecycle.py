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
    for name in ("paused_by", "paused_why", "route"):
        op.add_column("certificate", sa.Column(name, sa.String(), nullable=True))
    op.add_column("operation", sa.Column("issuer", sa.String(), nullable=True))
    op.add_column("operation", sa.Column("deadline", sa.BigInteger(), nullable=True))
    _make_watches()
    _make_resilience()
    _make_notices()
    _make_revocation()
    _make_spare_keys()
    _make_slots()
    _make_consents()


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
    _index_leases("watch", "what", "lease_until")


def _index_leases(table: str, *columns: str) -> None:
    leased = sa.text("lease_until IS NOT NULL")
    name = "_".join(("ix", table, *columns))
    op.create_index(name, table, list(columns), sqlite_where=leased, postgresql_where=leased)


def _make_notices() -> None:
    _make_ledger()
    _make_silences()
    # what is there already is looked at from now on, and what has happened already is not told
    found = sa.text("SELECT count(*) FROM head WHERE kind = 'certificate' AND current_version IS NOT NULL")
    # an INSERT of nothing would let SQLite begin to count at nothing
    if op.get_bind().scalar(found):
        op.execute(
            "INSERT INTO watch (what, vault_id, folded, kind, name, version, due_at, state, fence) "
            "SELECT 'expiry', vault_id, folded, kind, name, current_version, 0, '{}', 0 FROM head "
            "WHERE kind = 'certificate' AND current_version IS NOT NULL"
        )
    op.execute("INSERT INTO cursor (name, sequence) SELECT 'notices', max(sequence) FROM event HAVING count(*) > 0")


def _make_ledger() -> None:
    op.create_table(
        "notice",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("folded", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("name", "version", "topic", "threshold", "channel")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("address", "severity")),
        sa.Column("came_at", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("digest_id", sa.String(), nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_notice"),
        sa.UniqueConstraint("id", name="uq_notice_id"),
        sa.UniqueConstraint(
            *("vault_id", "kind", "folded", "version", "topic", "threshold", "channel", "address"),
            name="uq_notice_subject",
        ),
        _of_vault("notice"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notice_status_channel_due_at", "notice", ["status", "channel", "due_at"])
    op.create_index("ix_notice_digest_id", "notice", ["digest_id"])


def _make_silences() -> None:
    op.create_table(
        "silence",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("pattern", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_silence"),
        sa.UniqueConstraint("id", name="uq_silence_id"),
        _of_vault("silence"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_silence_vault_id", "silence", ["vault_id"])


def _of_vault(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["vault_id"],
        ["vault.id"],
        name=f"fk_{table}_vault",
        ondelete="CASCADE",
        deferrable=True,
        initially="DEFERRED",
    )


def _make_consents() -> None:
    op.create_table(
        "consent",
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", name="pk_consent"),
    )


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


def _make_revocation() -> None:
    op.create_table(
        "revocation_source",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("url", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("signer", sa.String(), nullable=False),
        sa.Column("issuer", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("etag", sa.String(), nullable=True),
        sa.Column("last_modified", sa.String(), nullable=True),
        sa.Column("list_number", sa.String(), nullable=True),
        sa.Column("next_update", sa.BigInteger(), nullable=True),
        sa.Column("fetched_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_revocation_source"),
        sa.UniqueConstraint("kind", "url", "signer", name="uq_revocation_source_kind_url_signer"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_revocation_source_kind_due_at", "revocation_source", ["kind", "due_at"])
    op.create_table(
        "compromised_key",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_compromised_key"),
    )


def _make_resilience() -> None:
    urgency, in_progress = ["deadline", "due_at", "number"], sa.text("status = 'inProgress'")
    op.create_index("ix_certificate_deadline", "certificate", urgency)
    _index_leases("certificate", "lease_until")
    op.create_index("ix_operation_deadline", "operation", urgency, sqlite_where=in_progress, postgresql_where=in_progress)
    op.create_table(
        "gate",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("folded", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("closed_until", sa.BigInteger(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("closings", sa.Integer(), nullable=False),
        sa.Column("witnesses", sa.String(), nullable=False),
        sa.Column("probe", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("vault_id", "folded", name="pk_gate"),
        sa.ForeignKeyConstraint(
            ["vault_id"], ["vault.id"], name="fk_gate_vault", ondelete="CASCADE", deferrable=True, initially="DEFERRED"
        ),
    )
    op.create_table(
        "failure_memory",
        sa.Column("ca", sa.String(), nullable=False),
        sa.Column("names", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("ca", "names", name="pk_failure_memory"),
    )
    op.create_index("ix_failure_memory_updated", "failure_memory", ["updated"])
    op.create_table(
        "bucket",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("full_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_bucket"),
    )
    op.create_index("ix_bucket_full_at", "bucket", ["full_at"])


def _make_slots() -> None:
    op.create_table(
        "order_slot",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("operation_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_order_slot"),
        sa.ForeignKeyConstraint(
            ["operation_id"],
            ["operation.id"],
            name="fk_order_slot_operation",
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        ),
    )
    op.create_index("ix_order_slot_operation_id", "order_slot", ["operation_id"])
