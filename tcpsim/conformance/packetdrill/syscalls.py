"""System calls: they are made, waited for if they block, and their results are judged.

Owns: results and errnos against the script's, the script's descriptors, calls that return later. Refuses
to know: arguments (calls) and packets (packet_exchange).
"""

from __future__ import annotations

from tcpsim import sockets
from tcpsim.conformance.packetdrill.arguments import Asked, GetFlags, Refused, TcpInfo
from tcpsim.conformance.packetdrill.bench import PID
from tcpsim.conformance.packetdrill.calls import asked
from tcpsim.conformance.packetdrill.constants import NUMBERS, errno_name, errno_words
from tcpsim.conformance.packetdrill.context import Stage, Waiting, seconds
from tcpsim.conformance.packetdrill.number_mapping import Flow
from tcpsim.conformance.packetdrill.script import Call, Ellipsis_, Place, Unsupported
from tcpsim.conformance.packetdrill.tcpinfo import field
from tcpsim.conformance.packetdrill.verdict import Failed
from tcpsim.sockets import Reply
from tcpsim.sockets.processes import file_at

_PATIENCE_US = 86_400_000_000  # for a call that should have returned at once


def perform(stage: Stage, call: Call, place: Place, returns_us: int | None) -> None:
    """Make a call; with `returns_us` it may block until then."""
    wait_for_last(stage)
    if call.errno is not None:
        errno_name(call.errno, place)
    what = asked(call, place, stage.live_fd, stage.dialect)
    if isinstance(what, Refused):
        _verify_error(call, place, what.errno)
        return
    if isinstance(what, GetFlags):
        _verify_number(call, place, _flags(stage, what.fd))
        return
    if isinstance(what, TcpInfo):
        _tcp_info(stage, call, what, place)
        return
    waiting = Waiting(place, call, what, stage.bench.now_us, returns_us)
    stage.bench.answered = None
    reply = _call(stage, what)
    if isinstance(what.call, sockets.Connect):
        stage.follow_connect(what.call.fd)
    if reply is not None:
        stage.bench.answered = stage.bench.now_us, reply
    stage.waiting = waiting
    settle(stage)
    if stage.waiting is not None and returns_us is None:
        _block(stage, waiting)


def _call(stage: Stage, what: Asked) -> Reply | None:
    """One call, with MSG_DONTWAIT as a descriptor that does not block for its length."""
    bench = stage.bench
    fd = getattr(what.call, "fd", None)
    if not what.nonblocking or fd is None or _nonblocking(stage, fd) is not False:
        return bench.call(what.call)
    bench.call(sockets.SetNonblocking(fd, True))
    reply = bench.call(what.call)
    bench.call(sockets.SetNonblocking(fd, False))
    return reply


def _block(stage: Stage, waiting: Waiting) -> None:
    """A call that was not said to block does: time passes, and only the endpoint's timers can end it."""
    limit_us = stage.bench.now_us + _PATIENCE_US
    while stage.waiting is not None:
        if not stage.bench.step(limit_us):
            message = f"runtime error in {waiting.call.name} call: it blocks, and nothing can wake it"
            raise Failed(
                waiting.place, message, f"{waiting.call.name}() = {_shown(waiting.call)}", "it blocks"
            )
        settle(stage)


def wait_for_last(stage: Stage) -> None:
    """There is one thread for calls: the one before has to be over."""
    waiting = stage.waiting
    if waiting is None:
        return
    settle(stage)
    returns_us = waiting.returns_us or 0
    limit_us = max(stage.bench.now_us, returns_us + stage.settings.slack_us(returns_us - waiting.made_us))
    while stage.waiting is not None:
        if not stage.bench.step(limit_us):
            message = f"runtime error in {waiting.call.name} call: still blocked at {seconds(limit_us)} sec"
            raise Failed(waiting.place, message, f"return at {seconds(returns_us)} sec", "it blocks")
        settle(stage)


def settle(stage: Stage) -> None:
    """If the call that is waited for has returned, judge it."""
    waiting, answered = stage.waiting, stage.bench.answered
    if waiting is None or answered is None:
        return
    stage.waiting = stage.bench.answered = None
    at_us, reply = answered
    _verify(stage, waiting, reply)
    if waiting.returns_us is not None:
        before_us, stage.before_us = stage.before_us, waiting.made_us
        stage.check_time(waiting.place, "system call return", waiting.returns_us, at_us)
        stage.before_us = before_us


