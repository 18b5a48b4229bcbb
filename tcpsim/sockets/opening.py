"""From a new socket to a connected one: socket, bind, listen, connect, accept.

Owns: who may have which port, the answers of connect() at each stage, descriptors for accepted
connections. Refuses to know: the handshake, and whether an old connection yields its 4-tuple (end).

Sources: Linux net/ipv4/af_inet.c __inet_stream_connect(), inet_csk_get_port() in
net/ipv4/inet_connection_sock.c (a port is shared only if both sockets set SO_REUSEADDR and neither
listens), net/socket.c __sys_accept4() (the descriptor is reserved first, so EMFILE comes before EAGAIN).
"""

from __future__ import annotations

from itertools import chain

from tcpsim.sockets.calls import Accept, Bind, Caller, Connect, Listen, Reply, Socket
from tcpsim.sockets.poll import OPENING
from tcpsim.sockets.processes import (
    FIRST_PORT,
    Blocked,
    OpenFile,
    Phase,
    Returned,
    System,
    add_file,
    deadline,
    failed,
    has_room,
    options_of,
    tcb_of,
    wait,
    with_end,
    with_file,
)
from tcpsim.tcp import endpoint as tcp
from tcpsim.tcp.state import State
from tcpsim.tcp.tcb import SocketOptions

_OK = Reply(0)
_LAST_PORT = 65_535


def socket(system: System, caller: Caller, call: Socket, now: int) -> Returned:
    """socket(): the lowest free descriptor."""
    if not has_room(system, caller):
        return failed(system, "EMFILE")
    fresh = OpenFile(None, Phase.FRESH, 1, None, False, SocketOptions(), 0, 0)
    system, fd = add_file(system, caller, fresh)
    return Returned(system, Reply(fd))


def bind(system: System, caller: Caller, call: Bind, file_id: int, now: int) -> Returned:
    """bind(): the port, or one that the host chooses for port 0."""
    file = system.files[file_id]
    if file.phase is not Phase.FRESH or file.port is not None or not 0 <= call.port <= _LAST_PORT:
        return failed(system, "EINVAL")
    if call.port:
        if _port_taken(system, call.port, file.options.reuseaddr):
            return failed(system, "EADDRINUSE")
        return Returned(with_file(system, file_id, file._replace(port=call.port)), _OK)
    system, port = _choose_port(system, _ports_in_use(system))
    if port is None:
        return failed(system, "EADDRINUSE")
    return Returned(with_file(system, file_id, file._replace(port=port)), _OK)


def listen(system: System, caller: Caller, call: Listen, file_id: int, now: int) -> Returned:
    """listen(): the socket becomes a listener of the end."""
    file = system.files[file_id]
    if file.phase is not Phase.FRESH:
        return failed(system, "EINVAL")
    port = file.port
    if port is None:
        system, port = _choose_port(system, _ports_in_use(system))
    if port is None or any(listener.port == port for listener in system.end.listeners.values()):
        return failed(system, "EADDRINUSE")
    end, sid = tcp.listen(system.end, port, call.backlog, file.options)
    listening = file._replace(sid=sid, phase=Phase.LISTENING, port=port)
    return Returned(with_file(with_end(system, end), file_id, listening), _OK)


def connect(system: System, caller: Caller, call: Connect, file_id: int, now: int) -> Returned:
    """connect(): begins the handshake once, and tells how far it is when asked again."""
    file = system.files[file_id]
    if file.phase is Phase.CONNECTING:
        returned = _connected(system, file_id, now)
        late = "EALREADY"
    elif file.phase is Phase.FRESH:
        returned = _start(system, file_id, call, now)
        late = "EINPROGRESS"
    else:
        return failed(system, "EISCONN")
    if returned.reply is not None:
        return returned
    until_us = deadline(file.sndtimeo_us, now)
    blocked = Blocked(caller, call, (file_id,), until_us, Reply(None, late))
    return wait(returned, blocked, file.nonblocking)


def connect_again(system: System, blocked: Blocked, call: Connect, now: int) -> Returned:
    """A sleeping connect() looks again."""
    return _connected(system, blocked.files[0], now)


