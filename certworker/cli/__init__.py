"""The terminal: `certworker NOUN VERB`, one call deep."""
