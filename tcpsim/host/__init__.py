"""Simulate: many connections on hosts that may run out of things (SimPy)."""
