"""Bytes in, bytes out. No clock, no I/O, no database."""
