"""The interface of this package: a call, a segment or the time goes in, and replies come out.

Owns: which function answers which call, and the completion of blocked calls after anything that may
have changed what they wait for. Refuses to know: what any one call means.

A blocked call is tried again if an open file that it waits for, or the socket behind it, has changed. Values
are immutable, so a comparison of object identities is enough. It costs nothing on a host where no call waits.
"""

from __future__ import annotations

from collections.abc import Callable

from tcpsim.sockets import lifetime, opening, options, poll, transfer
from tcpsim.sockets.calls import (
    Accept,
    Bind,
    Call,
    Caller,
    Close,
    Connect,
    Destroy,
    Dup,
    Exit,
    Fork,
    GetSockOpt,
    Ioctl,
    Kill,
    Listen,
    Poll,
    Recv,
    Reply,
    Send,
    SendAll,
    SetNonblocking,
    SetSockOpt,
    Shutdown,
    Socket,
)
from tcpsim.sockets.processes import Blocked, Completed, Returned, System, after, failed, file_at, requeue
from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.segment import Segment

# Which function answers: (system, caller, call, open file, now), or without the open file
_ON_FILE: dict[type[Call], Callable[..., Returned]] = {
    Bind: opening.bind,
    Listen: opening.listen,
    Connect: opening.connect,
    Accept: opening.accept,
    Send: transfer.send,
    SendAll: transfer.send,
    Recv: transfer.recv,
    Shutdown: lifetime.shutdown,
    Close: lifetime.close,
    SetSockOpt: options.set_option,
    GetSockOpt: options.get_option,
    Ioctl: transfer.ioctl,
    SetNonblocking: options.set_nonblocking,
    Dup: lifetime.dup,
}
_ON_PROCESS: dict[type[Call], Callable[..., Returned]] = {
    Socket: opening.socket,
    Poll: poll.poll,
    Fork: lifetime.fork,
    Exit: lifetime.exit_process,
    Kill: lifetime.kill,
    Destroy: lifetime.destroy,
}
# Which function tries again: (system, blocked, call, now)
_AGAIN: dict[type[Call], Callable[..., Returned]] = {
    Connect: opening.connect_again,
    Accept: opening.accept_again,
    Send: transfer.send_again,
    SendAll: transfer.send_again,
    Recv: transfer.recv_again,
    Close: lifetime.close_again,
    Poll: poll.poll_again,
}


def syscall(system: System, caller: Caller, call: Call, now: int) -> Returned:
    """A program makes a call. `caller` is a pid, or a `Thread` of a process.

    Raises:
        RuntimeError: the caller is blocked in another call.
    """
    kind = call.__class__
    if system.blocked and kind is not Kill and any(other.caller == caller for other in system.blocked):
        raise RuntimeError(f"{caller} calls {kind.__name__} while it is blocked in another call")
    on_file = _ON_FILE.get(kind)
    if on_file is None:
        returned = _ON_PROCESS[kind](system, caller, call, now)
    else:
        fd: int = call[0]  # type: ignore[misc, assignment]  # every call on a file begins with the descriptor
        file_id = file_at(system, caller, fd)
        known = file_id is not None
        returned = on_file(system, caller, call, file_id, now) if known else failed(system, "EBADF")
    return _settle(system, returned, now) if system.blocked else returned


def deliver(system: System, seg: Segment, now: int) -> Returned:
    """A segment arrives from the network."""
    returned = after(system, tcp.deliver(system.end, seg, now), None)
    return _settle(system, returned, now) if system.blocked else returned


def icmp(
    system: System,
    local_port: int,
    remote_port: int,
    seq: int,
    message: str,
    now: int,
    room: int | None = None,
) -> Returned:
    """An ICMP error about a segment of this host arrives (`messages.MESSAGES`); `room`: see `tcp.icmp`."""
    returned = after(system, tcp.icmp(system.end, local_port, remote_port, seq, message, now, room), None)
    return _settle(system, returned, now) if system.blocked else returned


def destroy(system: System, sid: int, now: int) -> Returned:
    """An operator kills one socket or listener of this host."""
    returned = lifetime.destroyed(Returned(system, None), sid, now)
    return _settle(system, returned, now) if system.blocked else returned


def expire(system: System, now: int) -> Returned:
    """Every timer that is due fires; a call that can be answered then is not late."""
    due_us = tcp.next_time(system.end)
    due = due_us is not None and due_us <= now
    returned = after(system, tcp.expire(system.end, now), None) if due else Returned(system, None)
    return _settle(system, returned, now, timeouts=True) if system.blocked else returned


def next_time(system: System) -> int | None:
    """When `expire` is due: a timer of the end, or the end of a call's patience; None: never."""
    earliest = tcp.next_time(system.end)
    for blocked in system.blocked:
        deadline_us = blocked.deadline_us
        if deadline_us is not None and (earliest is None or deadline_us < earliest):
            earliest = deadline_us
    return earliest


def _settle(before: System, returned: Returned, now: int, timeouts: bool = False) -> Returned:
    """Try again what may be answered since `before`; with `timeouts`, answer what has waited long enough."""
    answered = -1
    while answered != len(returned.completed):  # an answer may make room for another, on the same socket
        answered = len(returned.completed)
        for blocked in returned.system.blocked:
            system = returned.system
            if _changed(before, system, blocked):
                step = _AGAIN[blocked.call.__class__](system, blocked, blocked.call, now)
                if step.system is not system:
                    returned = _add(returned, step)
                if step.reply is not None:
                    returned = _answer(returned, blocked, step.reply, now)
        for blocked in returned.system.blocked if timeouts else ():
            if blocked.deadline_us is not None and blocked.deadline_us <= now:
                returned = _answer(returned, blocked, blocked.late, now)
    return returned


def _add(returned: Returned, step: Returned) -> Returned:
    """What a further step did, besides what was done already."""
    segments, notes = returned.segments + step.segments, returned.notes + step.notes
    return Returned(step.system, returned.reply, segments, notes, returned.completed)


def _answer(returned: Returned, blocked: Blocked, reply: Reply, now: int) -> Returned:
    """A blocked call returns, and holds its files no more."""
    system, own, segments, notes, completed = returned
    answered: Completed = (blocked.caller, blocked.call, reply)
    step = Returned(requeue(system, blocked, None), own, segments, notes, (*completed, answered))
    for file_id in blocked.files:
        step = lifetime.let_go(step, file_id, now)
    return step


def _changed(before: System, system: System, blocked: Blocked) -> bool:
    """Whether a file that a blocked call waits on, or the socket behind it, is another value than before."""
    old_end, end = before.end, system.end
    for file_id in blocked.files:
        file = system.files[file_id]
        if before.files.get(file_id) is not file:
            return True
        sid = file.sid
        if sid is not None:
            if old_end.sockets.get(sid) is not end.sockets.get(sid):
                return True
            if old_end.listeners.get(sid) is not end.listeners.get(sid):
                return True
    return False
