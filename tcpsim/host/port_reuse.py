"""A port that is used again: the next connection of a client begins where the last one on its ports ended.

Owns: the act that begins it in the same pair, so that its SYN meets what the server and a box between still
have. Refuses to know: which port is free and when (client_ports), and what a SYN meets (tcp).

The client's process is a new one, or the old one that is done with its work. The server needs somebody to
accept: a process that waits in accept(), one that is done with its work and goes back to it, or else a child
of the listening process, which has inherited nothing but the listener.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tcpsim.app import Program, accept, listen
from tcpsim.app.program import NO_FD, Running, start
from tcpsim.pair import FIRST_PID, Machine, Pair, advance
from tcpsim.path import Chooser
from tcpsim.sockets import Accept, Close, Fork, kernel, lifetime
from tcpsim.sockets.processes import FIRST_PORT, Phase, System
from tcpsim.tcp.state import State

_LISTEN, _ACCEPT = type(listen()), type(accept())


class Again(NamedTuple):
    """The next connection on the same ports, with the programs of its kind."""

    client: Program
    server: Program

    def __call__(self, pair: Pair, now_us: int, chooser: Chooser) -> Pair:
        client = _calling(pair.client, self.client, now_us)
        server = _accepting(pair.server, self.server, now_us)
        return advance(pair._replace(client=client, server=server, next_us=now_us), chooser)


def again(birth: Pair) -> Again:
    """The act for a connection that would have begun as `birth`."""
    return Again(birth.client.programs[0][1].program, birth.server.programs[0][1].program)


def _calling(machine: Machine, program: Program, now_us: int) -> Machine:
    """A client's machine with a process that is about to connect; one that was switched off is up again."""
    programs = dict(machine.programs)
    old = programs.get(FIRST_PID)
    pid = FIRST_PID if old is None or old.finished else 1 + max(programs)
    programs[pid] = _begun(machine, program, now_us)
    return Machine(_unbound(machine.system), tuple(sorted(programs.items())))


def _begun(machine: Machine, program: Program, now_us: int) -> Running:
    """A program of a machine that is about to begin, with the ports of those that are there already."""
    for _, each in machine.programs:
        return start(program, each.client_port, each.server_port, now_us)
    return start(program, now_us=now_us)


def _unbound(system: System) -> System:
    """Dead sockets that a program still holds have no port any more (inet_put_port in tcp_set_state).

    Ports that the host chooses begin anew, so that a program of several connections has the same ones again.
    """
    files = dict(system.files)
    for file_id, file in files.items():
        tcb = None if file.sid is None else system.end.sockets.get(file.sid)
        dead = tcb is None or tcb.state is State.CLOSED
        if file.phase is not Phase.LISTENING and file.port is not None and dead:
            files[file_id] = file._replace(port=None)
    return system._replace(files=files, next_port=FIRST_PORT)


def _accepting(machine: Machine, program: Program, now_us: int) -> Machine:
    """A server's machine with a process that will accept."""
    programs = dict(machine.programs)
    accepts = any(isinstance(op, _ACCEPT) for op in program.ops)
    waits = any(isinstance(each.call, Accept) for each in machine.system.blocked)
    if not machine.up or waits or not accepts:
        return machine
    old = programs.get(FIRST_PID)
    if old is None:
        programs[FIRST_PID] = _begun(machine, program, now_us)
        return machine._replace(programs=tuple(sorted(programs.items())))
    system = machine.system
    pid = FIRST_PID
    if not old.finished:
        pid = 1 + max(programs)
        forked = lifetime.fork(system, FIRST_PID, Fork(pid), now_us)  # whatever call its parent waits in
        system = _only_listening(forked.system, pid, now_us)
    programs[pid] = _back_to_accept(old, program, now_us)
    return machine._replace(system=system, programs=tuple(sorted(programs.items())))


def _only_listening(system: System, pid: int, now_us: int) -> System:
    """A child closes what it has inherited, but the listeners; its parent holds all of it."""
    for fd, file_id in tuple(system.tables[pid].items()):
        if system.files[file_id].phase is not Phase.LISTENING:
            system = kernel.syscall(system, pid, Close(fd), now_us).system
    return system


def _back_to_accept(old: Running, program: Program, now_us: int) -> Running:
    """A process that has the listeners of `old`, behind its last listen()."""
    ops: tuple[Any, ...] = program.ops
    first = next(place for place, op in enumerate(ops) if isinstance(op, _ACCEPT))
    listens = [place for place, op in enumerate(ops[:first]) if isinstance(op, _LISTEN)]
    fresh = start(program, old.client_port, old.server_port, now_us)
    fds = list(fresh.fds)
    for place in listens:
        name = program.sockets[program.slots[place]]
        if name in old.program.sockets:
            fds[program.slots[place]] = old.fds[old.program.sockets.index(name)]
    begin = listens[-1] + 1 if listens and NO_FD not in [fds[program.slots[each]] for each in listens] else 0
    return fresh._replace(pc=begin, fds=tuple(fds) if begin else fresh.fds)
