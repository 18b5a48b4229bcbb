"""Populations of a real kernel: numbers of sockets over time under a known loss (docs/conformance.md).

    input     `schema` reads a file strictly; `setup` turns a run into one connection of each kind
    replay    `replay` follows every life of one connection exactly; `sampled_replay` draws whole populations
    compare   `expected` gives the distribution that each count should have
    verdict   `verdict` takes the four steps: PASS, FAIL where a count lies outside its interval, or OPEN

`tcpsim conform` is the command.
"""

from tcpsim.conformance.populations.schema import Run, looks_like_one, read
from tcpsim.conformance.populations.setup import KINDS, Kind, connection, stack_of

__all__ = ["KINDS", "Kind", "Run", "connection", "looks_like_one", "read", "stack_of"]
