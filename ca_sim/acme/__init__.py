"""ACME: the objects and their states, and the server that speaks it (RFC 8555)."""
