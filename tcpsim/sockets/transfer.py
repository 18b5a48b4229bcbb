"""Data transfer: what recv() and send() return, and the order of their checks.

Owns: the order of the checks (data, end of stream, error, shutdown, no connection), partial counts,
blocking. Refuses to know: what the bytes do to the connection (end).

Sources: Linux net/ipv4/tcp.c tcp_recvmsg_locked(), tcp_sendmsg_locked(), net/core/stream.c
sk_stream_wait_connect(), sk_stream_error(); FreeBSD sys/kern/uipc_socket.c soreceive_generic(),
sosend_generic(). SIGPIPE is taken to be ignored: a program sees EPIPE.
"""

from __future__ import annotations

from tcpsim.sockets.calls import Caller, Ioctl, Recv, Reply, Send, SendAll
from tcpsim.sockets.poll import OPENING, OVER, nothing_more_to_read
from tcpsim.sockets.processes import (
    Blocked,
    Phase,
    Returned,
    System,
    after,
    deadline,
    failed,
    requeue,
    tcb_of,
    wait,
    with_end,
)
from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.sndbuf import writable
from tcpsim.tcp.tcb import Tcb

_EAGAIN = Reply(None, "EAGAIN")
_EOF = Reply(0)


def recv(system: System, caller: Caller, call: Recv, file_id: int, now: int) -> Returned:
    """recv(): what there is, or the end, or the error; otherwise wait."""
    returned = _take(system, file_id, call, now)
    if returned.reply is not None:
        return returned
    file = system.files[file_id]
    blocked = Blocked(caller, call, (file_id,), deadline(file.rcvtimeo_us, now), _EAGAIN)
    return wait(returned, blocked, file.nonblocking or call.dontwait)


def recv_again(system: System, blocked: Blocked, call: Recv, now: int) -> Returned:
    """A sleeping recv() looks again."""
    return _take(system, blocked.files[0], call, now)


def _take(system: System, file_id: int, call: Recv, now: int) -> Returned:
    _, n, peek, _ = call
    file = system.files[file_id]
    tcb = tcb_of(system, file)
    if tcb is None or file.sid is None:
        return failed(system, "ENOTCONN")
    if n < 0:
        return failed(system, "EINVAL")
    if tcb.readable and n and peek:
        return Returned(system, Reply(min(n, tcb.readable)))
    if tcb.readable and n:
        result = tcp.receive(system.end, file.sid, n, now)
        return after(system, result, Reply(result.value))
    if n == 0 or (tcb.fin_received and system.end.stack.recv_end_first):
        return Returned(system, _EOF)
    if tcb.so_error is not None:
        if peek and not system.end.stack.peek_takes_error:
            return failed(system, tcb.so_error)
        return _error(system, file.sid)
    return Returned(system, _EOF if nothing_more_to_read(tcb) else None)


def _error(system: System, sid: int) -> Returned:
    """The pending error, which is reported once."""
    end, errno = tcp.take_error(system.end, sid)
    assert errno is not None
    return failed(with_end(system, end), errno)


def send(system: System, caller: Caller, call: Send | SendAll, file_id: int, now: int) -> Returned:
    """send(): hand bytes to the send buffer; a blocking socket waits until the buffer took them all."""
    returned, done = _give(system, file_id, call, 0, now)
    if returned.reply is not None:
        return returned
    file = system.files[file_id]
    until_us = deadline(file.sndtimeo_us, now)
    blocked = Blocked(caller, call, (file_id,), until_us, _late(call, done), done)
    return wait(returned, blocked, file.nonblocking)


def send_again(system: System, blocked: Blocked, call: Send | SendAll, now: int) -> Returned:
    """A sleeping send() is woken when there is room enough to be worth it, or nothing to wait for."""
    tcb = tcb_of(system, system.files[blocked.files[0]])
    if tcb is not None and _may_send(tcb) and not writable(tcb, system.end.stack):
        return Returned(system, None)
    returned, done = _give(system, blocked.files[0], call, blocked.done, now)
    if returned.reply is not None or done == blocked.done:
        return returned
    further = blocked._replace(done=done, late=_late(call, done))
    return returned._replace(system=requeue(returned.system, blocked, further))


def _late(call: Send | SendAll, done: int) -> Reply:
    return Reply(done) if done and isinstance(call, Send) else _EAGAIN


def _may_send(tcb: Tcb) -> bool:
    """Neither an error nor the end of our direction is in the way."""
    return tcb.so_error is None and not tcb.wr_shut and tcb.state not in OVER


def _give(system: System, file_id: int, call: Send | SendAll, done: int, now: int) -> tuple[Returned, int]:
    """One attempt to hand over the rest; also how many bytes have been handed over in all."""
    file = system.files[file_id]
    tcb = tcb_of(system, file)
    if tcb is None or file.sid is None:
        return failed(system, system.end.stack.send_unconnected_error), done
    if call.n < 0:
        return failed(system, "EINVAL"), done
    if not _may_send(tcb):
        if done and isinstance(call, Send):
            return Returned(system, Reply(done)), done  # the error waits for the next call
        shut = tcb.wr_shut or tcb.state in OVER
        if tcb.so_error is None or (shut and system.end.stack.send_epipe_first):
            return failed(system, "EPIPE"), done
        return _error(system, file.sid), done
    if tcb.state in OPENING:
        return Returned(system, None), done
    result = tcp.send(system.end, file.sid, call.n - done, now)
    done += result.value
    return after(system, result, Reply(done) if done == call.n else None), done


def ioctl(system: System, caller: Caller, call: Ioctl, file_id: int, now: int) -> Returned:
    """How many bytes wait in one of the two queues."""
    file = system.files[file_id]
    if call.request not in ("SIOCINQ", "SIOCOUTQ"):
        return failed(system, "ENOTTY")
    if file.phase is Phase.LISTENING:
        return failed(system, "EINVAL")
    tcb = tcb_of(system, file)
    if tcb is None:
        return Returned(system, Reply(0))
    return Returned(system, Reply(tcb.readable if call.request == "SIOCINQ" else tcb.unacked))
