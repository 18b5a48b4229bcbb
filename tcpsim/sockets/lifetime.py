"""The end of a socket: close, shutdown, dup, fork, exit, kill, and an operator's kill.

Owns: who still holds a socket, when its connection is closed, and how long a lingering close() sleeps.
Refuses to know: what closing puts on the wire (end).

Sources: Linux net/ipv4/af_inet.c inet_release() (SO_LINGER makes close() wait, but not the exit of a
process), net/ipv4/tcp.c __tcp_close() (the socket becomes an orphan only after the wait),
net/core/stream.c sk_stream_wait_close(); FreeBSD sys/kern/uipc_socket.c soclose().
"""

from __future__ import annotations

from tcpsim.errors import InputError
from tcpsim.sockets.calls import Caller, Close, Destroy, Dup, Exit, Fork, Kill, Reply, Shutdown
from tcpsim.sockets.processes import (
    Blocked,
    Phase,
    Returned,
    System,
    add_fd,
    after,
    failed,
    has_room,
    options_of,
    pid_of,
    tcb_of,
    wait,
    with_end,
    with_file,
)
from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.state import State

_OK = Reply(0)
_OUR_FIN_UNACKED = (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)


def shutdown(system: System, caller: Caller, call: Shutdown, file_id: int, now: int) -> Returned:
    """shutdown(): one or both directions; on a listener, reading ends the listening."""
    if call.how not in ("RD", "WR", "RDWR"):
        return failed(system, "EINVAL")
    rd, wr = call.how != "WR", call.how != "RD"
    file = system.files[file_id]
    tcb = tcb_of(system, file)
    if file.sid is None or (tcb is not None and tcb.state in (State.CLOSED, State.TIME_WAIT)):
        return failed(system, "ENOTCONN")
    if tcb is not None:
        return after(system, tcp.shutdown(system.end, file.sid, now, rd, wr), _OK)
    if not rd:
        return Returned(system, _OK)
    returned = after(system, tcp.close(system.end, file.sid, now), _OK)
    fresh = file._replace(sid=None, phase=Phase.FRESH, options=options_of(system, file))
    return returned._replace(system=with_file(returned.system, file_id, fresh))


def close(system: System, caller: Caller, call: Close, file_id: int, now: int) -> Returned:
    """close(): the descriptor is free at once; with the last reference the connection is closed."""
    pid = pid_of(caller)
    table = dict(system.tables[pid])
    del table[call.fd]
    file = system.files[file_id]
    files = {**system.files, file_id: file._replace(refs=file.refs - 1)}
    system = system._replace(tables={**system.tables, pid: table}, files=files)
    if not _forgotten(system, file_id):
        return Returned(system, _OK)
    linger_us = _linger_us(system, file_id)
    if linger_us:
        return _linger(system, caller, call, file_id, linger_us, now)
    return let_go(Returned(system, _OK), file_id, now)


def _linger_us(system: System, file_id: int) -> int:
    """How long close() may sleep; 0 where it does not."""
    file = system.files[file_id]
    tcb = tcb_of(system, file)
    if tcb is None or tcb.options.linger is None or not tcb.options.linger[0]:
        return 0
    stack = system.end.stack
    if tcb.readable and stack.rst_on_unread_close:
        return 0
    if file.nonblocking and not stack.linger_blocks_nonblocking:
        return 0
    return tcb.options.linger[1]


def _linger(system: System, caller: Caller, call: Close, file_id: int, linger_us: int, now: int) -> Returned:
    """Send the FIN and sleep until it is acknowledged; the socket has an owner until then."""
    sid = system.files[file_id].sid
    assert sid is not None
    returned = after(system, tcp.shutdown(system.end, sid, now, rd=True, wr=True), None)
    if returned.system.end.sockets[sid].state not in _OUR_FIN_UNACKED:
        return let_go(returned._replace(reply=_OK), file_id, now)
    late = Reply(None, "EAGAIN") if system.end.stack.linger_reads_eagain else _OK
    return wait(returned, Blocked(caller, call, (file_id,), now + linger_us, late))


def close_again(system: System, blocked: Blocked, call: Close, now: int) -> Returned:
    """A lingering close() looks again; whoever completes it lets go of the socket."""
    tcb = tcb_of(system, system.files[blocked.files[0]])
    lingering = tcb is not None and tcb.state in _OUR_FIN_UNACKED
    return Returned(system, None if lingering else _OK)


