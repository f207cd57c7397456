"""Signing in: how people and programs show who they are, and the tokens that they get for it."""
