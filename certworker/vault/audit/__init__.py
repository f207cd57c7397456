"""Audit: the record of every request and of what the service does by itself, and that none is lost."""
