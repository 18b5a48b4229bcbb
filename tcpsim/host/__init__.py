"""Simulation of many connections on hosts with limits (SimPy)."""
