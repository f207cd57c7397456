"""Simulation: the worker's own rounds and `ca_sim` on one virtual clock, in one thread."""
