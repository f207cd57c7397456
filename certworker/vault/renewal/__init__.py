"""Renewal: when a certificate is renewed, and why."""
