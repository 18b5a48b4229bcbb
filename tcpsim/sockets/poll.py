"""Readiness: the poll bits, and the thresholds at which a sleeping call wakes up.

Owns: poll(). Refuses to know: how a socket came to its levels.

Sources: Linux net/ipv4/tcp.c tcp_poll(), include/net/sock.h sk_stream_is_writeable(); FreeBSD
sys/kern/uipc_socket.c sopoll_generic().
"""

from __future__ import annotations

from tcpsim.sockets.calls import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLRDHUP,
    Caller,
    Poll,
    Reply,
    poll_names,
)
from tcpsim.sockets.processes import Blocked, OpenFile, Phase, Returned, System, file_at, tcb_of, wait
from tcpsim.tcp.sndbuf import writable
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import Tcb

# A socket in TIME-WAIT has no connection left that a program could use: Linux hands it to a timewait socket
# and leaves the program's own in CLOSE; BSD calls soisdisconnected().
OVER = (State.CLOSED, State.TIME_WAIT)
OPENING = (State.SYN_SENT, State.SYN_RECEIVED)

_ALWAYS = POLLERR | POLLHUP | POLLNVAL  # reported whether asked for or not


def nothing_more_to_read(tcb: Tcb) -> bool:
    """No byte will be added to the receive queue: end of stream, shutdown(RD), or the connection is over."""
    return tcb.fin_received or tcb.rd_shut or tcb.state in OVER


def poll_bits(system: System, file: OpenFile) -> int:
    """All the bits that are true of a socket."""
    tcb = tcb_of(system, file)
    if tcb is None:
        if file.phase is not Phase.LISTENING or file.sid is None:
            return POLLOUT | POLLHUP
        return POLLIN if system.end.listeners[file.sid].accept_queue else 0
    bits = 0
    no_more = nothing_more_to_read(tcb)
    may_not_send = tcb.wr_shut or tcb.state in OVER
    if no_more:
        bits |= POLLIN | POLLRDHUP
        if may_not_send:
            bits |= POLLHUP
    if tcb.state not in OPENING:
        if tcb.readable:
            bits |= POLLIN
        if may_not_send or writable(tcb, system.end.stack):
            bits |= POLLOUT
    if tcb.so_error is not None:
        bits |= POLLERR if system.end.stack.poll_err else POLLIN | POLLOUT
    return bits


def _ready(system: System, call: Poll, files: tuple[int | None, ...]) -> tuple[tuple[int, str], ...]:
    ready = []
    for fd, file_id, asked in zip(call.fds, files, call.asked(), strict=True):
        wanted = asked | _ALWAYS
        bits = POLLNVAL if file_id is None else poll_bits(system, system.files[file_id]) & wanted
        if bits:
            ready.append((fd, poll_names(bits)))
    return tuple(ready)


def poll(system: System, caller: Caller, call: Poll, now: int) -> Returned:
    """poll(): at once if anything is ready, else at the first change that makes it so, or at the timeout."""
    files = tuple(file_at(system, caller, fd) for fd in call.fds)
    ready = _ready(system, call, files)
    if ready or call.timeout_us == 0:
        return Returned(system, Reply(ready))
    deadline_us = None if call.timeout_us is None else now + call.timeout_us
    known = tuple(file_id for file_id in files if file_id is not None)  # all: an unknown one is ready
    return wait(Returned(system, None), Blocked(caller, call, known, deadline_us, Reply(())))


def poll_again(system: System, blocked: Blocked, call: Poll, now: int) -> Returned:
    """A sleeping poll() looks again."""
    ready = _ready(system, call, blocked.files)
    return Returned(system, Reply(ready) if ready else None)
