"""Populations of a real kernel: counts of sockets under known loss, read, and set up as connections.

run = read(path.read_bytes(), str(path))
pair = connection(run, "closer", phase_us=0)
"""

from tcpsim.conformance.populations.schema import Run, looks_like_one, read
from tcpsim.conformance.populations.setup import KINDS, Kind, connection, stack_of

__all__ = ["KINDS", "Kind", "Run", "connection", "looks_like_one", "read", "stack_of"]
