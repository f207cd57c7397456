"""Revocation: what tells of it, what was found out, and what follows."""
