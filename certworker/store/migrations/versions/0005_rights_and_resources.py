"""Who may do what, and what vaults lie in: access policies, roles, groups, subscriptions; and the audit log's tables.

Only adds: a release that knows 0004 goes on beside this one. What it adds meanwhile has the defaults of here, and its
administrators, who may do everything, keep doing so there; here they have the roles that are assigned below.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ORDERED = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OWNER, KEY_VAULT_ADMINISTRATOR = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "00482a5a-887f-4fb3-b363-3b7fe8e74483"
COUNTED = ("access_policy", "role_definition", "role_assignment", "group_member")


def upgrade() -> None:
    """Add columns to vaults, add the tables, and give every administrator the roles that do as much."""
    _widen_vaults()
    _make_resources()
    _make_rights()
    _make_audit()
    _count_changes()
    _carry_over(op.get_bind())


def _widen_vaults() -> None:
    for name in ("rbac", "public_access"):
        op.add_column("vault", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.true()))
    for name in ("network", "deployment", "tags"):
        op.add_column("vault", sa.Column(name, sa.String(), nullable=False, server_default="{}"))
    for name in ("created_by", "updated_by"):
        op.add_column("vault", sa.Column(name, sa.String(), nullable=False, server_default=""))
    for name in ("updated", "deleted", "purge_at"):
        op.add_column("vault", sa.Column(name, sa.BigInteger(), nullable=True))


def _make_resources() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscription"),
    )
    op.create_index("ix_subscription_tenant_id", "subscription", ["tenant_id"])
    op.create_table(
        "resource_group",
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("tags", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", "folded", name="pk_resource_group"),
        _belongs_to("resource_group", "subscription", "subscription_id"),
    )


def _make_rights() -> None:
    op.create_table(
        "access_policy",
        sa.Column("vault_id", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("application_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("permissions", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("vault_id", "object_id", "application_id", name="pk_access_policy"),
        _belongs_to("access_policy", "vault", "vault_id"),
    )
    texts = ("name", "description", "permissions", "assignable_scopes")
    op.create_table(
        "role_definition",
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("folded", ORDERED, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
        *_authored(),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_role_definition"),
        sa.UniqueConstraint("tenant_id", "folded", name="uq_role_definition_tenant_id_folded"),
    )
    once = ("principal_id", "role_id", "folded_scope")
    words = ("id", "tenant_id", "scope", "folded_scope", "role_id", "principal_id", "principal_type")
    op.create_table(
        "role_assignment",
        sa.Column("number", SERIAL, nullable=False, autoincrement=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in words),
        *_authored(),
        sa.Column("description", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_role_assignment"),
        sa.UniqueConstraint("tenant_id", "id", name="uq_role_assignment_tenant_id_id"),
        sa.UniqueConstraint(*once, name="_".join(("uq_role_assignment", *once))),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_role_assignment_principal_id", "role_assignment", ["principal_id"])
    op.create_table(
        "group_member",
        sa.Column("number", SERIAL, nullable=False, autoincrement=True),
        sa.Column("group_id", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_group_member"),
        sa.UniqueConstraint("group_id", "member_id", name="uq_group_member_group_id_member_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_group_member_member_id", "group_member", ["member_id"])


def _make_audit() -> None:
    op.create_table(
        "audit_pending",
        sa.Column("number", SERIAL, nullable=False, autoincrement=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_pending"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit_head",
        sa.Column("chain_id", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", name="pk_audit_head"),
    )


def _authored() -> tuple[sa.Column[Any], ...]:
    times = (sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created", "updated"))
    return (*times, *(sa.Column(name, sa.String(), nullable=False) for name in ("created_by", "updated_by")))


def _belongs_to(table: str, owner: str, column: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{owner}"
    return sa.ForeignKeyConstraint([column], [f"{owner}.id"], name, ondelete="CASCADE", deferrable=True, initially="DEFERRED")


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
    """Make the subscriptions and resource groups that vaults are in already, and assign roles to administrators."""
    tables = sa.MetaData()
    tables.reflect(connection, only=["vault", "principal", "subscription", "resource_group", "role_assignment"])
    vault, principal = tables.tables["vault"].c, tables.tables["principal"].c
    places = sa.select(vault.subscription_id, vault.tenant_id, vault.resource_group, vault.location, sa.func.min(vault.created))
    groups = connection.execute(places.group_by(*places.selected_columns[:4]).order_by(vault.subscription_id)).all()
    known: set[tuple[str, ...]] = set()
    for subscription_id, tenant_id, group, location, created in groups:
        if (subscription_id,) not in known:
            known.add((subscription_id,))
            row = {"id": subscription_id, "tenant_id": tenant_id, "display_name": "certworker", "created": created}
            connection.execute(sa.insert(tables.tables["subscription"]).values(row))
            wanted = sa.select(principal.object_id).where(principal.administrator, principal.tenant_id == tenant_id)
            for (object_id,) in connection.execute(wanted).all():
                _assign(connection, tables.tables["role_assignment"], row, object_id)
        if (subscription_id, group.upper()) not in known:
            known.add((subscription_id, group.upper()))
            place = {"subscription_id": subscription_id, "folded": group.upper(), "name": group}
            values = {**place, "location": location, "created": created, "tags": "{}"}
            connection.execute(sa.insert(tables.tables["resource_group"]).values(values))


def _assign(connection: sa.Connection, table: sa.Table, subscription: Mapping[str, Any], object_id: str) -> None:
    scope = f"/subscriptions/{subscription['id']}"
    for role_id in (OWNER, KEY_VAULT_ADMINISTRATOR):
        row = {"id": str(uuid4()), "tenant_id": subscription["tenant_id"], "scope": scope, "folded_scope": scope.lower()}
        row |= {"role_id": role_id, "principal_id": object_id, "principal_type": "ServicePrincipal"}
        times = dict.fromkeys(("created", "updated"), subscription["created"])
        connection.execute(sa.insert(table).values({**row, **times, "created_by": "", "updated_by": ""}))
