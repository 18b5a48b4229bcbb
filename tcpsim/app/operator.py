"""The operator of a host, who kills sockets that programs hold.

Owns: the step that kills, and the process of an operator who acts once. Refuses to know: which segments a
kill sends (tcp).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tcpsim import sockets
from tcpsim.app.control_flow import Acted, Single
from tcpsim.app.program import Program, Running, Step
from tcpsim.app.wait_steps import wait
from tcpsim.errors import InputError
from tcpsim.sockets import Reply
from tcpsim.tcp.state import State, parse_state

LEAKS = ("FIN-WAIT-2", "CLOSE-WAIT", "LAST-ACK")  # the states that an operator finds too many of


@dataclass(frozen=True, slots=True)
class _KillSockets(Single):
    states: frozenset[State]
    does: ClassVar[tuple[str, ...]] = ("destroys",)
    calls: ClassVar[int] = 1

    def act(self, r: Running, slot: int, reply: Reply | None, now_us: int) -> Acted:
        if reply is None:
            return r.phase_to(1), sockets.Destroy(self.states)
        return r.at(r.pc + 1), None

    def describe(self) -> str:
        return f"kill the host's sockets in {', '.join(map(str, sorted(self.states)))}"


def kill_sockets(*states: str | State) -> Step:
    """Kill every socket of the host in these states, as ``ss -K state ...`` and ``tcpdrop -s`` do.

    Whoever holds it keeps the descriptor and gets ECONNABORTED.
    """
    if not states:
        raise InputError("kill_sockets", "no state", "one or more, such as CLOSE-WAIT")
    try:
        found = frozenset(state if isinstance(state, State) else parse_state(state) for state in states)
    except ValueError as error:
        raise InputError("kill_sockets", str(error), ", ".join(map(str, State))) from None
    return _KillSockets(found)


def comes_once(after: str | int, *states: str | State) -> Program:
    """The operator's process: looks at the host once, so long after its start, and kills what leaks."""
    return Program([wait(after), kill_sockets(*(states or LEAKS))], name="operator")
