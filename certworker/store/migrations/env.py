"""Alembic's entry: runs on the connection that `migrate` holds, inside its transaction and under its lock."""

from alembic import context

from certworker.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,  # SQLite too: the transaction is begun by us, not by the driver
    on_version_apply=context.config.attributes.get("on_version_apply"),
)
with context.begin_transaction():
    context.run_migrations()
