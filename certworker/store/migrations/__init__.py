"""The schema's history, for alembic. `certworker.store.migrate` runs it."""
