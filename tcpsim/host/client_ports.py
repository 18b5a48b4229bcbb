"""The ports of client hosts towards one service: who has which, and which is used next.

Owns: the four-tuples of each host, in the order in which they were free. Refuses to know: what a connection
does with one (admission), and what the next one on it meets (port_reuse).

A four-tuple is free while the client's host has no socket on it but dead ones (CLOSED), whatever the server
has. The one that has been free for longest is used next, so that a host goes round through its range.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from tcpsim.app import Program, connect
from tcpsim.host.connection import Port

_CONNECT = type(connect())


class ClientPorts:
    """`hosts` hosts with so many ports each, of which a connection takes as many as its program opens."""

    def __init__(self, hosts: int, ports: int, program: Program) -> None:
        each = ports // opens(program)
        self.free = [deque(Port(host) for _ in range(each)) for host in range(hosts)]
        self.arrived = 0

    def take(self) -> Port | None:
        """A port for the next connection, whose host is the next in turn; None: that host has none left."""
        free = self.free[self.arrived % len(self.free)]
        self.arrived += 1
        if not free:
            return None
        port = free.popleft()
        port.busy = True
        return port

    def changed(self, port: Port, holds: bool) -> None:
        """The client's host has a socket on the port now, or has none."""
        if port.busy and not holds:
            port.busy = False
            self.free[port.host].append(port)


def opens(program: Program) -> int:
    """How many connections a program opens at most, one after the other or at once; at least one."""
    ops: tuple[Any, ...] = program.ops
    return max(1, sum(isinstance(op, _CONNECT) for op in ops))
