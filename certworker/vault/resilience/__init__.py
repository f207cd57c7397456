"""Resilience: what is remembered of failures, when a CA is left alone, how much it is asked, and who is asked instead."""
