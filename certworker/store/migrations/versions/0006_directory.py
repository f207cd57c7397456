"""The directory: users, groups, applications, and what applications show.

Only adds: a release that knows 0005 goes on beside this one. What it adds meanwhile is a service principal without an
application of its own, which signs in by the secret that lies with it.
"""

from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ORDERED = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COUNTED = ("directory_user", "directory_group", "application")


def upgrade() -> None:
    """Add columns to service principals, add the tables, and give every service principal its application."""
    op.add_column("principal", sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("principal", sa.Column("resource_id", sa.String(), nullable=False, server_default=""))
    _make_people()
    _make_applications()
    _make_credentials()
    _count_changes()
    _carry_over(op.get_bind())


def _make_people() -> None:
    _make(
        "directory_user",
        _word("object_id"),
        _word("tenant_id"),
        sa.Column("folded", ORDERED, nullable=False),
        _word("user_name"),
        _word("display_name"),
        sa.Column("created", sa.BigInteger(), nullable=False),
        _word("password_hash", nullable=True),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("enabled", "administrator", "must_change_password")),
        _word("mail", nullable=True),
        _word("mail_nickname"),
        _word("given_name", nullable=True),
        _word("surname", nullable=True),
        sa.UniqueConstraint("object_id", name="uq_directory_user_object_id"),
        sa.UniqueConstraint("tenant_id", "folded", name="uq_directory_user_tenant_id_folded"),
    )
    _make(
        "directory_group",
        *map(_word, ("object_id", "tenant_id", "display_name")),
        sa.Column("created", sa.BigInteger(), nullable=False),
        _word("description", nullable=True),
        _word("mail_nickname"),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("mail_enabled", "security_enabled")),
        sa.UniqueConstraint("object_id", name="uq_directory_group_object_id"),
    )
    op.create_index("ix_directory_group_tenant_id", "directory_group", ["tenant_id"])
    _make(
        "directory_owner",
        *map(_word, ("object_id", "owner_id")),
        sa.UniqueConstraint("object_id", "owner_id", name="uq_directory_owner_object_id_owner_id"),
    )
    op.create_index("ix_directory_owner_owner_id", "directory_owner", ["owner_id"])


def _make_applications() -> None:
    _make(
        "application",
        *map(_word, ("object_id", "client_id", "tenant_id", "display_name")),
        sa.Column("created", sa.BigInteger(), nullable=False),
        *map(_word, ("identifier_uris", "redirect_uris")),
        sa.Column("public_client", sa.Boolean(), nullable=False),
        _word("manifest"),
        sa.UniqueConstraint("object_id", name="uq_application_object_id"),
        sa.UniqueConstraint("client_id", name="uq_application_client_id"),
    )
    op.create_index("ix_application_tenant_id", "application", ["tenant_id"])


def _make_credentials() -> None:
    _make(
        "application_credential",
        *map(_word, ("client_id", "key_id", "kind")),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=True),
        *(_word(name, nullable=True) for name in ("display_name", "secret_hash")),
        _word("hint"),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        _word("thumbprint"),
        sa.UniqueConstraint("client_id", "key_id", name="uq_application_credential_client_id_key_id"),
        _of_application("application_credential"),
    )
    _make(
        "federated_credential",
        *map(_word, ("id", "client_id", "name", "issuer", "subject", "audiences")),
        _word("description", nullable=True),
        sa.UniqueConstraint("id", name="uq_federated_credential_id"),
        sa.UniqueConstraint("client_id", "name", name="uq_federated_credential_client_id_name"),
        _of_application("federated_credential"),
    )


def _make(name: str, *parts: Any) -> None:  # noqa: ANN401 - columns and constraints
    number = sa.Column("number", SERIAL, nullable=False, autoincrement=True)
    op.create_table(name, number, *parts, sa.PrimaryKeyConstraint("number", name=f"pk_{name}"), sqlite_autoincrement=True)


def _word(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _of_application(table: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_application"
    return sa.ForeignKeyConstraint(
        ["client_id"], ["application.client_id"], name, ondelete="CASCADE", deferrable=True, initially="DEFERRED"
    )


def _count_changes() -> None:
    """Count changes of these tables among those of the registry."""
    if op.get_bind().dialect.name == "sqlite":
        count = "UPDATE registry SET generation = generation + 1"
        for table in COUNTED:
            for verb in ("INSERT", "UPDATE", "DELETE"):
                op.execute(f"CREATE TRIGGER count_{table}_{verb.lower()} AFTER {verb} ON {table} BEGIN {count}; END")
        return
    for table in COUNTED:
        op.execute(
            f"CREATE TRIGGER count_{table} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION count_registry()"
        )


def _carry_over(connection: sa.Connection) -> None:
    """Make the application of every service principal that there is already."""
    tables = sa.MetaData()
    tables.reflect(connection, only=["principal", "application"])
    principal = tables.tables["principal"].c
    wanted = sa.select(principal.client_id, principal.tenant_id, principal.display_name, principal.created)
    for row in connection.execute(wanted.order_by(principal.number)).mappings().all():
        empty = {"identifier_uris": "[]", "redirect_uris": "{}", "public_client": False, "manifest": "{}"}
        connection.execute(sa.insert(tables.tables["application"]).values({**row, **empty, "object_id": str(uuid4())}))