def _start(system: System, file_id: int, call: Connect, now: int) -> Returned:
    file = system.files[file_id]
    port = file.port
    if port is None:
        system, port = _choose_port(system, _ports_in_use(system, call.port))
        if port is None:
            return failed(system, "EADDRNOTAVAIL")
    result, sid = tcp.connect(system.end, port, call.port, now, file.options)
    if not sid:
        return failed(system, "EADDRNOTAVAIL")
    system = with_file(with_end(system, result.end), file_id, file._replace(sid=sid, phase=Phase.CONNECTING))
    return Returned(system, None, result.segments, result.notes)


def _connected(system: System, file_id: int, now: int) -> Returned:
    """What has become of the handshake; after a failure the socket is as new and may try again."""
    file = system.files[file_id]
    tcb = tcb_of(system, file)
    if tcb is None or file.sid is None:
        return failed(system, "ECONNABORTED")
    if tcb.state in OPENING:
        return Returned(system, None)
    if tcb.state is not State.CLOSED:
        return Returned(with_file(system, file_id, file._replace(phase=Phase.CONNECTED)), _OK)
    result = tcp.close(system.end, file.sid, now)
    fresh = file._replace(sid=None, phase=Phase.FRESH, options=tcb.options)
    system = with_file(with_end(system, result.end), file_id, fresh)
    return Returned(system, Reply(None, tcb.so_error or "ECONNABORTED"), result.segments, result.notes)


def accept(system: System, caller: Caller, call: Accept, file_id: int, now: int) -> Returned:
    """accept(): a descriptor for the oldest connection that waits, or wait for one."""
    returned = _pop(system, caller, file_id)
    if returned.reply is not None:
        return returned
    file = system.files[file_id]
    until_us = deadline(file.rcvtimeo_us, now)
    blocked = Blocked(caller, call, (file_id,), until_us, Reply(None, "EAGAIN"))
    return wait(returned, blocked, file.nonblocking)


def accept_again(system: System, blocked: Blocked, call: Accept, now: int) -> Returned:
    """A sleeping accept() looks again."""
    return _pop(system, blocked.caller, blocked.files[0])


def _pop(system: System, caller: Caller, file_id: int) -> Returned:
    listener = system.files[file_id]
    if not has_room(system, caller):
        return failed(system, "EMFILE")
    if listener.phase is not Phase.LISTENING or listener.sid is None:
        return failed(system, "EINVAL")
    end, sid = tcp.accept(system.end, listener.sid)
    if sid is None:
        return Returned(system, None)
    timeouts = listener.rcvtimeo_us, listener.sndtimeo_us
    nonblocking = listener.nonblocking and end.stack.accept_inherits_nonblocking
    child = OpenFile(sid, Phase.CONNECTED, 1, None, nonblocking, SocketOptions(), *timeouts)
    system, fd = add_file(with_end(system, end), caller, child)
    return Returned(system, Reply(fd))


def _port_taken(system: System, port: int, reuse: bool) -> bool:
    """Whether bind() must fail: the port is shared only among those that all agree and do not listen."""
    end = system.end
    if any(listener.port == port for listener in end.listeners.values()):
        return True
    for tcb in end.sockets.values():
        if tcb.local_port == port and tcb.state is not State.CLOSED and not (reuse and tcb.options.reuseaddr):
            return True
    return any(
        file.port == port and not (reuse and options_of(system, file).reuseaddr)
        for file in system.files.values()
        if file.phase is not Phase.LISTENING
    )


def _ports_in_use(system: System, remote_port: int | None = None) -> set[int]:
    """Local ports that the host does not choose by itself: bound, or connected to that remote port."""
    end = system.end
    used = {file.port for file in system.files.values() if file.port is not None}
    used.update(listener.port for listener in end.listeners.values())
    used.update(
        tcb.local_port
        for tcb in end.sockets.values()
        if tcb.state is not State.CLOSED and remote_port in (None, tcb.remote_port)
    )
    return used


def _choose_port(system: System, used: set[int]) -> tuple[System, int | None]:
    """The next port of the range that is not used, in turn; None when there is none."""
    beyond = FIRST_PORT + system.end.stack.ephemeral_ports
    for port in chain(range(system.next_port, beyond), range(FIRST_PORT, system.next_port)):
        if port not in used:
            return system._replace(next_port=port + 1 if port + 1 < beyond else FIRST_PORT), port
    return system, None