def let_go(returned: Returned, file_id: int, now: int) -> Returned:
    """Close the socket of an open file that nothing refers to any more; no-op while something does."""
    system, reply, segments, notes, completed = returned
    if not _forgotten(system, file_id):
        return returned
    files = dict(system.files)
    sid = files.pop(file_id).sid
    end = system.end
    if sid is not None:
        closed = tcp.close(end, sid, now)
        end, segments, notes = closed.end, segments + closed.segments, notes + closed.notes
    return Returned(system._replace(end=end, files=files), reply, segments, notes, completed)


def _forgotten(system: System, file_id: int) -> bool:
    """No descriptor refers to the open file and no call waits on it: a waiting call holds it too (fget())."""
    file = system.files.get(file_id)
    if file is None or file.refs:
        return False
    return not any(file_id in blocked.files for blocked in system.blocked)


def dup(system: System, caller: Caller, call: Dup, file_id: int, now: int) -> Returned:
    """dup(): one more descriptor, one more reference."""
    if not has_room(system, caller):
        return failed(system, "EMFILE")
    file = system.files[file_id]
    system, fd = add_fd(system, caller, file_id, file._replace(refs=file.refs + 1))
    return Returned(system, Reply(fd))


def fork(system: System, caller: Caller, call: Fork, now: int) -> Returned:
    """fork(): the child has a copy of every descriptor.

    Raises:
        InputError: a process of that number exists.
    """
    if call.child_pid in system.tables:
        raise InputError("fork.child_pid", call.child_pid, "a pid that no process has")
    table = system.tables.get(pid_of(caller), {})
    files = dict(system.files)
    for file_id in table.values():
        files[file_id] = files[file_id]._replace(refs=files[file_id].refs + 1)
    tables = {**system.tables, call.child_pid: table}
    return Returned(system._replace(tables=tables, files=files), Reply(call.child_pid))


def exit_process(system: System, caller: Caller, call: Exit, now: int) -> Returned:
    """_exit(): as kill(), by the process itself."""
    return _end_process(system, pid_of(caller), now)


def kill(system: System, caller: Caller, call: Kill, now: int) -> Returned:
    """kill(): the process is gone, its blocked calls never return; ESRCH if there is no such process."""
    if call.pid not in system.tables:
        return failed(system, "ESRCH")
    return _end_process(system, call.pid, now)


def _end_process(system: System, pid: int, now: int) -> Returned:
    interrupted = [blocked for blocked in system.blocked if pid_of(blocked.caller) == pid]
    table = system.tables.get(pid, {})
    system = system._replace(
        tables={other: fds for other, fds in system.tables.items() if other != pid},
        blocked=tuple(blocked for blocked in system.blocked if pid_of(blocked.caller) != pid),
    )
    gone: list[int] = [file_id for _, file_id in sorted(table.items())]
    for file_id in gone:
        file = system.files[file_id]
        system = with_file(system, file_id, file._replace(refs=file.refs - 1))
    gone += [file_id for blocked in interrupted for file_id in blocked.files]
    returned = Returned(system, _OK)
    for file_id in gone:
        returned = let_go(returned, file_id, now)
    return returned


def destroy(system: System, caller: Caller, call: Destroy, now: int) -> Returned:
    """ss -K state ..., tcpdrop -s: every socket of the host in one of these states; how many there were."""
    returned = Returned(system, None)
    end = system.end
    found = [number for number, tcb in end.sockets.items() if tcb.state in call.states]
    found += list(end.listeners) if State.LISTEN in call.states else []
    for sid in sorted(found):
        returned = destroyed(returned, sid, now)
    return returned._replace(reply=Reply(len(found)))


def destroyed(returned: Returned, sid: int, now: int) -> Returned:
    """One socket or listener less; a program that holds it keeps its descriptor, and the error."""
    system, reply, segments, notes, completed = returned
    end = system.end
    if sid not in end.sockets and sid not in end.listeners:
        return returned  # it was in the accept queue of a listener that was killed before
    result = tcp.destroy(end, sid, now)
    system = with_end(system, result.end)
    for file_id, file in system.files.items():
        if file.sid == sid and sid in end.listeners and sid not in result.end.listeners:
            fresh = file._replace(sid=None, phase=Phase.FRESH, options=end.listeners[sid].options)
            system = with_file(system, file_id, fresh)
    return Returned(system, reply, segments + result.segments, notes + result.notes, completed)
