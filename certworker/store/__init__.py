"""The only SQL: tables, engine, transactions, migrations, claims, events."""
