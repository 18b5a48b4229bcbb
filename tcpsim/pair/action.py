"""The acts on a host of a pair, from outside or by one of its programs.

Owns: the names of these acts. Refuses to know: what follows from them (instant).
"""

from __future__ import annotations

from typing import NamedTuple

from tcpsim import sockets
from tcpsim.app.program import Reboot, Vanish
from tcpsim.pair.pair import FIRST_PID
from tcpsim.sockets import Call, Caller
from tcpsim.sockets.processes import Returned as Outcome
from tcpsim.tcp.segment import Segment


class Resume(NamedTuple):
    """For `call`: wake a program that stands at a pause(), or at an obey() that takes this order."""

    pid: int = FIRST_PID
    order: int = 0


class Make(NamedTuple):
    """For `call`: a process, or a thread of one, that is not inside a call makes this one."""

    caller: Caller
    call: Call


class Inject(NamedTuple):
    """For `call`: a segment that neither end sent reaches the machine at `due_us`."""

    segment: Segment
    due_us: int


class PutOff(NamedTuple):
    """For `call`: what is due first on a socket comes late, at `until_us`, as kernels' timers do."""

    socket: int
    until_us: int


class Oversleep(NamedTuple):
    """For `call`: the end of a waiting call's own patience comes late, at `until_us`."""

    caller: Caller
    until_us: int


class Befall(NamedTuple):
    """For `call`: the machine's kernel has done something by itself, or its host to it: what that gave."""

    outcome: Outcome


Action = sockets.Kill | Vanish | Reboot | Resume | Make | Inject | PutOff | Oversleep | Befall