def _verify(stage: Stage, waiting: Waiting, reply: Reply) -> None:
    call, place, what = waiting.call, waiting.place, waiting.asked
    if reply.errno == "ENOPROTOOPT" and call.errno != "ENOPROTOOPT":
        raise Unsupported(call.places[2], f"{call.name}(): the endpoint has no such option")
    if reply.errno is not None:
        _verify_error(call, place, reply.errno)
        return
    result = what.result(reply)
    if what.opens:
        _opened(stage, call, place, result, what.then_nonblocking)
    else:
        _verify_number(call, place, result)
    wrong = what.differs(reply)
    if wrong is not None:
        raise Failed(place, f"runtime error in {call.name} call: {wrong}", _shown(call), wrong)
    if isinstance(what.call, sockets.Close):
        script_fd = call.arguments[0]
        if isinstance(script_fd, int):
            stage.fds.pop(script_fd, None)
    elif isinstance(what.call, sockets.Listen):
        file_id = file_at(stage.bench.system, PID, what.call.fd)
        port = None if file_id is None else stage.bench.system.files[file_id].port
        stage.follow(Flow(port or stage.flow.local, None))


def _opened(stage: Stage, call: Call, place: Place, fd: int, nonblocking: bool) -> None:
    """A new descriptor: whatever its number, the script's name for it is the script's result."""
    if nonblocking:
        stage.bench.call(sockets.SetNonblocking(fd, True))
    if isinstance(call.result, Ellipsis_):
        return
    if call.result < 0:
        raise _wrong(call, place, f"Expected result {call.result} but got {fd}", str(fd))
    if call.result in stage.fds:
        raise Failed(place, f"runtime error in {call.name} call: descriptor {call.result} is open already")
    stage.fds[call.result] = fd


def _verify_number(call: Call, place: Place, result: int) -> None:
    if isinstance(call.result, Ellipsis_) or call.result == result:
        return
    raise _wrong(call, place, f"Expected result {call.result} but got {result}", str(result))


def _verify_error(call: Call, place: Place, errno: str) -> None:
    if isinstance(call.result, Ellipsis_):
        return
    words = errno_words(errno)
    if call.result != -1:
        message = f"Expected result {call.result} but got -1 with errno {words}"
        raise _wrong(call, place, message, f"-1 {errno}")
    if call.errno is not None and errno_name(call.errno, place) != errno:
        message = f"Expected errno {errno_words(call.errno)} but got {words}"
        raise _wrong(call, place, message, f"-1 {errno}")


def _wrong(call: Call, place: Place, message: str, actual: str) -> Failed:
    return Failed(place, f"runtime error in {call.name} call: {message}", _shown(call), actual)


def _shown(call: Call) -> str:
    result = "..." if isinstance(call.result, Ellipsis_) else str(call.result)
    return f"{result} {call.errno}" if call.errno else result


def _nonblocking(stage: Stage, fd: int) -> bool | None:
    """Whether the file behind a descriptor blocks; None if there is none."""
    file_id = file_at(stage.bench.system, PID, fd)
    return None if file_id is None else stage.bench.system.files[file_id].nonblocking


def _flags(stage: Stage, fd: int) -> int:
    """fcntl(F_GETFL)."""
    nonblocking = _nonblocking(stage, fd)
    if nonblocking is None:
        return -1
    return NUMBERS["O_RDWR"] | (stage.dialect.o_nonblock if nonblocking else 0)


def _tcp_info(stage: Stage, call: Call, what: TcpInfo, place: Place) -> None:
    """getsockopt(TCP_INFO) with the fields that the script names."""
    _verify_number(call, place, 0)
    fd = call.arguments[0]
    live_fd = stage.live_fd(fd) if isinstance(fd, int) else -1
    sid = sockets.socket_of(stage.bench.system, PID, live_fd)
    tcb = None if sid is None else stage.bench.system.end.sockets.get(sid)
    for name, expected in what.fields:
        value = None if tcb is None else field(name, tcb, stage.bench.stack, stage.dialect)
        if value is None:
            raise Unsupported(call.places[3], f"tcp_info field {name}")
        if value != expected:
            message = f"runtime error in {call.name} call: Bad {name}: expected: {expected} actual: {value}"
            raise Failed(place, message, f"{name}={expected}", f"{name}={value}")
