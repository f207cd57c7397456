"""Grants: codes and refresh tokens that wait to be exchanged for tokens; and when a key that signed tokens retires.

Only adds: a release that knows 0006 goes on beside this one. It believes retired keys for longer, and that is all.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables and the column."""
    op.add_column("signing_key", sa.Column("retires", sa.BigInteger(), nullable=True))
    words = ("tenant_id", "client_id", "object_id", "redirect_uri", "challenge", "scope", "nonce", "family")
    _make("authorization_code", *_words(words), _time("expires"), _time("used", nullable=True))
    _make(
        "device_code",
        *_words(("user_code", "tenant_id", "client_id", "scope")),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        _time("expires"),
        *_words(("state", "object_id")),
        _time("polled", nullable=True),
    )
    op.create_index("ix_device_code_user_code", "device_code", ["user_code"], unique=True)
    times = (_time("signed_in"), _time("issued"), _time("expires"), _time("used", nullable=True))
    _make("refresh_token", *_words(("family", "tenant_id", "client_id", "object_id")), *times)
    for column in ("family", "object_id"):
        op.create_index(f"ix_refresh_token_{column}", "refresh_token", [column])
    op.create_table(
        "guesses",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        _time("last"),
        _time("locked_until", nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_guesses"),
    )
    op.create_index("ix_guesses_last", "guesses", ["last"])


def _make(table: str, *columns: sa.Column[Any]) -> None:
    key = sa.PrimaryKeyConstraint("hash", name=f"pk_{table}")
    op.create_table(table, sa.Column("hash", sa.String(), nullable=False), *columns, key)
    op.create_index(f"ix_{table}_expires", table, ["expires"])


def _words(names: tuple[str, ...]) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)
