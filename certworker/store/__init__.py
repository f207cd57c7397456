"""The only SQL: tables, engine, transactions, migrations, claims, events.

`migrate.migrate` brings a database to this release's schema, `engine.open_store` gives the port's `Store`. A noun has its
tables in `tables/`, and what is asked and changed in the file of its name; `transactions` puts the nouns together.
"""
