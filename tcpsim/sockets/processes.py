"""A host's processes, descriptors and open files: the values that the system calls work on.

Owns: the tables between a descriptor and a socket, reference counts, and the state of a blocked call. Refuses
to know: what a call returns (the other modules of this package), and any protocol.

A process's descriptor refers to an open file, as in POSIX: fork() and dup() make more descriptors for
the same open file, and the socket is closed when the last of them is gone and no call still waits on
it. Descriptors 0 to 2 are taken, so a process's first socket is 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from tcpsim.sockets.calls import Call, Caller, Reply
from tcpsim.tcp.endpoint import Endpoint, Result
from tcpsim.tcp.event import Note
from tcpsim.tcp.segment import Segment
from tcpsim.tcp.tcb import SocketOptions, Tcb

FIRST_FD = 3
FIRST_PORT = 32_768  # of those that the host chooses by itself; how many there are, the stack says


class Phase(IntEnum):
    """How far connect(), listen() or accept() have brought a socket (Linux ``socket.state``)."""

    FRESH = 0
    LISTENING = 1
    CONNECTING = 2
    CONNECTED = 3


class OpenFile(NamedTuple):
    """What descriptors refer to. `sid` is its socket or listener in the end, None while FRESH."""

    sid: int | None
    phase: Phase
    refs: int
    port: int | None  # given by bind()
    nonblocking: bool
    options: SocketOptions  # set before the end has the socket
    rcvtimeo_us: int  # 0 = for ever
    sndtimeo_us: int


class Blocked(NamedTuple):
    """A call that has not returned. It is tried again whenever one of `files` has changed."""

    caller: Caller
    call: Call
    files: tuple[int, ...]
    deadline_us: int | None
    late: Reply  # what it returns if nothing else happens before the deadline
    done: int = 0  # bytes handed over so far


class System(NamedTuple):
    """One host above its end. Immutable: every function returns a new one."""

    end: Endpoint
    tables: Mapping[int, Mapping[int, int]]  # pid -> descriptor -> open file
    files: Mapping[int, OpenFile]
    blocked: tuple[Blocked, ...]  # in the order in which they began to wait
    next_port: int
    nofile: int  # descriptors per process, 0 to 2 included


Completed = tuple[Caller, Call, Reply]


class Returned(NamedTuple):
    """What a step of a host gave. `reply` None: the call blocks; `completed`: calls that blocked before."""

    system: System
    reply: Reply | None
    segments: tuple[Segment, ...] = ()
    notes: tuple[Note, ...] = ()
    completed: tuple[Completed, ...] = ()


def new_system(end: Endpoint, nofile: int | None = None) -> System:
    """A host with no process yet; a process begins with its first call, or with fork().

    `nofile` limits the descriptors of each process (default: what the stack's profile says).
    """
    return System(end, {}, {}, (), FIRST_PORT, end.stack.nofile if nofile is None else nofile)


def pid_of(caller: Caller) -> int:
    """The process that a caller belongs to."""
    return caller if isinstance(caller, int) else caller.pid


def with_end(system: System, end: Endpoint) -> System:
    """The same host, its end a step further."""
    return System._make((end, *system[1:]))


def with_file(system: System, file_id: int, file: OpenFile) -> System:
    """The same host, one open file changed."""
    return system._replace(files={**system.files, file_id: file})


def failed(system: System, errno: str) -> Returned:
    """-1 and errno; nothing changed."""
    return Returned(system, Reply(None, errno))


def after(system: System, result: Result, reply: Reply | None) -> Returned:
    """What a step of the end left behind."""
    return Returned(with_end(system, result.end), reply, result.segments, result.notes)


def wait(returned: Returned, blocked: Blocked, nonblocking: bool = False) -> Returned:
    """The call joins the queue of those that wait, or is late at once where it may not wait."""
    if nonblocking:
        return returned._replace(reply=blocked.late)
    system = returned.system
    return returned._replace(system=system._replace(blocked=(*system.blocked, blocked)))


def deadline(timeo_us: int, now: int) -> int | None:
    """When a call that begins now gives up, for SO_RCVTIMEO or SO_SNDTIMEO."""
    return now + timeo_us if timeo_us else None


def oversleep(system: System, caller: Caller, until_us: int) -> System:
    """The same host, but the call that `caller` waits in loses its patience at `until_us`, if it has any."""
    queue = tuple(
        blocked._replace(deadline_us=until_us)
        if blocked.caller == caller and blocked.deadline_us is not None
        else blocked
        for blocked in system.blocked
    )
    return system._replace(blocked=queue)


def requeue(system: System, old: Blocked, new: Blocked | None) -> System:
    """The queue with one entry brought up to date, or taken out."""
    end, tables, files, waiting, next_port, nofile = system
    queue = [new if blocked is old else blocked for blocked in waiting]
    left = tuple([blocked for blocked in queue if blocked is not None])
    return System(end, tables, files, left, next_port, nofile)


def file_at(system: System, caller: Caller, fd: int) -> int | None:
    """The open file behind a descriptor of the caller's process."""
    table = system.tables.get(pid_of(caller))
    return None if table is None else table.get(fd)


def tcb_of(system: System, file: OpenFile) -> Tcb | None:
    """The connection behind an open file; None for a fresh or a listening socket."""
    return None if file.sid is None else system.end.sockets.get(file.sid)


def options_of(system: System, file: OpenFile) -> SocketOptions:
    """The socket's options, wherever they are kept in this phase."""
    if file.sid is None:
        return file.options
    holder = system.end.sockets.get(file.sid) or system.end.listeners[file.sid]
    return holder.options


def has_room(system: System, caller: Caller) -> bool:
    """Whether the process may have another descriptor."""
    return FIRST_FD + len(system.tables.get(pid_of(caller), ())) < system.nofile


def add_fd(system: System, caller: Caller, file_id: int, file: OpenFile) -> tuple[System, int]:
    """The process's lowest free descriptor refers to `file`, whose count includes it already."""
    pid = pid_of(caller)
    table = system.tables.get(pid, {})
    fd = FIRST_FD
    while fd in table:
        fd += 1
    tables = {**system.tables, pid: {**table, fd: file_id}}
    return system._replace(tables=tables, files={**system.files, file_id: file}), fd


def add_file(system: System, caller: Caller, file: OpenFile) -> tuple[System, int]:
    """A new open file and the caller's descriptor for it."""
    file_id = 0
    while file_id in system.files:
        file_id += 1
    return add_fd(system, caller, file_id, file)


def held(system: System) -> frozenset[int]:
    """The end's sockets and listeners that a descriptor or a waiting call holds."""
    return frozenset([file.sid for file in system.files.values() if file.sid is not None])


def socket_of(system: System, caller: Caller, fd: int) -> int | None:
    """The end's socket or listener behind a descriptor, for whoever looks at a host from outside."""
    file_id = file_at(system, caller, fd)
    return None if file_id is None else system.files[file_id].sid
