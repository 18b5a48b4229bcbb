"""Dumps: the output of commands about the sockets of a host, read into plain values.

Owns: the formats (ss, netstat of four systems, /proc/net/tcp, lsof, conntrack, and counters), the format of
a line, and the count of lines that could not be read. Refuses to know: what the state of a socket means
(diagnosis). Standard library only.
"""

from __future__ import annotations

from tcpsim.dumps.dump import Address as Address
from tcpsim.dumps.dump import Dump as Dump
from tcpsim.dumps.dump import Flow as Flow
from tcpsim.dumps.dump import Owner as Owner
from tcpsim.dumps.dump import Socket as Socket
from tcpsim.dumps.dump import Timer as Timer
from tcpsim.dumps.read import read as read
